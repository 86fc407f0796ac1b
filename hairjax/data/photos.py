"""Finding photographs: a folder per class, or a CSV manifest, to entries with label, mask, subject.

Nothing is decoded here. What cannot be used is collected as `Problem`s, so that one report names
them all; what makes the whole set unusable (a missing folder, an unknown class) is raised at once.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hairjax.data.formats import MASK_SUFFIXES, PHOTO_SUFFIXES, UNREAD_SUFFIXES, usable_name
from hairjax.data.manifest import Row, read_manifest
from hairjax.data.problems import PhotoError, Problem, shown
from hairjax.errors import UserError

_NO_MASK = "no mask"


@dataclass(frozen=True)
class Entry:
    """One photograph that was found.

    `file` is its name in every output: the path below the photographs' folder, with `/`.
    `mask` is None where masks are not asked for, `subject` is "" where unknown, and `label` is
    an index into the classes.
    """

    file: str
    path: Path
    mask: Path | None
    label: int
    subject: str


@dataclass(frozen=True)
class Index:
    """What was found: usable entries ordered by `file`, and the problems beside them."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    classes: tuple[str, ...]
    has_masks: bool


def find_photos(
    *,
    photos: str,
    masks: str,
    manifest: str,
    subject: str,
    classes: tuple[str, ...] | None,
    need_masks: bool,
) -> Index:
    """Find every photograph with its label, subject and mask, without decoding any.

    Args:
        photos: folder that holds a folder per class (searched recursively), or, with a manifest,
            the files that the manifest names.
        masks: folder that holds the masks, under the photographs' relative paths and with any
            image suffix, or as the manifest's column `mask` says; "" means without masks.
        manifest: CSV file with the columns file, label and optionally subject and mask, or "".
        subject: regular expression searched in each relative path; its first group, or the whole
            match where it has none, is the subject. "" means the manifest's column `subject`, or
            unknown. Where both are given the expression decides.
        classes: the class names of an earlier run, to which every label must belong, or None to
            find them: by number where each name has its own, else alphabetically.
        need_masks: whether the model reads the mask, so that a missing `masks` is an error.

    Raises:
        UserError: a folder or the manifest is missing or unusable, the expression is invalid,
            there are fewer than two classes, a class folder is empty, a label is not one of
            `classes`, masks are needed and not given, or not one photograph has a mask.
    """
    _require_masks_given(masks, need_masks)
    root = _folder(photos, "photos")
    mask_root = _folder(masks, "masks") if masks else None
    pattern = _compile(subject)
    problems: list[Problem] = []
    if manifest:
        rows, labels = read_manifest(Path(manifest).expanduser(), root, problems)
    else:
        rows, labels = _walk_classes(root, problems)
    names = _class_names(labels, manifest or photos) if classes is None else classes
    label_of = {label: _label(label, names) for label in labels}
    entries = _entries(rows, root, mask_root, pattern, label_of, problems)
    _require_any_mask(masks, rows, problems)
    return Index(entries, tuple(problems), names, bool(masks))


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Order class names by number where each has its own, else alphabetically.

    The number is the one that ends the name (`level_10`), else the first in it (`2 mild`).
    """
    names = sorted(set(names))
    numbers = [_number(name) for name in names]
    if None in numbers or len(set(numbers)) < len(numbers):
        return tuple(names)
    return tuple(sorted(names, key=lambda name: _number(name) or 0))


def _require_masks_given(masks: str, need_masks: bool) -> None:
    if need_masks and not masks:
        raise UserError(
            "the model reads hair masks: give their folder with "
            "--config.data.masks=FOLDER, or use the photographs alone with "
            "--config.model.in_channels=3"
        )


def _require_any_mask(masks: str, rows: list[Row], problems: list[Problem]) -> None:
    """Refuse a folder of masks in which not one photograph has its own."""
    if rows and sum(problem.kind == _NO_MASK for problem in problems) == len(rows):
        raise UserError(
            f"no photograph has a mask below {masks!r}: the mask of {rows[0].file!r} would be "
            f"{_mask_pattern(rows[0])!r} there; correct --config.data.masks"
        )


def _folder(value: str, key: str) -> Path:
    folder = Path(value).expanduser()
    # Path("") is the current folder, which nobody meant.
    if not value or not folder.is_dir():
        what = "is not a folder" if value and folder.exists() else "does not exist"
        raise UserError(f"the folder {value!r} {what}: give one with --config.data.{key}=FOLDER")
    return folder


def _compile(subject: str) -> re.Pattern[str] | None:
    try:
        return re.compile(subject) if subject else None
    except re.error as error:
        raise UserError(
            f"config.data.subject {subject!r} is not a regular expression: {error}; its first "
            r"group is the subject, as in --config.data.subject='/(\d+)_'"
        ) from error


def _subject(pattern: re.Pattern[str] | None, row: Row, path: Path) -> str:
    if pattern is None:
        return row.subject
    match = pattern.search(row.file)
    found = match and match.group(1 if pattern.groups else 0)
    if not found:
        raise PhotoError(
            Problem(
                shown(path), f"no subject: config.data.subject {pattern.pattern!r} finds none", ""
            )
        )
    return found


def _entries(
    rows: list[Row],
    root: Path,
    mask_root: Path | None,
    pattern: re.Pattern[str] | None,
    label_of: Mapping[str, int],
    problems: list[Problem],
) -> tuple[Entry, ...]:
    """Return an entry, ordered by file, for each row whose subject and mask are found."""
    mask_finder = None if mask_root is None else _MaskFinder(mask_root)
    entries = []
    for row in sorted(rows, key=lambda row: row.file):
        path = root / row.file
        try:
            owner = _subject(pattern, row, path)
            mask = None if mask_finder is None else mask_finder.find(row, path)
        except PhotoError as error:
            problems.append(error.problem)
        else:
            entries.append(Entry(row.file, path, mask, label_of[row.label], owner))
    return tuple(entries)


def _number(name: str) -> int | None:
    match = re.search("([0-9]+)$", name) or re.search("([0-9]+)", name)
    return int(match[1]) if match else None


def _label(label: str, classes: tuple[str, ...]) -> int:
    """Return the index of `label`, a class's name or the bare number of a class.

    A run trained on folders `level_0 …` reads a manifest that says 0 …, and the other way round.
    """
    if label in classes:
        return classes.index(label)
    same = [name for name in classes if _number(name) == _number(label) is not None]
    if len(same) == 1 and (label.isdecimal() or same[0].isdecimal()):
        return classes.index(same[0])
    raise UserError(
        f"the class {label!r} is not one of the run's classes: {', '.join(classes)}; rename its "
        "folder (or label), or move it elsewhere"
    )


def _class_names(labels: list[str], source: str) -> tuple[str, ...]:
    names = class_order(labels)
    if len(names) < 2:
        raise UserError(
            f"{source!r} holds {len(names)} class{'es' * (not names)} {', '.join(names)}: at least "
            "two are needed, each a folder of photographs or a label of the manifest"
        )
    return names


def _walk_classes(root: Path, problems: list[Problem]) -> tuple[list[Row], list[str]]:
    """List the photographs below each class folder of `root`, and those folders' names."""
    inside = [path for path in sorted(root.iterdir()) if not path.name.startswith(".")]
    folders = [path for path in inside if path.is_dir()]
    if not folders:
        raise UserError(
            f"{str(root)!r} holds no folders: put the photographs of each class in a folder of "
            "its own, such as level_0, level_1, or list them with --config.data.manifest=FILE"
        )
    loose = [
        path
        for path in inside
        if path not in folders and path.suffix.lower() in PHOTO_SUFFIXES | UNREAD_SUFFIXES
    ]
    problems += [Problem(shown(path), "in no class folder", "") for path in loose]
    rows: list[Row] = []
    for folder in folders:
        before = len(rows) + len(problems)
        rows += [
            Row(path.relative_to(root).as_posix(), folder.name, "", "")
            for path in _walk(folder, problems)
            if usable_name(path, problems)
        ]
        if len(rows) + len(problems) == before:
            raise UserError(
                f"the class folder {str(folder)!r} holds no photograph "
                f"({', '.join(sorted(PHOTO_SUFFIXES))}): fill it or remove it"
            )
    return rows, [folder.name for folder in folders]


