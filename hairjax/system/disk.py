"""Detect a full disk behind any exception, and describe it in a sentence."""

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
    """The disk is full; saved files are intact."""


class FullDisk(NamedTuple):
    """A full disk."""

    code: int  # ENOSPC, EDQUOT or EFBIG of `errno`
    path: str  # unwritten file; "" if unknown

    def describe(self) -> str:
        """Clause with the unwritten file, the reason, and the free space."""
        reason = _REASONS[self.code]
        if not self.path:
            return reason
        return f"{reason}: {self.path} could not be written ({in_bytes(free(self.path))} free)"


def free(path: str | Path) -> int:
    """Free bytes on the disk of a path (which may not exist yet)."""
    place = Path(path).absolute()
    return shutil.disk_usage(next(one for one in (place, *place.parents) if one.exists())).free


def full_disk(error: BaseException) -> FullDisk | None:
    """The full disk behind an exception, its causes or its group; None if there is none."""
    found = [one for one in map(_recognise, _chain(error)) if one]
    # Prefer the exception that names the file.
    return next((one for one in found if one.path), found[0] if found else None)


def sentence(error: BaseException) -> str:
    """Message of an error; for a full disk also what to do."""
    full = None if isinstance(error, FullDiskError) else full_disk(error)
    if full is None:
        return str(error)
    return f"{full.describe()}; earlier files are intact: make room and repeat the command"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception with its causes, contexts and group members."""
    left, seen = [error], set()
    while left:
        one = left.pop(0)
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            before = (one.__cause__, one.__context__, *getattr(one, "exceptions", ()))
            left += [other for other in before if isinstance(other, BaseException)]


def _recognise(error: BaseException) -> FullDisk | None:
    if isinstance(error, OSError) and error.errno in _REASONS:
        return FullDisk(error.errno, os.fspath(error.filename) if error.filename else "")
    if isinstance(error, UserError | OSError):
        return None
    # C++ libraries report it in the message only.
    text = str(error)
    for code in _REASONS:
        if os.strerror(code) in text:
            written = re.search(r'[Ff]ailed writing: "([^"]+)"', text)
            return FullDisk(code, written[1] if written else "")
    return None
