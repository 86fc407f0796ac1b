"""Run one process of several under a parent that reports its end in a sentence.

JAX aborts in C++ with a stack trace when the coordinator is lost or never found. Therefore each
process works in a child; its parent, without JAX, relays the child's output with the process name
and explains an abort. The child ends with its parent, even by ``kill -9``.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from itertools import chain

CHILD = "HAIRJAX_SUPERVISED"  # set in the environment of a child
# C++ log lines of JAX about lost processes.
LOGGED = re.compile(r"[EF]\d{4} [\d:.]+ +\d+ (coordination_|client\.h|add_port)")
RESUME = "the same commands resume from the last checkpoint"


def is_child() -> bool:
    """True under a supervising parent."""
    return CHILD in os.environ


def follow_parent() -> None:
    """Exit when the parent ends, detected by the end of standard input."""

    def wait() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def supervise(arguments: list[str], name: str) -> int:
    """Run ``python`` with these arguments as a child, forwarding SIGTERM and Ctrl-C.

    Returns the exit status: the child's; 128 + signal if killed; 1 if JAX aborted. ``name``: of the
    process, in messages.
    """
    child = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, CHILD: "1"},
        text=True,
        errors="replace",
        start_new_session=True,  # or Ctrl-C in a terminal would reach the child twice
    )
    handlers = {
        number: signal.signal(number, lambda number, _: child.send_signal(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        with child:
            reported, logged = _relay(child, name)
            status = child.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if status == -signal.SIGABRT and logged:
        if not reported:
            print(f"{name}: error: {_explain(logged)}", file=sys.stderr)
        return 1
    if status < 0:
        print(f"{name}: error: ended by {signal.Signals(-status).name}; {RESUME}", file=sys.stderr)
        return 128 - status
    return status


def _relay(child: subprocess.Popen, name: str) -> tuple[bool, str]:
    """Relay the child's output; returns whether it reported an error, and JAX's log."""
    reported, hidden, fatal, logged = False, False, False, []
    assert child.stderr is not None
    for line in chain.from_iterable(map(_split_log, child.stderr)):
        error = line.startswith(("error: ", "stopped by "))
        if LOGGED.match(line):
            hidden, fatal = True, fatal or line[0] == "F"
        elif error or line.startswith("Traceback "):
            reported, hidden = True, False
        # Log entries span several lines; a fatal one is followed by a stack trace, possibly mixed
        # with output of live threads.
        if hidden or (fatal and not error):
            logged.append(line)
        else:
            print(f"{name}: {line}", end="", file=sys.stderr, flush=True)
    return reported, "".join(logged)


def _split_log(line: str) -> list[str]:
    """Split Python output from a JAX log entry on the same line."""
    found = LOGGED.search(line)
    if not found or not found.start():
        return [line]
    return [line[: found.start()] + "\n", line[found.start() :]]


def _explain(logged: str) -> str:
    """Sentence about an abort."""
    if "RegisterTask" in logged:
        return (
            "the processes have not found each other in time; start all of them within a minute, "
            "each with its config.devices.process, and check that config.devices.coordinator is "
            "the address of process 0 with a reachable port"
        )
    reason = re.search(r"absl::Status: ([^.\n]*)", logged)
    detail = f" ({reason[1]})" if reason else ""
    return f"another process of the run has ended or cannot be reached{detail}; {RESUME}"
