"""One process of several, run below a parent that says in a sentence how it ended.

When the process that the others meet at is lost, or never found, JAX aborts in C++ with a stack
trace, before any Python; nothing public turns that off. So each process does its work in a child,
and its parent, which imports no JAX, passes on what the child says, each line with the process it
comes from, and says the rest itself. The child ends when its parent does, even by ``kill -9``.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from itertools import chain

CHILD = "HAIRJAX_SUPERVISED"  # set in the environment of a child
# What JAX's own C++ logs when processes lose each other.
LOGGED = re.compile(r"[EF]\d{4} [\d:.]+ +\d+ (coordination_|client\.h|add_port)")
GO_ON = "the same commands go on from the last checkpoint"


def is_child() -> bool:
    """True if this process has such a parent."""
    return CHILD in os.environ


def follow_parent() -> None:
    """Have this process end when its parent does: its standard input ends then."""

    def wait() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def supervise(arguments: list[str], name: str) -> int:
    """Run ``python`` with these arguments as the child of this process.

    SIGTERM and Ctrl-C are handed on to it.

    Args:
        arguments: the script and its own.
        name: name of the process in messages.

    Returns:
        The exit status: the child's, 128 more than the signal that killed it, or 1 where JAX
        aborted.
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
            said, logged = _pass_on(child, name)
            status = child.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if status == -signal.SIGABRT and logged:
        if not said:
            print(f"{name}: error: {_explain(logged)}", file=sys.stderr)
        return 1
    if status < 0:
        print(f"{name}: error: ended by {signal.Signals(-status).name}; {GO_ON}", file=sys.stderr)
        return 128 - status
    return status


def _pass_on(child: subprocess.Popen, name: str) -> tuple[bool, str]:
    """Print what the child says; returns whether that was an error, and what JAX logged."""
    said, hidden, fatal, logged = False, False, False, []
    assert child.stderr is not None
    for line in chain.from_iterable(map(_apart, child.stderr)):
        error = line.startswith(("error: ", "stopped by "))
        if LOGGED.match(line):
            hidden, fatal = True, fatal or line[0] == "F"
        elif error or line.startswith("Traceback "):
            said, hidden = True, False
        # What JAX logs has several lines. After a fatal one comes a stack trace, into which a
        # thread that is still alive may say what it sees.
        if hidden or (fatal and not error):
            logged.append(line)
        else:
            print(f"{name}: {line}", end="", file=sys.stderr, flush=True)
    return said, "".join(logged)


def _apart(line: str) -> list[str]:
    """Part what Python says from what JAX logs behind it on the same line."""
    found = LOGGED.search(line)
    if not found or not found.start():
        return [line]
    return [line[: found.start()] + "\n", line[found.start() :]]


def _explain(logged: str) -> str:
    """The sentence for an abort."""
    if "RegisterTask" in logged:
        return (
            "the processes have not found each other in time; start all of them within a minute, "
            "each with its config.devices.process, and look whether config.devices.coordinator is "
            "the address of process 0 and its port can be reached"
        )
    reason = re.search(r"absl::Status: ([^.\n]*)", logged)
    detail = f" ({reason[1]})" if reason else ""
    return f"another process of the run has ended or cannot be reached{detail}; {GO_ON}"
