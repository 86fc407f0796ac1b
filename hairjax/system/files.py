"""Atomic writing of files."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that atomically replaces ``path`` at the end of the block.

    Raises:
        OSError: writing failed; names ``path``.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        _set_filename(error, path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def append(path: Path, text: str) -> None:
    """Append text to a file and fsync, completely or not at all.

    Raises:
        OSError: writing failed; names ``path``.
    """
    with path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        left = text.encode("utf-8")
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError as error:
            # Drop a partial line, or the next append would continue it.
            os.ftruncate(file.fileno(), before)
            _set_filename(error, path)
            raise


def _set_filename(error: OSError, path: Path) -> None:
    """Set a missing file name of an OSError."""
    error.filename = error.filename or str(path)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV table; file names that are not UTF-8 keep their bytes."""
    with (
        replacing(path) as unfinished,
        unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        plain, quoted = (
            csv.writer(file, lineterminator="\n", quoting=quoting)
            for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
        )
        for row in (header, *rows):
            # A carriage return must be quoted; Python does so from 3.13.
            has_return = any("\r" in str(cell) for cell in row)
            (quoted if has_return else plain).writerow(row)
