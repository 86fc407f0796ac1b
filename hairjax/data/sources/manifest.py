"""Read a manifest: images with label and optional subject and mask.

Unusable rows become `Problem`s; an unreadable manifest raises.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hairjax.data.sources.columns import EXACT, FLAGS, KEY, Columns, find_columns
from hairjax.data.sources.formats import SUFFIXES, UNREAD_SUFFIXES, usable_name
from hairjax.data.sources.listed import (
    MASKS,
    NO_FILE,
    OUTSIDE,
    Listed,
    ListedFile,
    parse_prefix,
    require_prefixes,
)
from hairjax.data.sources.problems import NO_LABEL, Problem, shown
from hairjax.data.sources.table import Table, read_table
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.wording import flag

_HINTS = 20  # missing files with a hint at a similar name: as many as are shown


@dataclass(frozen=True)
class Row:
    """Image of a class folder or manifest; `mask` is its path in the manifest, or ""."""

    file: str
    label: str
    subject: str
    mask: str


@dataclass(frozen=True)
class Manifest:
    """A manifest and its format.

    Attributes:
        path: CSV file; "" for none.
        columns: meaning of the columns, as `data.columns`.
        prefix: prefix to strip from paths, as `data.prefix`.
    """

    path: str
    columns: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class Further:
    """What else a manifest says of photographs, by file.

    Attributes:
        columns: its other columns: value by file, by column.
        split: name of the column that divides the photographs; "" for none.
        parts: what that says.
    """

    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    split: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)


NOTHING_FURTHER = Further()


@dataclass(frozen=True)
class _Contents:
    """Table, meaning of its columns, and resolved path of each row."""

    table: Table
    columns: Columns
    listed: Listed
    places: tuple[ListedFile, ...]


def read_manifest(
    manifest: Manifest, root: Path, problems: list[Problem]
) -> tuple[list[Row], list[str], Further]:
    """Rows with an existing image, all labels, and the other columns.

    Reports unusual names of columns and rules for paths.
    """
    contents = _contents(manifest, root)
    table = contents.table
    named = [cells[contents.columns.mask] for _, cells in table.rows if contents.columns.mask]
    require_prefixes(parse_prefix(manifest.prefix), [*contents.listed.named, *named])
    contents.listed.require_found()
    _tell(contents)
    too_long = "more cells than columns: put quotes around what has a comma in it"
    problems += [Problem(f"{table.path}, line {line}", too_long, "") for line in table.too_long]
    given = [contents.columns.label_of(cells) for _, cells in table.rows]
    listed: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for (line, _), place, (label, _) in zip(table.rows, contents.places, given, strict=True):
        listed[place.file].append((line, label))
    rows: list[Row] = []
    hints = 0
    for (line, cells), place, (label, fault) in zip(
        table.rows, contents.places, given, strict=True
    ):
        where, photo = f"{table.path}, line {line}", root / place.file
        if not place.file or not label:
            problems.append(Problem(where, NO_LABEL if place.file else "no file", fault))
        elif place.why_not == OUTSIDE:
            problems.append(Problem(where, OUTSIDE, place.detail))
        elif len(listed[place.file]) > 1:
            problems.append(_repeated(where, place.file, listed[place.file]))
        elif place.why_not:
            hint = _missing_hint(contents, place) if hints < _HINTS else ""
            hints += 1
            detail = f"line {line}: {place.detail}{hint}"
            problems.append(Problem(shown(photo), place.why_not, detail))
        elif photo.suffix.lower() not in SUFFIXES | UNREAD_SUFFIXES:
            problems.append(Problem(shown(photo), "not named like a photograph", ""))
        elif usable_name(photo, problems):
            rows.append(_row(cells, contents.columns, place.file, label))
    return rows, sorted({label for label, _ in given} - {""}), _further(contents)


def find_listed_masks(rows: Sequence[Row], folder: Path, manifest: Manifest) -> Listed | None:
    """Resolve a manifest's mask paths, and report an unusual rule; None if it has none.

    Raises:
        UserError: most of them have another prefix, or the masks are annotations.
    """
    paths = [row.mask for row in rows if row.mask]
    if not paths:
        return None
    if folder.is_file():
        raise UserError(
            f"config.data.masks is the file {str(folder)!r}, and the manifest names pictures as "
            f"masks, such as {paths[0]!r}: give their folder, or leave the column aside with "
            f"{flag(KEY, 'mask=')} ({FLAGS})"
        )
    listed = Listed(paths, folder, manifest.prefix, manifest.columns == EXACT, MASKS)
    listed.require_start()
    if listed.said:
        console.say(f"manifest, masks: {listed.said}")
    return listed


def read_columns(manifest: Manifest, photos: str) -> Mapping[str, Mapping[str, str]]:
    """Other columns of the manifest: value by file, by column; {} without a manifest.

    Returns:
        Value by file, by column.

    Raises:
        UserError: the manifest is unreadable.
    """
    if not manifest.path:
        return {}
    return _further(_contents(manifest, Path(photos).expanduser())).columns


def _further(contents: _Contents) -> Further:
    columns: dict[str, dict[str, str]] = {}
    parts: dict[str, str] = {}
    split = contents.columns.split
    for (_, cells), place in zip(contents.table.rows, contents.places, strict=True):
        for name, cell in cells.items():
            if name and name not in contents.columns.used:
                columns.setdefault(name, {})[place.file] = cell
        if split:
            parts[place.file] = cells[split]
    return Further(columns, split, parts)


def _contents(manifest: Manifest, root: Path) -> _Contents:
    table = read_table(Path(manifest.path).expanduser(), "manifest", "manifest")
    columns = find_columns(table, manifest.columns, root)
    paths = [cells[columns.file] for _, cells in table.rows]
    listed = Listed(paths, root, manifest.prefix, exact=manifest.columns == EXACT)
    return _Contents(
        table,
        columns,
        listed,
        tuple(listed.place(path) if path else ListedFile("") for path in paths),
    )


def _tell(contents: _Contents) -> None:
    said = [part for part in (contents.columns.describe(), contents.listed.said) if part]
    if said:
        console.say(f"manifest: {'; '.join(said)}")


def _repeated(where: str, file: str, listed: Sequence[tuple[int, str]]) -> Problem:
    """Problem of an image listed several times: (line, label) of each row."""
    labels = sorted({label for _, label in listed if label})
    said = f"{file} in lines {', '.join(str(line) for line, _ in listed)}"
    if len(labels) > 1:
        said += f", labelled {' and '.join(labels)}"
    return Problem(where, "listed more than once in the manifest", said)


def _missing_hint(contents: _Contents, place: ListedFile) -> str:
    if place.why_not != NO_FILE:
        return ""
    there = contents.listed.hint(place.file)
    return f"; {there}" if there else " (write / and not \\)" if "\\" in place.file else ""


def _row(cells: Mapping[str, str], columns: Columns, file: str, label: str) -> Row:
    subject = cells[columns.subject] if columns.subject else ""
    mask = cells[columns.mask] if columns.mask else ""
    return Row(file, label, subject, mask)
