"""Reading a CSV manifest: which photographs it lists, with label and optional subject and mask.

A row that cannot be used is collected as a `Problem`; an unreadable manifest is raised at once.
"""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from hairjax.data.sources.formats import SUFFIXES, UNREAD_SUFFIXES, usable_name
from hairjax.data.sources.lookup import Lookup, leads_outside, missing
from hairjax.data.sources.problems import NO_LABEL, Problem, shown
from hairjax.system.errors import UserError

_REQUIRED_COLUMNS = ("file", "label")
_COLUMNS = (*_REQUIRED_COLUMNS, "subject", "mask")


@dataclass(frozen=True)
class Row:
    """A photograph as a class folder or a manifest names it; `mask` is "" where it does not."""

    file: str
    label: str
    subject: str
    mask: str


def read_manifest(path: Path, root: Path, problems: list[Problem]) -> tuple[list[Row], list[str]]:
    """Return the rows whose photographs exist, and every label; for others see `read_columns`."""
    rows = []
    lookup = Lookup(root)
    listed = [
        (line, _found(_row(cells), root, lookup)) for line, cells in _manifest_rows(path, problems)
    ]
    labels = sorted({row.label for _, row in listed if row.label})
    times = Counter(row.file for _, row in listed)
    for line, row in listed:
        where, photo = f"{path}, line {line}", root / row.file
        if not row.file or not row.label:
            problems.append(Problem(where, NO_LABEL if row.file else "no file", ""))
        elif leads_outside(row.file):
            problems.append(Problem(where, "not a path below config.data.photos", row.file))
        elif times[row.file] > 1:
            problems.append(Problem(where, "listed more than once in the manifest", row.file))
        elif reason := missing(photo):
            hint = " (write / and not \\)" if "\\" in row.file else ""
            problems.append(Problem(shown(photo), "no such file", f"line {line}: {reason}{hint}"))
        elif photo.suffix.lower() not in SUFFIXES | UNREAD_SUFFIXES:
            problems.append(Problem(shown(photo), "not named like a photograph", ""))
        elif usable_name(photo, problems):
            rows.append(row)
    return rows, labels


def read_columns(manifest: str, photos: str) -> dict[str, dict[str, str]]:
    """Return the other columns of the manifest: value by file, by column.

    Args:
        manifest: the CSV file, or "" for none, which has no columns.
        photos: the folder that its paths start from.

    Raises:
        UserError: the manifest cannot be read.
    """
    if not manifest:
        return {}
    path, root = Path(manifest).expanduser(), Path(photos).expanduser()
    columns: dict[str, dict[str, str]] = {}
    lookup = Lookup(root)
    for _, cells in _manifest_rows(path, []):
        file = _found(_row(cells), root, lookup).file
        for name, cell in cells.items():
            if name and name not in _COLUMNS:
                columns.setdefault(name, {})[file] = cell.strip()
    return columns


def _found(row: Row, root: Path, lookup: Lookup) -> Row:
    """Return the row with its file as the file system writes it."""
    if not row.file or leads_outside(row.file):
        return row
    return replace(row, file=lookup.find(row.file).relative_to(root).as_posix())


def _manifest_rows(path: Path, problems: list[Problem]) -> list[tuple[int, dict[str, str]]]:
    """Return (line number, cells) for each row of a CSV file in UTF-8, with or without its mark."""
    try:
        # Without `strict`, a quotation mark that is never closed would swallow the other rows.
        reader = csv.DictReader(io.StringIO(_text(path), newline=""), restval="", strict=True)
        reader.fieldnames = _columns(path, reader.fieldnames or ())
        rows = []
        for cells in reader:
            where = f"{path}, line {reader.line_num}"
            if None in cells:
                kind = "more cells than columns: put quotes around what has a comma in it"
                problems.append(Problem(where, kind, ""))
            elif any(cell.strip() for cell in cells.values()):
                rows.append((reader.line_num, cells))
        return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"the manifest {str(path)!r} cannot be read as CSV in UTF-8 ({error}): correct "
            "--config.data.manifest or save the file again"
        ) from error


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data:
        raise UserError(
            f"the manifest {str(path)!r} is in UTF-16, as a spreadsheet's “Unicode text” is, and "
            "must be in UTF-8: save it as “CSV UTF-8”"
        )
    return data.decode("utf-8-sig")


def _columns(path: Path, header: Sequence[str]) -> list[str]:
    """Return the names of the columns, or refuse a header that lacks one or repeats one."""
    columns = [name.strip() for name in header]
    missing_columns = [name for name in _REQUIRED_COLUMNS if name not in columns]
    if missing_columns:
        cut = next((cut for cut in ";\t" if len(columns) == 1 and cut in columns[0]), "")
        advice = f"; separated by {cut!r}, and commas are needed" if cut else ""
        raise UserError(
            f"the manifest {str(path)!r} lacks {' and '.join(missing_columns)}: its first line "
            f"must name the columns {', '.join(_REQUIRED_COLUMNS)} (and may name subject and "
            f"mask), and names {', '.join(columns) or 'nothing'}{advice}"
        )
    repeated = [name for name in dict.fromkeys(columns) if name and columns.count(name) > 1]
    if repeated:
        raise UserError(
            f"the manifest {str(path)!r} has more than one column {' and '.join(repeated)}: "
            "leave one of them"
        )
    return columns


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
