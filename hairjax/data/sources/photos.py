"""Finding photographs: a folder per class, or a CSV manifest, to entries with label, mask, subject.

Nothing is decoded here. What cannot be used is collected as `Problem`s, so that one report names
them all; what makes the whole set unusable (a missing folder, an unknown class) is raised at once.
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
from hairjax.data.sources.labels import leave_out_missing, missing_labels, require_no_opinions
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

    `spellings` are groups of labels that are nearly equal, whether or not they were merged,
    `masks` is how the masks were found, and `further` what else a manifest says.
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
    """Which photographs are looked for, and how.

    Attributes:
        photos: folder that holds a folder per class (searched recursively), or, with a manifest,
            the files that the manifest names.
        masks: folder that holds the masks, under the photographs' relative paths and with any
            image suffix, or as the manifest's column `mask` says, or a file of annotations or the
            folder of such; "" means without masks.
        manifest: CSV file with the columns file, label, optionally subject, mask and split, or "".
        subject: regular expression searched in each relative path; its first group, or the whole
            match where it has none, is the subject. "" means the manifest's column `subject`, or
            unknown. Where both are given the expression decides.
        classes: the class names of an earlier run, to which every label must belong, or None to
            find them.
        need_masks: True if the model reads the mask, so that a missing `masks` is an error.
        given: the class names that the user gave, in order; () to tell the order from the names.
        merge: True to make one class of names that are nearly equal, False to keep them apart.
        mask_rule: how masks are looked for.
        columns: which column of the manifest says what, as `data.columns`.
        prefix: what to drop at the start of the manifest's paths, as `data.prefix`.
        in_parts: True if the class folders are in folders of a split: train, valid, test.
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
    """Find every photograph with its label, subject and mask, without decoding any.

    Raises:
        UserError: a folder or the manifest is missing or unusable, the expression is invalid,
            there are fewer than two classes, they may not be the outer folders, a class folder
            is empty, a label is not one of `classes`, labels are no classes but measured, masks
            are needed and not given, or not one photograph has a mask.
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
            require_no_opinions(given, where)
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
    """Leave out what lies in a folder of masks that is inside the folder of photographs."""
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
    """Return the rows without those that are masks beside the photographs."""
    for file, has_photograph in masks.beside.items():
        if not has_photograph:
            problems.append(Problem(shown(root / file), unowned(masks.facts), ""))
    return [row for row in rows if row.file not in masks.beside]


def unowned(facts: MaskFacts) -> str:
    """Return the kind of problem of a mask beside the photographs that is of none of them."""
    return f"named as masks are ({facts.name}), and there is no photograph of it"


def _require_any_mask(place: str, masks: Masks, rows: list[Row], problems: list[Problem]) -> None:
    """Refuse a folder of masks in which not one photograph has its own."""
    if rows and sum(problem.kind == NO_MASK for problem in problems) == len(rows):
        raise UserError(
            f"no photograph has a mask below {place!r}: the mask of {rows[0].file!r} would be "
            f"{masks.expected(rows[0])}; correct --config.data.masks, or {HOW}"
        )


def _mask_place(value: str) -> Path:
    """Return the folder of masks, or a file of annotations."""
    return _folder(value, "masks") if mask_folder(value) else Path(value).expanduser()


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
    """Return an entry, ordered by file, for each row whose subject and mask are found."""
    entries = []
    # By mask, the photographs that have it by their name: `a.jpg` and `a.png` may be two.
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
