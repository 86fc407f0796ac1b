"""One command at a time trains in a run's directory; any number may read it."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hairjax.parallel.processes import is_first, largest
from hairjax.system import console
from hairjax.system.errors import UserError


@contextmanager
def exclusive_lock(file: Path) -> Iterator[None]:
    """Hold an exclusive lock so that one process trains in a run directory.

    Two would write each other's epochs and remove each other's checkpoints. The system releases the
    lock however a process ends. The processes of one run all call this, and the first one locks.

    Args:
        file: file that is locked; made, and its folder too, where it is missing; never replaced.

    Raises:
        UserError: another command trains there; in every process.
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
    """Try to take the lock; True if another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:  # some file systems of clusters know no locks
        console.say(f"{folder} cannot be locked ({error}): let no other command train there")
    return False
