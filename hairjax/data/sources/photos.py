"""Find images in class folders or a CSV manifest: entries with label, mask and subject.

Nothing is decoded. Unusable files become `Problem`s, reported together; errors of the whole set
(missing folder, unknown class) raise immediately.
"""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from hairjax.data.sources.classes import class_names, label_index, require_classes_on_top
from hairjax.data.sources.folders import walk_classes, walk_parts
from hairjax.data.sources.labels import leave_out_missing, missing_labels, require_no_measurements
from hairjax.data.sources.lookup import one_form
from hairjax.data.sources.manifest import (
    NOTHING_FURTHER,
    Further,
    Manifest,
    Row,
    find_listed_masks,
    read_manifest,
)
from hairjax.data.sources.mask_names import HOW
from hairjax.data.sources.mask_rule import NOT_FOUND, TOLD, MaskFacts, MaskRule
from hairjax.data.sources.masks import Masks, mask_folder
from hairjax.data.sources.mixed import require_no_class_of_masks, require_no_masks_among
from hairjax.data.sources.problems import NO_MASK, PhotoError, Problem, shown
from hairjax.data.sources.record import File
from hairjax.data.sources.spelling import Spellings, most_frequent, near_equal_classes
from hairjax.data.sources.subjects import compile_subject, subject_of
from hairjax.system.errors import UserError
from hairjax.system.paths import nearest_path
from hairjax.system.wording import flag


@dataclass(frozen=True)
class Entry:
    """Image of a set.

    `file` is its name in every output: the path below the folder of images, with `/`. `mask` is
    None if not required, `subject` "" if unknown, `label` an index into the classes, -1 if unknown.
    """

    file: str
    path: File
    mask: File | None
    label: int
    subject: str


@dataclass(frozen=True)
class Index:
    """Usable entries, sorted by `file`, and problems of the others.

    `spellings` are groups of nearly equal labels, merged or not; `masks` is the rule by which masks
    were matched; `further` are the other columns of a manifest.
    """

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    classes: tuple[str, ...]
    has_masks: bool
    spellings: Spellings = ()
    masks: MaskFacts = NOT_FOUND
    further: Further = NOTHING_FURTHER


@dataclass(frozen=True)
class Search:
    """Images to find, and rules for their labels, subjects and masks.

    Attributes:
        photos: folder with one folder per class (recursive), or the folder of a manifest's files.
        masks: folder of masks, with the images' relative paths and any image suffix, or as in the
            manifest's column `mask`; or an annotation file or folder; "" for none.
        manifest: CSV file with columns file, label, optionally subject, mask and split; or "".
        subject: regular expression for the subject in the relative path, its first group if any; ""
            for the manifest's column `subject`, or unknown. Takes precedence over the column.
        classes: class names of a run, which all labels must match; None to find them.
        need_masks: True if the model reads masks.
        given: class names ordered by the user; () to infer the order.
        merge: True to merge nearly equal class names.
        mask_rule: rule for matching masks.
        columns: meaning of the manifest's columns, as `data.columns`.
        prefix: prefix to strip from the manifest's paths.
        in_parts: True if class folders are inside train, valid and test.
    """

    photos: str
    masks: str
    manifest: str
    subject: str
    classes: tuple[str, ...] | None
    need_masks: bool
    given: tuple[str, ...] = ()
    merge: bool = False
    mask_rule: MaskRule = TOLD
    columns: str = ""
    prefix: str = ""
    in_parts: bool = False


def find_photos(search: Search) -> Index:
    """Find images with label, subject and mask, without decoding.

    Raises:
        UserError: a folder or the manifest is missing or unusable, the expression is invalid,
            classes are fewer than two, ambiguous, empty, unknown or measurements, or masks are
            missing.
    """
    _require_masks_given(search)
    root = _folder(search.photos, "photos")
    place = _mask_place(search.masks) if search.masks else None
    pattern = compile_subject(search.subject)
    problems: list[Problem] = []
    further, listed = NOTHING_FURTHER, None
    if search.manifest:
        manifest = Manifest(search.manifest, search.columns, search.prefix)
        rows, labels, further = read_manifest(manifest, root, problems)
        listed = find_listed_masks(rows, place, manifest) if place else None
    else:
        rows, labels = _walk(search, root, place, problems)
    finder = None
    if place is not None:
        among = not search.manifest if os.path.realpath(place) == os.path.realpath(root) else None
        photos = {row.file: root / row.file for row in rows if not row.mask}
        finder = Masks(place, photos, search.mask_rule, among, listed)
        rows = _without_masks_beside(rows, root, finder, problems)
    absent = missing_labels(labels, search.classes or search.given)
    rows = leave_out_missing(rows, absent, root, problems)
    found = _Labels.of(search, rows, [label for label in labels if label not in absent], absent)
    entries = _entries(rows, root, finder, pattern, found.place, problems)
    if finder is not None:
        _require_any_mask(search.masks, finder, rows, problems)
    facts = finder.facts if finder else NOT_FOUND
    return Index(
        entries,
        tuple(problems),
        found.classes,
        finder is not None,
        found.spellings,
        facts,
        further,
    )


