"""Stop a training in good order when SIGTERM or Ctrl-C comes."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import jax

from hairjax.parallel.processes import largest

STOPS = ("", "stopped by SIGTERM", "stopped by Ctrl-C")


class StoppedError(Exception):
    """The run was asked to stop (SIGTERM, Ctrl-C) and has saved its state."""


def stop_reason(stop: list[str]) -> str:
    """Reason to stop now; "" to go on.

    Several processes all call this at the same place, and all stop, whichever of them was told to.
    """
    mine = stop[0] if stop else ""
    return STOPS[largest(STOPS.index(mine))]


@contextmanager
def stop_requests() -> Iterator[list[str]]:
    """Yield a list that is empty until SIGTERM or Ctrl-C comes.

    A second one acts as usual; not in several processes, to which launchers may send each twice.
    """
    asked: list[str] = []
    before = {int(s): signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, _: object) -> None:
        asked.append(STOPS[2] if number == signal.SIGINT else STOPS[1])
        if jax.process_count() == 1:
            signal.signal(number, before[number])

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
