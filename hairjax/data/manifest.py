"""Reading a CSV manifest: which photographs it lists, with label and optional subject and mask.

A row that cannot be used is collected as a `Problem`; an unreadable manifest is raised at once.
"""

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hairjax.data.formats import PHOTO_SUFFIXES, UNREAD_SUFFIXES, usable_name
from hairjax.data.problems import Problem, shown
from hairjax.errors import UserError

_REQUIRED_COLUMNS = ("file", "label")


@dataclass(frozen=True)
class Row:
    """A photograph as a class folder or a manifest names it; `mask` is "" where it does not."""

    file: str
    label: str
    subject: str
    mask: str


def read_manifest(path: Path, root: Path, problems: list[Problem]) -> tuple[list[Row], list[str]]:
    """Return the rows whose photographs exist, and every label; other columns are ignored."""
    rows = []
    listed = _manifest_rows(path)
    labels = sorted({row.label for _, row in listed if row.label})
    times = Counter(row.file for _, row in listed)
    for line, row in listed:
        where = f"{path}, line {line}"
        if not row.file or not row.label:
            problems.append(Problem(where, "no file or no label", ""))
        elif PurePosixPath(row.file).is_absolute():
            problems.append(Problem(where, "not a path below config.data.photos", row.file))
        elif times[row.file] > 1:
            problems.append(Problem(where, "listed more than once in the manifest", row.file))
        elif not (root / row.file).is_file():
            problems.append(Problem(shown(root / row.file), "no such file", f"line {line}"))
        elif (root / row.file).suffix.lower() not in PHOTO_SUFFIXES | UNREAD_SUFFIXES:
            problems.append(Problem(shown(root / row.file), "not named like a photograph", ""))
        elif usable_name(root / row.file, problems):
            rows.append(row)
    return rows, labels


def _manifest_rows(path: Path) -> list[tuple[int, Row]]:
    """Return (line number, row) for each row of a CSV file in UTF-8, with or without its mark."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, restval="")
            columns = [name.strip() for name in reader.fieldnames or ()]
            missing = [name for name in _REQUIRED_COLUMNS if name not in columns]
            if missing:
                raise UserError(
                    f"the manifest {str(path)!r} lacks {' and '.join(missing)}: its first line "
                    f"must name the columns {', '.join(_REQUIRED_COLUMNS)} (and may name subject "
                    f"and mask), and names {', '.join(columns) or 'nothing'}"
                )
            reader.fieldnames = columns
            return [(reader.line_num, _row(cells)) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"the manifest {str(path)!r} cannot be read as CSV in UTF-8 ({error}): correct "
            "--config.data.manifest or save the file again"
        ) from error


def _row(cells: Mapping[str, str]) -> Row:
    # `./a.jpg` and `a.jpg` are one photograph.
    def name(column: str) -> str:
        cell = cells.get(column, "").strip()
        return PurePosixPath(cell).as_posix() if cell else ""

    return Row(
        file=name("file"),
        label=cells["label"].strip(),
        subject=cells.get("subject", "").strip(),
        mask=name("mask"),
    )
