"""Write a file whole or not at all."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; what was written there then takes its place.

    A kill or a full disk at any moment leaves the old file, or none, but never half of one.

    Raises:
        OSError: it cannot be written; names ``path``.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        _name(error, path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def append(path: Path, text: str) -> None:
    """Add text to the end of a file and see it to the disk, whole or not at all.

    Raises:
        OSError: it cannot be written; names ``path``.
    """
    with path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        left = text.encode("utf-8")
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError as error:
            # What follows would else be added to half a line.
            os.ftruncate(file.fileno(), before)
            _name(error, path)
            raise


def _name(error: OSError, path: Path) -> None:
    """Have an error name the path: one in the middle of writing names none."""
    error.filename = error.filename or str(path)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as CSV; a file name that is not UTF-8 comes out as the bytes it is made of."""
    with (
        replacing(path) as unfinished,
        unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        plain, quoted = (
            csv.writer(file, lineterminator="\n", quoting=quoting)
            for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
        )
        for row in (header, *rows):
            # Which needs quotation marks to be no end of a row; Python sees to that from 3.13 on.
            returns = any("\r" in str(cell) for cell in row)
            (quoted if returns else plain).writerow(row)