class _Labels(NamedTuple):
    """The classes, which of them each label is, and the labels that are nearly equal."""

    classes: tuple[str, ...]
    place: dict[str, int]
    spellings: Spellings

    @classmethod
    def of(
        cls, search: Search, rows: list[Row], labels: list[str], absent: Collection[str]
    ) -> "_Labels":
        """Find the classes of a set, or those of the run that its labels are."""
        if search.classes is not None:
            place = {label: label_index(label, search.classes) for label in labels}
            return cls(search.classes, place, ())
        given, where = [row.label for row in rows], search.manifest or search.photos
        spellings = near_equal_classes(labels)
        form = most_frequent(spellings if search.merge else (), given)
        if not search.given:
            require_no_measurements(given, where)
        names = class_names([form.get(one, one) for one in labels], search.given, where, absent)
        place = {label: label_index(form.get(label, label), names) for label in labels}
        return cls(names, place, spellings)


def _require_masks_given(search: Search) -> None:
    if search.need_masks and not search.masks:
        raise UserError(
            "the model reads hair masks: give their folder with "
            "--config.data.masks=FOLDER, or use the photographs alone with "
            "--config.model.in_channels=3"
        )


def _walk(
    search: Search, root: Path, masks: Path | None, problems: list[Problem]
) -> tuple[list[Row], list[str]]:
    """List the photographs of a folder per class, and the classes."""
    walk = walk_parts if search.in_parts else walk_classes
    rows, labels = without_masks(*walk(root, problems), root, masks)
    if search.classes is None and not search.in_parts:
        require_classes_on_top(search.photos, rows, search.given)
    if search.classes is None and not search.given:
        require_no_class_of_masks(labels)
    if masks is None:
        given = flag("config.data.masks", search.photos)
        advice = f"give {given} too (of check --masks)"
        require_no_masks_among({row.file: root / row.file for row in rows}, advice)
    return rows, labels


def without_masks(
    rows: list[Row], labels: list[str], root: Path, masks: Path | None
) -> tuple[list[Row], list[str]]:
    """Exclude a folder of masks inside the folder of images."""
    if masks is None or not masks.is_dir():
        return rows, labels
    inside = os.path.relpath(os.path.realpath(masks), os.path.realpath(root))
    if inside == os.curdir or inside.startswith(os.pardir):
        return rows, labels
    below = PurePosixPath(inside)
    left = [row for row in rows if below not in PurePosixPath(row.file).parents]
    return left, [label for label in labels if label != inside]


def _without_masks_beside(
    rows: list[Row], root: Path, masks: Masks, problems: list[Problem]
) -> list[Row]:
    """Rows without masks beside the images."""
    for file, has_photograph in masks.beside.items():
        if not has_photograph:
            problems.append(Problem(shown(root / file), unowned(masks.facts), ""))
    return [row for row in rows if row.file not in masks.beside]


def unowned(facts: MaskFacts) -> str:
    """Kind of problem of a mask without image."""
    return f"named as masks are ({facts.name}), and there is no photograph of it"


def _require_any_mask(place: str, masks: Masks, rows: list[Row], problems: list[Problem]) -> None:
    if rows and sum(problem.kind == NO_MASK for problem in problems) == len(rows):
        raise UserError(
            f"no photograph has a mask below {place!r}: the mask of {rows[0].file!r} would be "
            f"{masks.expected(rows[0])}; correct --config.data.masks, or {HOW}"
        )


def _mask_place(value: str) -> Path:
    return _folder(value, "masks") if mask_folder(value) else Path(value).expanduser()


def _folder(value: str, key: str) -> Path:
    folder = Path(value).expanduser()
    try:
        # Path("") would be the current folder.
        if value and folder.is_dir():
            return folder
        what = "is not a folder" if value and folder.exists() else "does not exist"
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
    near = nearest_path(folder) if value else ""
    meant = f" (is it {near}?)" if near else ""
    raise UserError(
        f"the folder {value!r} {what}{meant}: give one with --config.data.{key}=FOLDER; a run "
        "whose photographs have moved is told by --moved=OLD=NEW"
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
    masks: Masks | None,
    pattern: re.Pattern[str] | None,
    label_of: Mapping[str, int],
    problems: list[Problem],
) -> tuple[Entry, ...]:
    """Entries with subject and mask, sorted by file."""
    entries = []
    # Images by mask: `a.jpg` and `a.png` may share one.
    named: dict[File, list[Entry]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.file):
        path = root / row.file
        try:
            owner = _subject(pattern, row, path)
            mask = None if masks is None else masks.find(row, path)
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
