"""Orderly stop of a training on SIGTERM or Ctrl-C."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import jax

from hairjax.parallel.processes import largest

STOPS = ("", "stopped by SIGTERM", "stopped by Ctrl-C")


class StoppedError(Exception):
    """Training stopped by SIGTERM or Ctrl-C after saving its state."""


def stop_reason(stop: list[str]) -> str:
    """Reason to stop now; "" to continue.

    A collective: every process calls it at the same place, and one signal stops all.
    """
    local = stop[0] if stop else ""
    return STOPS[largest(STOPS.index(local))]


@contextmanager
def stop_requests() -> Iterator[list[str]]:
    """Yield a list that is empty until SIGTERM or Ctrl-C.

    A second signal has its default effect; with several processes it is ignored, as launchers may
    send signals twice.
    """
    requests: list[str] = []
    before = {int(s): signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, _: object) -> None:
        requests.append(STOPS[2] if number == signal.SIGINT else STOPS[1])
        if jax.process_count() == 1:
            signal.signal(number, before[number])

    for number in before:
        signal.signal(number, ask)
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
