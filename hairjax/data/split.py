"""Train, validation and test split: by subject, stratified by class, stored as CSV.

A split may be reused by another run, so that TOP and SIDE of a subject share a part.
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hairjax.data.division import divide
from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.own_parts import is_part, part_of
from hairjax.system.errors import UserError, examples
from hairjax.system.files import write_csv
from hairjax.system.wording import counted

SPLITS = ("train", "validation", "test")
_COLUMNS = ("file", "label", "subject", "sha256", "split")
_EXAMPLES = 5
NEW_SPLIT = (
    "make a new split with --config.data.split= (or, for a data set with a split of its own, "
    "--config.data.folds=5)"
)


def make_split(photoset: PhotoSet, fractions: Sequence[float], seed: int) -> np.ndarray:
    """Split images at random into "train", "validation" and "test": str [n].

    Grouped by subject, stratified by class (see `divide`). `fractions` sum to 1; that of test may
    be 0.

    Raises:
        UserError: the fractions are invalid, or a class has too few subjects for both train and
            validation.
    """
    split = np.array(SPLITS)[divide(photoset, _shares(fractions), seed, needed=2)]
    _require_classes(photoset, split)
    return split


def make_folds(photoset: PhotoSet, folds: int, fold: int, seed: int) -> np.ndarray:
    """Cross-validation split, str [n]: fold ``fold`` tests, the next validates, the others train.

    Over all folds, 0 … ``folds`` - 1 with three or more, each image is tested once and validated
    once. Grouping as in `make_split`.

    Raises:
        UserError: a class has fewer subjects than folds.
    """
    part = divide(photoset, np.full(folds, 1 / folds), seed, needed=folds)
    for label, name in enumerate(photoset.classes):
        parts = len(set(part[photoset.labels == label]))
        if parts < folds:
            raise UserError(
                f"the class {name!r} is in {parts} of config.data.folds={folds} parts: each class "
                "needs at least as many subjects as folds; use fewer folds"
            )
    names = np.full(folds, "train", dtype=f"<U{max(map(len, SPLITS))}")
    names[(fold + 1) % folds], names[fold] = "validation", "test"
    return names[part]


def split_off_part(
    photoset: PhotoSet, split: np.ndarray, part: str, fractions: Sequence[float], seed: int
) -> np.ndarray:
    """Split a missing `part`, "validation" or "test", off the training images of a split, str [n].

    Uses the `fractions` of train and the part, as `make_split` would.

    Raises:
        UserError: as in `make_split`.
    """
    train, shares = np.flatnonzero(split == "train"), dict(zip(SPLITS, fractions, strict=True))
    whole = shares["train"] + shares[part]
    parts = make_split(
        photoset.subset(train), (shares["train"] / whole, shares[part] / whole, 0), seed
    )
    found = split.astype(f"<U{max(map(len, SPLITS))}")
    found[train[parts == "validation"]] = part
    return found


def check_split(photoset: PhotoSet, split: np.ndarray) -> None:
    """Raise if a split (str [n]) is invalid, leaks, or lacks a class.

    Raises:
        UserError: unknown part; a subject or identical files in two parts; a class missing from
            train or validation.
        ValueError: the lengths differ.
    """
    if len(split) != len(photoset):
        raise ValueError(f"{len(split)} splits are given for {len(photoset)} photographs")
    _require_names(split, "the split")
    require_together(photoset.subjects, split, "the split")
    require_one_copy(photoset.files, photoset.sha256, split, "the split")
    _require_classes(photoset, split)


def write_split(path: Path, photoset: PhotoSet, split: np.ndarray) -> None:
    """Write the split (str [n]) as CSV: file, label (class), subject, sha256, split; atomic."""
    write_rows(path, split_rows(photoset, split))


def split_rows(photoset: PhotoSet, split: np.ndarray) -> list[dict[str, str]]:
    """Rows of the CSV of `write_split`, value by column."""
    labels = [photoset.classes[label] for label in photoset.labels]
    columns = (photoset.files, labels, photoset.subjects, photoset.sha256, map(str, split))
    cells = zip(*columns, strict=True)
    return [dict(zip(_COLUMNS, row, strict=True)) for row in cells]


def write_rows(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write rows in the format of `read_rows`."""
    write_csv(path, _COLUMNS, ([row[name] for name in _COLUMNS] for row in rows))


def read_split(path: Path, photoset: PhotoSet, form: Callable[[str], str] = str) -> np.ndarray:
    """Read the split (str [n]) of `photoset` from a file of `write_split`.

    Images are matched by contents (`sha256`), then by subject; a split of TOP thus divides SIDE by
    person. `form` maps subject names of the file to those of `photoset`.

    Raises:
        UserError: the file is invalid, separates images of a subject, or lacks an image.
    """
    rows = read_rows(path)
    listed = [part_of(row["split"]) if is_part(row["split"]) else row["split"] for row in rows]
    _require_names(listed, str(path))
    owners = [form(row["subject"]) for row in rows]
    require_together(owners, listed, str(path))
    files = [row["file"] for row in rows]
    require_one_copy(files, [row["sha256"] for row in rows], listed, str(path))
    by_contents = {row["sha256"]: name for row, name in zip(rows, listed, strict=True)}
    by_subject = {owner: name for owner, name in zip(owners, listed, strict=True) if owner}
    known = {*files}
    split, unknown = [], []
    for file, subject, sha256 in zip(
        photoset.files, photoset.subjects, photoset.sha256, strict=True
    ):
        name = by_contents.get(sha256) or by_subject.get(subject)
        if name is None:
            unknown.append(f"{file} (changed since)" if file in known else file)
        else:
            split.append(name)
    if unknown:
        raise UserError(
            f"{str(path)!r} lists neither the contents nor the subject of {len(unknown):,} of "
            f"{len(photoset):,} photographs: {examples(unknown, _EXAMPLES)}; {NEW_SPLIT}"
        )
    return np.array(split, dtype=f"<U{max(map(len, SPLITS))}")


