"""The folder of prepared sets: room, locks, and what other preparations left in it.

The set NAME is the folder ``NAME/1.0.0`` once it is finished, and ``NAME/1.0.0.incomplete`` before.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hairjax.system import console
from hairjax.system.disk import FullDisk, FullDiskError, full_disk
from hairjax.system.errors import UserError
from hairjax.system.wording import in_bytes

VERSION = "1.0.0"
_UNFINISHED = f"{VERSION}.incomplete"
_INSTEAD = (
    "give another folder with --config.data.cache=FOLDER, or none (--config.data.cache=) to keep "
    "the photographs in memory only"
)


def place_of(cache: Path, key: str) -> Path:
    """Folder of the finished set of a key."""
    return cache / f"photos_{key}" / VERSION


def unfinished(folder: Path) -> Path:
    """Folder of a set before it is finished."""
    return folder.with_name(_UNFINISHED)


def require_room(cache: Path, size: int) -> None:
    """Make the folder where there is none, for its owner alone.

    Raises:
        UserError: it cannot be made or written to, or has not `size` bytes free.
    """
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"config.data.cache={cache} cannot be made: {error}; {_INSTEAD}") from error
    if not os.access(cache, os.W_OK | os.X_OK):
        raise UserError(f"config.data.cache={cache} cannot be written to; {_INSTEAD}")
    free = shutil.disk_usage(cache).free
    if free < size:
        raise UserError(
            f"the prepared photographs take up to {in_bytes(size)}, and {cache} has "
            f"{in_bytes(free)} free; make room, {_INSTEAD}"
        )


def not_written(folder: Path, error: Exception) -> UserError:
    """Return the error to raise where a prepared set cannot be written."""
    if full := full_disk(error):
        said = FullDisk(full.code, str(folder)).describe()
        return FullDiskError(f"{said}; make room, {_INSTEAD}")
    return UserError(f"the prepared set {folder} cannot be written: {error}")


@contextmanager
def taking_part(folder: Path) -> Iterator[None]:
    """Keep an unfinished set from being removed; whoever leaves last removes what is left of it.

    The system releases the lock however a process ends.
    """
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    with (folder.parent / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.say("another process prepares these photographs too: the work is shared")
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(unfinished(folder), ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only process that does something, after those that came before."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_leftovers(folder: Path) -> None:
    """Remove what interrupted preparations of other sets left; this one's is gone on with."""
    for other in folder.parents[1].glob(f"photos_*/{_UNFINISHED}"):
        if other.parent == folder.parent:
            continue
        # It is in work, or belongs to somebody else: either way it is not ours to remove.
        with suppress(OSError), (other.parent / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(other)


def show_others(folder: Path) -> None:
    """Say what other sets there are: nobody else knows whether they are still used."""
    cache = folder.parents[1]
    others = [path for path in cache.glob(f"photos_*/{VERSION}") if path != folder]
    size = 0
    for file in (file for other in others for file in other.glob("*")):
        with suppress(OSError):  # somebody is deleting it
            size += file.stat().st_size
    if others:
        console.say(
            f"prepared sets of other photographs in {cache}: {len(others)}, {size / 1e6:,.0f} MB; "
            "delete those that are no longer used"
        )


def to_disk(path: Path) -> None:
    """Wait until a file or folder is on the disk, so that a power cut cannot take it back."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
