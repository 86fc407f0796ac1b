"""Record of test-set accesses: the append-only ``looks.csv``.

Metrics on test images are unbiased only at the first access; later ones may follow selection.
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
    """Line of ``looks.csv``."""

    time: str  # UTC, ISO 8601, in seconds
    commit: str  # git commit, with ``-dirty`` for modified files; "" outside a repository
    configuration: str  # leading digits of the SHA-256 of the run's ``config.json``
    split: str  # split as given: ``test``, or ``all`` for a folder containing test images
    photographs: int  # number of evaluated images
    accuracy: float  # reported accuracy
    command: str  # verb of the command


_COLUMNS = tuple(field.name for field in fields(AccessRecord))
_DIGITS = 12  # of a SHA-256


def new_access(
    configuration: Path, *, split: str, photographs: int, accuracy: float, command: str
) -> AccessRecord:
    """Record an access at the current time; ``configuration`` is the run's ``config.json``."""
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
    """Append a line under a lock and flush it, before metrics are reported; return their number.

    Raises:
        UserError: the file is no access record.
        OSError: the file cannot be written.
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
    """Message for the user about an access."""
    return f"test split opened {'once' if times == 1 else f'{times:,} times'}; see {path}"


def read_access(path: Path) -> list[AccessRecord]:
    """Read all accesses, oldest first; [] without a file.

    Raises:
        UserError: the file is no access record.
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
            f"{path} is not a valid record of test-set accesses ({error}): restore it; lines are "
            "only ever appended"
        ) from error


def _parse(cells: Sequence[str]) -> AccessRecord:
    if len(cells) != len(_COLUMNS):
        raise ValueError(f"a line has {len(cells)} values for {len(_COLUMNS)} columns")
    kinds = (str, str, str, str, int, float, str)
    return AccessRecord(*(kind(cell) for kind, cell in zip(kinds, cells, strict=True)))


def record_access(
    folder: RunFolder, data: PhotoSet, split: str, accuracy: float, command: str
) -> int:
    """Record a test-set access; return the number of accesses, 0 if ``data`` has no test images.

    Test images are identified by contents. Accesses of derived runs count for their source runs, as
    far as these exist.
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