def _walk(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    """Yield every visible file below `folder`, through symbolic links, each folder once."""

    def unreadable(error: OSError) -> None:
        problems.append(
            Problem(shown(Path(error.filename)), "folder cannot be read", error.strerror or "")
        )

    seen = set()
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=unreadable):
        seen.add(os.path.realpath(parent))
        # A link to a folder above would be walked for ever.
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(Path(parent, name)) not in seen
        )
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))


def _mask_pattern(row: Row) -> str:
    return row.mask or f"{PurePosixPath(row.file).with_suffix('')}.*"


class _MaskFinder:
    """Finds masks below a folder, which is listed once however many photographs ask."""

    def __init__(self, root: Path):
        self._root = root
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def find(self, row: Row, path: Path) -> Path:
        """Return the mask of `row`, or raise PhotoError for the photograph `path`."""
        if row.mask:
            mask = self._root / row.mask
            if mask.is_file():
                return mask
            raise PhotoError(Problem(shown(path), _NO_MASK, f"{shown(mask)} does not exist"))
        file = PurePosixPath(row.file)
        folder = self._root / file.parent
        names = self._names(folder).get(file.stem, [])
        if len(names) > 1:
            raise PhotoError(Problem(shown(path), "several masks", ", ".join(names)))
        if not names:
            raise PhotoError(Problem(shown(path), _NO_MASK, f"{shown(folder / file.stem)}.*"))
        return folder / names[0]

    def _names(self, folder: Path) -> dict[str, list[str]]:
        """Map the stem of every image in `folder` to its names."""
        if folder not in self._listed:
            names: dict[str, list[str]] = {}
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if path.suffix.lower() in MASK_SUFFIXES and not path.name.startswith("."):
                    names.setdefault(path.stem, []).append(path.name)
            self._listed[folder] = names
        return self._listed[folder]
