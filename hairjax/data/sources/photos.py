"""Finding photographs: a folder per class, or a CSV manifest, to entries with label, mask, subject.

Nothing is decoded here. What cannot be used is collected as `Problem`s, so that one report names
them all; what makes the whole set unusable (a missing folder, an unknown class) is raised at once.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath

from hairjax.data.sources.classes import class_names, label_index, require_classes_on_top
from hairjax.data.sources.folders import walk_classes, walk_parts
from hairjax.data.sources.formats import SUFFIXES
from hairjax.data.sources.labels import leave_out_missing, missing_labels, require_no_opinions
from hairjax.data.sources.lookup import Lookup, leads_outside, missing, one_form
from hairjax.data.sources.manifest import Manifest, Row, read_manifest
from hairjax.data.sources.problems import PhotoError, Problem, shown
from hairjax.data.sources.record import File
from hairjax.data.sources.spelling import Spellings, most_frequent, near_equal_classes
from hairjax.data.sources.subjects import compile_subject, subject_of
from hairjax.system.errors import UserError
from hairjax.system.paths import nearest_path

_NO_MASK = "no mask"


@dataclass(frozen=True)
class Entry:
    """One photograph that was found.

    `file` is its name in every output: the path below the photographs' folder, with `/`.
    `mask` is None where masks are not asked for, `subject` is "" where unknown, and `label` is
    an index into the classes, -1 where it is not known.
    """

    file: str
    path: File
    mask: File | None
    label: int
    subject: str


@dataclass(frozen=True)
class Index:
    """Photographs found: usable entries ordered by `file`, and the problems beside them.

    `spellings` are groups of labels that are nearly equal, whether or not they were merged.
    """

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    classes: tuple[str, ...]
    has_masks: bool
    spellings: Spellings = ()


def find_photos(
    *,
    photos: str,
    masks: str,
    manifest: str,
    subject: str,
    classes: tuple[str, ...] | None,
    need_masks: bool,
    given: tuple[str, ...] = (),
    merge: bool = False,
    columns: str = "",
    prefix: str = "",
    in_parts: bool = False,
) -> Index:
    """Find every photograph with its label, subject and mask, without decoding any.

    Args:
        photos: folder that holds a folder per class (searched recursively), or, with a manifest,
            the files that the manifest names.
        masks: folder that holds the masks, under the photographs' relative paths and with any
            image suffix, or as the manifest's column `mask` says; "" means without masks.
        manifest: CSV file with the columns file, label, optionally subject, mask and split, or "".
        subject: regular expression searched in each relative path; its first group, or the whole
            match where it has none, is the subject. "" means the manifest's column `subject`, or
            unknown. Where both are given the expression decides.
        classes: the class names of an earlier run, to which every label must belong, or None to
            find them.
        need_masks: True if the model reads the mask, so that a missing `masks` is an error.
        given: the class names that the user gave, in order; () to tell the order from the names.
        merge: True to make one class of names that are nearly equal, False to keep them apart.
        columns: which column of the manifest says what, as `data.columns`.
        prefix: what to drop at the start of the manifest's paths.
        in_parts: True if the class folders are in folders of a split: train, valid, test.

    Raises:
        UserError: a folder or the manifest is missing or unusable, the expression is invalid,
            there are fewer than two classes, they may not be the outer folders, a class folder
            is empty, a label is not one of `classes`, labels are no classes but measured, masks
            are needed and not given, or not one photograph has a mask.
    """
    _require_masks_given(masks, need_masks)
    root = _folder(photos, "photos")
    mask_root = _folder(masks, "masks") if masks else None
    pattern = compile_subject(subject)
    problems: list[Problem] = []
    where = manifest or photos
    if manifest:
        rows, labels = read_manifest(Manifest(manifest, columns, prefix), root, problems)
    elif in_parts:
        rows, labels = walk_parts(root, problems)
    else:
        rows, labels = walk_classes(root, problems)
        if classes is None:
            require_classes_on_top(photos, rows, given)
    missing = missing_labels(labels, classes or given)
    rows = leave_out_missing(rows, missing, root, problems)
    labels = [label for label in labels if label not in missing]
    spellings: Spellings = ()
    if classes is None:
        spellings = near_equal_classes(labels)
        form = most_frequent(spellings if merge else (), [row.label for row in rows])
        if not given:
            require_no_opinions([row.label for row in rows], where)
        names = class_names([form.get(one, one) for one in labels], given, where, missing)
        label_of = {label: label_index(form.get(label, label), names) for label in labels}
    else:
        names, label_of = classes, {label: label_index(label, classes) for label in labels}
    entries = _entries(rows, root, mask_root, pattern, label_of, problems)
    _require_any_mask(masks, rows, problems)
    return Index(entries, tuple(problems), names, bool(masks), spellings)


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
    try:
        # Path("") is the current folder, which nobody meant.
        if value and folder.is_dir():
            return folder
        what = "is not a folder" if value and folder.exists() else "does not exist"
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
    near = nearest_path(folder) if value else ""
    meant = f" (is it {near}?)" if near else ""
    raise UserError(
        f"the folder {value!r} {what}{meant}: give one with --config.data.{key}=FOLDER; of a "
        f"finished run correct data.{key} in its config.json"
    )


def _subject(pattern: re.Pattern[str] | None, row: Row, path: Path) -> str:
    if pattern is None:
        return one_form(row.subject)
    found = subject_of(pattern, row.file)
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
    mask_finder = None if mask_root is None else MaskFinder(mask_root)
    entries = []
    # By mask, the photographs that have it by their name: `a.jpg` and `a.png` may be two.
    named: dict[Path, list[Entry]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.file):
        path = root / row.file
        try:
            owner = _subject(pattern, row, path)
            mask = None if mask_finder is None else mask_finder.find(row, path)
        except PhotoError as error:
            problems.append(error.problem)
        else:
            entry = Entry(row.file, path, mask, label_of[row.label], owner)
            entries.append(entry)
            if mask and not row.mask:
                named[mask].append(entry)
    shared = {mask: found for mask, found in named.items() if len(found) > 1}
    for mask, found in shared.items():
        kind, others = "one mask for several photographs", ", ".join(one.file for one in found)
        problems += [Problem(shown(one.path), kind, f"{shown(mask)}: {others}") for one in found]
    unclear = {one.file for found in shared.values() for one in found}
    return tuple(entry for entry in entries if entry.file not in unclear)


def _mask_pattern(row: Row) -> str:
    return row.mask or f"{PurePosixPath(row.file).with_suffix('')}.*"


class MaskFinder:
    """Finds masks below a folder, which is listed once however many photographs ask."""

    def __init__(self, root: Path):
        self._lookup = Lookup(root)
        self._stems: dict[Path, dict[str, list[str]]] = {}

    def find(self, row: Row, path: Path) -> Path:
        """Return the mask of `row`, or raise PhotoError for the photograph `path`."""
        if row.mask:
            return self._listed(row, path)
        file = PurePosixPath(row.file)
        folder = self._lookup.find(file.parent.as_posix())
        try:
            names = self._names(folder).get(one_form(file.stem), [])
        except OSError as error:
            detail = f"{shown(folder)}: {error.strerror}"
            raise PhotoError(Problem(shown(path), "masks cannot be read", detail)) from error
        if len(names) > 1:
            raise PhotoError(Problem(shown(path), "several masks", ", ".join(names)))
        if not names:
            raise PhotoError(Problem(shown(path), _NO_MASK, f"{shown(folder / file.stem)}.*"))
        return folder / names[0]

    def _listed(self, row: Row, path: Path) -> Path:
        if leads_outside(row.mask):
            kind = "the mask is not a path below config.data.masks"
            raise PhotoError(Problem(shown(path), kind, row.mask))
        mask = self._lookup.find(row.mask)
        reason = missing(mask)
        if reason:
            raise PhotoError(Problem(shown(path), _NO_MASK, f"{shown(mask)}: {reason}"))
        return mask

    def _names(self, folder: Path) -> dict[str, list[str]]:
        """Map the stem of every image in `folder` to its names."""
        if folder not in self._stems:
            stems: dict[str, list[str]] = {}
            for name in chain.from_iterable(self._lookup.names(folder).values()):
                path = Path(name)
                if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                    stems.setdefault(one_form(path.stem), []).append(name)
            self._stems[folder] = stems
        return self._stems[folder]
