"""Folder of prepared sets: disk space, locks, leftovers of interrupted preparations.

A finished set NAME is ``NAME/1.0.0``, an unfinished one ``NAME/1.0.0.incomplete``.
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
    """Folder of the finished set with a key."""
    return cache / f"photos_{key}" / VERSION


def unfinished(folder: Path) -> Path:
    """Folder of the set while unfinished."""
    return folder.with_name(_UNFINISHED)


def require_room(cache: Path, size: int) -> None:
    """Create the cache folder, readable by its owner only, and check the free space.

    Raises:
        UserError: the folder cannot be created or written to, or has less than `size` bytes free.
    """
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"config.data.cache={cache} cannot be created: {error}; {_INSTEAD}"
        ) from error
    if not os.access(cache, os.W_OK | os.X_OK):
        raise UserError(f"config.data.cache={cache} cannot be written to; {_INSTEAD}")
    free = shutil.disk_usage(cache).free
    if free < size:
        raise UserError(
            f"the prepared photographs take up to {in_bytes(size)}, and {cache} has "
            f"{in_bytes(free)} free; make room, {_INSTEAD}"
        )


def write_error(folder: Path, error: Exception) -> UserError:
    """Error for a failed write of a prepared set."""
    if full := full_disk(error):
        message = FullDisk(full.code, str(folder)).describe()
        return FullDiskError(f"{message}; make room, {_INSTEAD}")
    return UserError(f"the prepared set {folder} cannot be written: {error}")


@contextmanager
def shared_lock(folder: Path) -> Iterator[None]:
    """Hold a shared lock on an unfinished set; the last holder removes its remains.

    The operating system releases the lock when a process ends.
    """
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    with (folder.parent / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.say("another process prepares the same photographs; the work is shared")
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(unfinished(folder), ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, waiting for other holders."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_leftovers(folder: Path) -> None:
    """Remove unfinished sets of other images left by interrupted preparations."""
    for other in folder.parents[1].glob(f"photos_*/{_UNFINISHED}"):
        if other.parent == folder.parent:
            continue
        # OSError: in use, or owned by another user.
        with suppress(OSError), (other.parent / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(other)


def report_other_sets(folder: Path) -> None:
    """Report prepared sets of other images, for the user to delete."""
    cache = folder.parents[1]
    others = [path for path in cache.glob(f"photos_*/{VERSION}") if path != folder]
    size = 0
    for file in (file for other in others for file in other.glob("*")):
        with suppress(OSError):  # being deleted
            size += file.stat().st_size
    if others:
        console.say(
            f"prepared sets of other photographs in {cache}: {len(others)}, {size / 1e6:,.0f} MB; "
            "delete those no longer used"
        )


def to_disk(path: Path) -> None:
    """Flush a file or folder to disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
