"""A full disk: recognised in whatever is raised because of it, and told in one sentence."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hairjax.system.errors import UserError
from hairjax.system.wording import in_bytes

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not become that large here",
}


class FullDiskError(UserError):
    """Nothing more can be written; what was there before is whole."""


class FullDisk(NamedTuple):
    """Why and where nothing more can be written.

    Attributes:
        code: ENOSPC, EDQUOT or EFBIG of `errno`.
        path: what could not be written; "" where it is not known.
    """

    code: int
    path: str

    def describe(self) -> str:
        """In words, without a stop: what could not be written, why, and how much is free."""
        reason = _REASONS[self.code]
        if not self.path:
            return reason
        return f"{reason}: {self.path} could not be written ({in_bytes(free(self.path))} free)"


def free(path: str | Path) -> int:
    """Bytes that can still be written on the disk of a path, which need not be there yet."""
    place = Path(path).absolute()
    return shutil.disk_usage(next(one for one in (place, *place.parents) if one.exists())).free


def full_disk(error: BaseException) -> FullDisk | None:
    """Whether an error, or what led to it, says that nothing more can be written."""
    found = [one for one in map(_told, _chain(error)) if one]
    # Whoever knew what was written said so; the system's own error may not.
    return next((one for one in found if one.path), found[0] if found else None)


def sentence(error: BaseException) -> str:
    """What to tell of an error; of a full disk also that nothing is lost, and what to do."""
    full = None if isinstance(error, FullDiskError) else full_disk(error)
    if full is None:
        return str(error)
    return (
        f"{full.describe()}; what was there before is whole: make room, and give the same command "
        "again"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, those in it and those that led to it."""
    left, seen = [error], set()
    while left:
        one = left.pop(0)
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            before = (one.__cause__, one.__context__, *getattr(one, "exceptions", ()))
            left += [other for other in before if isinstance(other, BaseException)]


def _told(error: BaseException) -> FullDisk | None:
    if isinstance(error, OSError) and error.errno in _REASONS:
        return FullDisk(error.errno, os.fspath(error.filename) if error.filename else "")
    if isinstance(error, UserError | OSError):
        return None
    # Libraries in C++ tell it in words alone.
    text = str(error)
    for code in _REASONS:
        if os.strerror(code) in text:
            written = re.search(r'[Ff]ailed writing: "([^"]+)"', text)
            return FullDisk(code, written[1] if written else "")
    return None