def read_own_split(path: Path, photoset: PhotoSet) -> np.ndarray:
    """Read the split (str [n]) of a run, for exactly its images.

    Raises:
        UserError: as `require_same_photographs` and `read_split`.
    """
    require_same_photographs(path, photoset)
    return read_split(path, photoset)


def require_same_photographs(path: Path, photoset: PhotoSet) -> None:
    """Raise if images differ from those in a run's split file.

    Raises:
        UserError: images are missing, new, renamed, or have other contents or labels.
    """
    listed = {row["file"]: (row["sha256"], row["label"]) for row in read_rows(path)}
    labels = (photoset.classes[label] for label in photoset.labels)
    present = dict(zip(photoset.files, zip(photoset.sha256, labels, strict=True), strict=True))
    both = listed.keys() & present.keys()
    missing, new = listed.keys() - present.keys(), present.keys() - listed.keys()
    now = {present[file][0]: file for file in new}
    renamed = {file: now[listed[file][0]] for file in missing if listed[file][0] in now}
    kinds = {
        "missing": sorted(missing - renamed.keys()),
        "new": sorted(new - {*renamed.values()}),
        "renamed": [f"{old} → {name}" for old, name in sorted(renamed.items())],
        "changed": sorted(file for file in both if listed[file][0] != present[file][0]),
        "with another label": sorted(file for file in both if listed[file][1] != present[file][1]),
    }
    require_same_files("photographs", kinds)


def require_same_files(noun: str, kinds: Mapping[str, Sequence[str]]) -> None:
    """Raise if files differ from those a run began with.

    `noun` is a plural noun for them, `kinds` their names by kind of difference.

    Raises:
        UserError: a list of names is not empty.
    """
    if any(kinds.values()):
        found = "; ".join(
            f"{len(files):,} {kind} ({examples(files, _EXAMPLES)})"
            for kind, files in kinds.items()
            if files
        )
        raise UserError(
            f"the {noun} differ from those the run began with: {found}; restore them, or start a "
            "new run with another --workdir"
        )


def _shares(fractions: Sequence[float]) -> np.ndarray:
    shares = np.array([float(fraction) for fraction in fractions])
    usable = len(shares) == len(SPLITS) and (shares[:2] > 0).all() and (shares >= 0).all()
    if not usable or abs(shares.sum() - 1) > 1e-6:
        raise UserError(
            f"config.data.fractions cannot be {tuple(fractions)}: give the fractions of train, "
            "validation (both above 0) and test, summing to 1, such as 0.8, 0.1, 0.1"
        )
    return shares


def _require_names(split: Iterable[str], source: str) -> None:
    unknown = sorted({*map(str, split)} - {*SPLITS})
    if unknown:
        raise UserError(
            f"{source} names {', '.join(map(repr, unknown[:_EXAMPLES]))}; the parts of a split are "
            f"{', '.join(SPLITS)}"
        )


def _parted(keys: Sequence[str], split: Iterable[str]) -> list[str]:
    where = defaultdict(set)
    for key, name in zip(keys, split, strict=True):
        where[key].add(name)
    return sorted(key for key, names in where.items() if key and len(names) > 1)


def require_together(subjects: Sequence[str], split: Iterable[str], source: str) -> None:
    """Raise if a split separates images of one subject.

    Raises:
        UserError: names the subjects and ``source``.
    """
    if parted := _parted(subjects, split):
        raise UserError(
            f"{source} separates photographs of {counted(len(parted), 'subject')}, which resemble "
            f"each other: {examples(parted, _EXAMPLES)}; {NEW_SPLIT}"
        )


def require_one_copy(
    files: Sequence[str], sha256: Sequence[str], split: Iterable[str], source: str
) -> None:
    """Raise if a split separates identical files.

    Raises:
        UserError: names the files and ``source``.
    """
    split = list(split)
    if parted := _parted(sha256, split):
        copies = defaultdict(list)
        for file, contents, name in zip(files, sha256, split, strict=True):
            copies[contents].append(f"{file} ({name})")
        alike = [" = ".join(copies[contents]) for contents in parted]
        raise UserError(
            f"{source} separates identical files: {examples(alike, _EXAMPLES)}; {NEW_SPLIT}"
        )


def _require_classes(photoset: PhotoSet, split: np.ndarray) -> None:
    for label, name in enumerate(photoset.classes):
        counts = {part: int((split[photoset.labels == label] == part).sum()) for part in SPLITS}
        if not (counts["train"] and counts["validation"]):
            raise UserError(
                f"the class {name!r} is not in both train and validation (photographs: "
                f"{', '.join(f'{part} {count}' for part, count in counts.items())}): each class "
                "needs photographs of at least two subjects"
            )


def is_written_split(columns: Iterable[str]) -> bool:
    """True if the columns include those of `write_split`."""
    return {*_COLUMNS} <= {*columns}


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a file of `write_split`: value by column.

    Raises:
        UserError: the file is unreadable or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, restval="")
            found = reader.fieldnames or ()
            if missing := [name for name in _COLUMNS if name not in found]:
                raise UserError(
                    f"{str(path)!r} lacks the columns {', '.join(missing)}: a split has "
                    f"{', '.join(_COLUMNS)}, this file {', '.join(found) or 'none'}"
                )
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"the split {str(path)!r} cannot be read as CSV in UTF-8 ({error}): correct "
            "--config.data.split"
        ) from error
