"""Exclusive lock on a run directory for training; reading needs none."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hairjax.parallel.processes import is_first, largest
from hairjax.system import console
from hairjax.system.errors import UserError


@contextmanager
def exclusive_lock(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, so that one process trains in a run directory.

    The file and its folder are created if missing. Released by the system however the process ends.
    A collective: process 0 locks for all.

    Raises:
        UserError: another command trains there; raised in every process.
    """
    with ExitStack() as held:
        taken = False
        if is_first():
            file.parent.mkdir(parents=True, exist_ok=True)
            taken = _locked_by_another(held.enter_context(file.open("a")).fileno(), file.parent)
        if largest(int(taken)):
            raise UserError(
                f"another command trains in {file.parent} now: wait for its end, stop it, or give "
                "another --workdir"
            )
        yield


def _locked_by_another(descriptor: int, folder: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:  # file systems without locks
        console.say(f"{folder} cannot be locked ({error}): let no other command train there")
    return False
