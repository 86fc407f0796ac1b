"""Meaning of manifest columns: by name, by `data.columns`, or one column per class."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hairjax.data.sources.own_parts import is_part, split_column
from hairjax.data.sources.spelling import plain
from hairjax.data.sources.table import Table, separator
from hairjax.system.errors import UserError, examples
from hairjax.system.wording import as_csv, counted, flag

EXACT = "exact"  # value of `data.columns`: standard names only, paths taken literally
KEY = "config.data.columns"
FLAGS = "of check, evaluate and explain --columns=…"
_EXAMPLES = 5
_LINES_SHOWN = 5
# Meanings of columns, and their names without case, spaces and separators.
PARTS: Mapping[str, frozenset[str]] = {
    "file": frozenset(
        {"file", "filename", "filepath", "image", "imagename", "imagefile", "imagepath", "img",
         "imagefilename", "imgpath", "imgname", "path", "photo", "photograph", "photopath",
         "파일", "파일명", "이미지", "사진"}
    ),
    "label": frozenset({"label", "labels", "class", "classname", "라벨", "레이블"}),
    "subject": frozenset(
        {"subject", "subjectid", "patient", "patientid", "person", "personid", "participant",
         "participantid", "환자", "환자번호"}
    ),
    "mask": frozenset({"mask", "maskpath", "maskfile", "maskname", "마스크"}),
    "split": frozenset({"split"}),
}  # fmt: skip
_ONE = {"1", "1.0", "true"}
_ZERO = {"0", "0.0", "false"}


@dataclass(frozen=True)
class Columns:
    """Columns of a manifest by meaning; "" for none.

    `label` is one column, or one indicator column (0/1) per class.
    """

    file: str
    label: tuple[str, ...]
    subject: str
    mask: str
    split: str

    @property
    def used(self) -> frozenset[str]:
        """Names of the columns with a meaning."""
        return frozenset({self.file, *self.label, self.subject, self.mask, self.split} - {""})

    def label_of(self, cells: Mapping[str, str]) -> tuple[str, str]:
        """Label of a row, "" for none, and a description if indicator columns are inconsistent."""
        if len(self.label) == 1:
            return cells[self.label[0]], ""
        ones = [name for name in self.label if cells[name].lower() in _ONE]
        odd = [name for name in self.label if cells[name].lower() not in _ONE | _ZERO]
        if odd:
            return "", f"{odd[0]} is {cells[odd[0]]!r}, neither 0 nor 1"
        if len(ones) == 1:
            return ones[0], ""
        return "", f"{' and '.join(ones)} are 1" if ones else f"none of {_few(self.label)} is 1"

    def describe(self) -> str:
        """Description of unusual column names; "" for none."""
        said = [
            f"{name!r} is the {part}"
            for part, name in (
                ("file", self.file),
                *(("label", name) for name in self.label if len(self.label) == 1),
                ("subject", self.subject),
                ("mask", self.mask),
            )
            if name and name != part
        ]
        if len(self.label) > 1:
            said.append(f"the label is the one of {', '.join(self.label)} that is 1")
        return ", ".join(said)


def parse_columns(text: str) -> dict[str, str]:
    """Parse `data.columns`: column by meaning; {} if empty.

    Raises:
        UserError: not comma-separated `part=column`, or a repeated part.
    """
    if not text or text == EXACT:
        return {}
    try:
        [cells] = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        cells = [text]
    given: dict[str, str] = {}
    for cell in cells:
        part, equals, name = (piece.strip() for piece in cell.partition("="))
        if not equals or part not in PARTS or part in given:
            raise UserError(
                f"config.data.columns is {text!r}; it can be {EXACT}, or the columns of the "
                f"manifest for some of {', '.join(PARTS)}, each once, with commas between: "
                "file=id_code,label=diagnosis; one per class: label=mild|severe; none: split="
            )
        given[part] = name
    return given


def find_columns(table: Table, text: str, root: Path) -> Columns:
    """Find the columns of a manifest by meaning.

    Columns not in `text` (`data.columns`) are recognised by name, and indicator columns by exactly
    one 1 per row; `root` serves to suggest the file column.

    Raises:
        UserError: a required column is missing or ambiguous.
    """
    if text == EXACT:
        return _exact(table, root)
    given, found = parse_columns(text), dict.fromkeys(PARTS, "")
    labels: tuple[str, ...] = ()
    for part, name in given.items():
        if part == "label" and name not in table.columns and "|" in name:
            labels = tuple(_named(table, "label", one.strip()) for one in name.split("|"))
        elif name:
            found[part] = _named(table, part, name)
    taken = {*found.values(), *labels}
    for part in PARTS:
        if part not in given:
            found[part] = _recognised(table, part, taken)
    labels = labels or ((found["label"],) if found["label"] else ())
    if found["file"] and not labels:
        others = {name for part, name in found.items() if part != "label"}
        labels = _one_per_class(table, others)
    lacking = [part for part, there in (("file", found["file"]), ("label", labels)) if not there]
    if lacking:
        _refuse(table, lacking, found, root)
    if found["split"]:
        found["split"] = split_column(table, found["split"], asked="split" in given)
    return Columns(found["file"], labels, found["subject"], found["mask"], found["split"])


def _exact(table: Table, root: Path) -> Columns:
    there = {part: part if part in table.columns else "" for part in PARTS}
    if lacking := [part for part in ("file", "label") if not there[part]]:
        _refuse(table, lacking, there, root)
    return Columns("file", ("label",), there["subject"], there["mask"], "")


def name_key(name: str) -> str:
    """Normalised column name, common to all spellings: `Image Path`, `image_path`."""
    return re.sub(r"[\s_.-]", "", plain(name))


def find_named(columns: Sequence[str], names: Iterable[str]) -> str:
    """Column with one of the names, in any spelling; "" for none or several."""
    alike = [column for column in columns if column and name_key(column) in {*names}]
    return alike[0] if len(alike) == 1 else ""


def _named(table: Table, part: str, name: str) -> str:
    if name in table.columns:
        return name
    alike = [one for one in table.columns if one and name_key(one) == name_key(name)]
    if len(alike) == 1:
        return alike[0]
    raise UserError(
        f"config.data.columns names the column {name!r} for the {part}, and the manifest "
        f"{str(table.path)!r} has {_shown(table.columns)}: name one of them"
    )


def _recognised(table: Table, part: str, taken: set[str]) -> str:
    """Column by name: exact, else in another spelling, else a synonym."""
    free = [name for name in table.columns if name and name not in taken]
    if part in free:
        return part
    for meant in ({part}, PARTS[part]):
        alike = [name for name in free if name_key(name) in meant]
        if len(alike) > 1:
            raise UserError(
                f"the manifest {str(table.path)!r} has the columns "
                f"{' and '.join(map(repr, alike))}, and which is the {part} cannot be known: say "
                f"{flag(KEY, as_csv([f'{part}={alike[0]}']))} ({FLAGS})"
            )
        if alike:
            return alike[0]
    return ""


def _one_per_class(table: Table, used: set[str]) -> tuple[str, ...]:
    """All other columns if they are indicators; () otherwise.

    Raises:
        UserError: they are, but some row has not exactly one 1.
    """
    names = tuple(
        name
        for name in table.columns
        if name and name not in used and not re.fullmatch(r"unnamed: ?[0-9]+", name.lower())
    )
    cells = [(line, [row[name].lower() for name in names]) for line, row in table.rows]
    # Indicator columns for train and test are a split, not classes.
    if len(names) < 2 or not cells or all(map(is_part, names)):
        return ()
    if any({*row} - _ONE - _ZERO for _, row in cells):
        return ()
    ones = {line: sum(cell in _ONE for cell in row) for line, row in cells}
    none, several = ([line for line, count in ones.items() if f(count)] for f in _FAULTS)
    if none or several:
        label = as_csv([f"label={'|'.join(names)}"])
        said = [
            f"{counted(len(lines), 'row')} {'has' if len(lines) == 1 else 'have'} {what} (line "
            f"{examples([str(line) for line in lines], _LINES_SHOWN)})"
            for lines, what in ((none, "no 1"), (several, "more than one"))
            if lines
        ]
        raise UserError(
            f"the columns {_few(names)} of the manifest {str(table.path)!r} hold 0 and 1, as with "
            f"one column for each class, but {' and '.join(said)}: correct them, or if these are "
            f"the classes say {flag(KEY, label)} ({FLAGS}) and leave such rows out with "
            "--config.data.on_bad=skip"
        )
    return names


_FAULTS = (lambda count: count == 0, lambda count: count > 1)


def _refuse(table: Table, lacking: Sequence[str], found: Mapping[str, str], root: Path) -> None:
    if cut := separator(table.columns):
        raise UserError(
            f"the manifest {str(table.path)!r} lacks {' and '.join(lacking)}: its first line names "
            f"{_shown(table.columns)}{cut}"
        )
    file = found["file"] or _likely_file(table, root) or "COLUMN"
    names = {"file": file, "label": found["label"] or "COLUMN"}
    used = {*found.values(), names["file"]}
    left = [name for name in table.columns if name and name not in used]
    if "label" in lacking and len(left) == 1 and names["file"] != "COLUMN":
        names["label"] = left[0]
    way = flag(KEY, as_csv([f"{part}={names[part]}" for part in lacking]))
    raise UserError(
        f"the manifest {str(table.path)!r} lacks {' and '.join(lacking)}: its first line must name "
        f"the columns file and label (and may name subject, mask and split), and names "
        f"{_shown(table.columns)}; say which is which with {way} ({FLAGS}), or rename them"
    )


def _shown(columns: Sequence[str]) -> str:
    return examples([name or "(no name)" for name in columns], 12) or "nothing"


def _few(names: Sequence[str]) -> str:
    return examples(list(names), 4)


def _likely_file(table: Table, root: Path) -> str:
    """First column with leading values that name files below `root`; "" for none."""
    for name in table.columns:
        values = [cells[name] for _, cells in table.rows[:_LINES_SHOWN]]
        if name and values and all(_is_there(root, value) for value in values):
            return name
    return ""


def _is_there(root: Path, value: str) -> bool:
    """True if the file exists, possibly with another suffix."""
    if not value or re.fullmatch(r"[0-9.,]{1,3}", value):
        return False
    try:
        path = root / value.replace("\\", "/")
        return path.is_file() or any(path.parent.glob(f"{_escaped(path.name)}.*"))
    except (OSError, ValueError):
        return False


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)
