"""The record of accesses to the test split: ``looks.csv``, one line each, only added to.

A number on test photographs says what it seems to say only when it is the first of them: whoever
sees it, changes something and evaluates again has selected on them.
"""

import csv
import fcntl
import hashlib
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from hairjax.data.photoset import PhotoSet
from hairjax.data.split import read_rows
from hairjax.runs.derived import source_runs
from hairjax.runs.folder import RunFolder
from hairjax.system.errors import UserError
from hairjax.system.files import append
from hairjax.system.git import code_commit


@dataclass(frozen=True)
class AccessRecord:
    """One line of ``looks.csv``.

    Attributes:
        time: UTC, ISO 8601, to the second.
        commit: commit of the code, with ``-dirty`` where its files were changed since; "" where
            the code is in no git repository.
        configuration: the first digits of the SHA-256 of the run's ``config.json``.
        split: as given to the command: ``test``, or ``all`` of a folder that has some of them.
        photographs: number of photographs evaluated.
        accuracy: accuracy that was shown.
        command: verb that accessed them.
    """

    time: str
    commit: str
    configuration: str
    split: str
    photographs: int
    accuracy: float
    command: str


_COLUMNS = tuple(field.name for field in fields(AccessRecord))
_DIGITS = 12  # of a SHA-256: enough to tell configurations apart


def new_access(
    configuration: Path, *, split: str, photographs: int, accuracy: float, command: str
) -> AccessRecord:
    """A record of an access that is made now; ``configuration`` is the run's ``config.json``."""
    return AccessRecord(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=code_commit(),
        configuration=hashlib.sha256(configuration.read_bytes()).hexdigest()[:_DIGITS],
        split=split,
        photographs=photographs,
        accuracy=accuracy,
        command=command,
    )


def add_access(path: Path, record: AccessRecord) -> int:
    """Add a line and see it to the disk, before what it is about is shown.

    Two processes at once lose no line: each holds the file's lock while it writes.

    Returns:
        How many accesses there are now.

    Raises:
        UserError: the file is not such a record.
        OSError: it cannot be written to.
    """
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = read_access(path)
        rows = [] if path.stat().st_size else [_COLUMNS]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*rows, astuple(record)])
        append(path, text.getvalue())
    return len(before) + 1


def describe_access(path: Path, times: int) -> str:
    """A line for the person who made the access."""
    return f"test split opened {'once' if times == 1 else f'{times:,} times'}; see {path}"


def read_access(path: Path) -> list[AccessRecord]:
    """The accesses so far, oldest first; none where there is no such file.

    Raises:
        UserError: the file is not such a record.
    """
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file)) or [[*_COLUMNS]]
    try:
        if tuple(header) != _COLUMNS:
            raise ValueError(f"its columns are {','.join(header)}, not {','.join(_COLUMNS)}")
        return [_parse(row) for row in rows]
    except ValueError as error:
        raise UserError(
            f"{path} cannot be read as the record of accesses to the test split ({error}): "
            "restore it; it is only ever added to"
        ) from error


def _parse(cells: Sequence[str]) -> AccessRecord:
    if len(cells) != len(_COLUMNS):
        raise ValueError(f"a line has {len(cells)} values, and there are {len(_COLUMNS)} columns")
    kinds = (str, str, str, str, int, float, str)
    return AccessRecord(*(kind(cell) for kind, cell in zip(kinds, cells, strict=True)))


def record_access(
    folder: RunFolder, data: PhotoSet, split: str, accuracy: float, command: str
) -> int:
    """Record an access to the test split; return how many there are, 0 if ``data`` has none.

    Photographs are known by their contents, so that a copy of their folder counts too. An access by
    what was made of runs is one to theirs, of those that are still there.
    """
    tests = {row["sha256"] for row in read_rows(folder.split) if row["split"] == "test"}
    if tests.isdisjoint(data.sha256):
        return 0
    runs = map(RunFolder, source_runs(folder)) if "made" in folder.read_config() else ()
    times = []
    for one in (folder, *(run for run in runs if run.exists())):
        record = new_access(
            one.config, split=split, photographs=len(data), accuracy=accuracy, command=command
        )
        times.append(add_access(one.test_access, record))
    return times[0]
