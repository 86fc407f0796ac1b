"""Train, validation and test split: by subject, stratified by class, stored as CSV.

Photographs of one subject, and identical files, always stay together. A split can be given to
another run, so that TOP and SIDE of one person never land on different sides.
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
    "make a new split with --config.data.split= (or, of a data set that brings its own, "
    "--config.data.folds=5)"
)


def make_split(photoset: PhotoSet, fractions: Sequence[float], seed: int) -> np.ndarray:
    """Assign each photograph to train, validation or test, at random but for what must hold.

    No subject and no identical files (equal `sha256`) are ever parted; a photograph whose subject
    is "" is its own. Each class comes as near to `fractions` as that allows. The result depends
    on the photographs and the seed, not on the photographs' order.

    Args:
        photoset: the photographs.
        fractions: shares of train, validation and test, which sum to 1; test may be 0.
        seed: seed of the split.

    Returns:
        str [n]: "train", "validation" or "test".

    Raises:
        UserError: the fractions are unusable, or a class has too few subjects to be in both train
            and validation.
    """
    split = np.array(SPLITS)[divide(photoset, _shares(fractions), seed, needed=2)]
    _require_classes(photoset, split)
    return split


def make_folds(photoset: PhotoSet, folds: int, fold: int, seed: int) -> np.ndarray:
    """Cross-validation: one of several equal parts tests, the next selects, the others train.

    Over all values of ``fold`` each photograph tests once and selects once. What must hold is what
    `make_split` says.

    Args:
        photoset: the photographs.
        folds: number of parts, 3 or more.
        fold: index of the part that tests, 0 … ``folds`` - 1.
        seed: seed of the division.

    Returns:
        str [n]: "train", "validation" or "test".

    Raises:
        UserError: a class has too few subjects to be in every part.
    """
    part = divide(photoset, np.full(folds, 1 / folds), seed, needed=folds)
    for label, name in enumerate(photoset.classes):
        held = len(set(part[photoset.labels == label]))
        if held < folds:
            raise UserError(
                f"the class {name!r} is in {held} of config.data.folds={folds} parts: photographs "
                "of at least so many subjects are needed in each class; take fewer folds"
            )
    names = np.full(folds, "train", dtype=f"<U{max(map(len, SPLITS))}")
    names[(fold + 1) % folds], names[fold] = "validation", "test"
    return names[part]


def draw_part(
    photoset: PhotoSet, split: np.ndarray, part: str, fractions: Sequence[float], seed: int
) -> np.ndarray:
    """Take a part that a split lacks from its training photographs, as `make_split` would.

    Args:
        photoset: the photographs.
        split: str [n].
        part: "validation" or "test".
        fractions: shares of train, validation and test, of which those of train and the part count,
            in proportion.
        seed: seed of the division.

    Returns:
        str [n]: the split with that part.

    Raises:
        UserError: as in `make_split`.
    """
    train, shares = np.flatnonzero(split == "train"), dict(zip(SPLITS, fractions, strict=True))
    whole = shares["train"] + shares[part]
    drawn = make_split(
        photoset.subset(train), (shares["train"] / whole, shares[part] / whole, 0), seed
    )
    found = split.astype(f"<U{max(map(len, SPLITS))}")
    found[train[drawn == "validation"]] = part
    return found


def check_split(photoset: PhotoSet, split: np.ndarray) -> None:
    """Refuse a split (str [n]) on which nothing can be trained or nothing it measures believed.

    Raises:
        UserError: a name is not a split's, a subject or identical files are in two splits, or a
            class is missing from train or validation.
    """
    if len(split) != len(photoset):
        raise ValueError(f"{len(split)} splits are given for {len(photoset)} photographs")
    _require_names(split, "the split")
    require_together(photoset.subjects, split, "the split")
    require_one_copy(photoset.files, photoset.sha256, split, "the split")
    _require_classes(photoset, split)


def write_split(path: Path, photoset: PhotoSet, split: np.ndarray) -> None:
    """Write the split (str [n]) as CSV: file, label (the class's name), subject, sha256, split.

    The file is whole or absent, whatever interrupts the writing.
    """
    write_rows(path, split_rows(photoset, split))


def split_rows(photoset: PhotoSet, split: np.ndarray) -> list[dict[str, str]]:
    """Rows that `write_split` writes, value by column."""
    labels = [photoset.classes[label] for label in photoset.labels]
    columns = (photoset.files, labels, photoset.subjects, photoset.sha256, map(str, split))
    cells = zip(*columns, strict=True)
    return [dict(zip(_COLUMNS, row, strict=True)) for row in cells]


def write_rows(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write rows for `read_rows` to read."""
    write_csv(path, _COLUMNS, ([row[name] for name in _COLUMNS] for row in rows))


def read_split(path: Path, photoset: PhotoSet, form: Callable[[str], str] = str) -> np.ndarray:
    """Return the split (str [n]) that a file written by `write_split` gives `photoset`.

    A photograph whose contents (`sha256`) are listed, under whatever name, belongs where they are
    listed; any other belongs where its subject is. So a split of TOP divides SIDE by person.

    Args:
        path: the file.
        photoset: the photographs.
        form: makes of the name of a subject in the file the one that `photoset` has for it.

    Raises:
        UserError: the file is not such a split, parts a subject, or does not say where each
            photograph belongs.
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
            f"{str(path)!r} does not say to which split {len(unknown):,} of {len(photoset):,} "
            f"photographs belong, neither by their contents nor by their subjects: "
            f"{examples(unknown, _EXAMPLES)}; {NEW_SPLIT}"
        )
    return np.array(split, dtype=f"<U{max(map(len, SPLITS))}")


def read_own_split(path: Path, photoset: PhotoSet) -> np.ndarray:
    """The split (str [n]) that a run has written of just these photographs.

    Raises:
        UserError: as `require_same_photographs` and `read_split`.
    """
    require_same_photographs(path, photoset)
    return read_split(path, photoset)


def require_same_photographs(path: Path, photoset: PhotoSet) -> None:
    """Refuse photographs that are not exactly those of the split a run has written.

    Raises:
        UserError: files are missing, new, or have other contents or labels; examples are named.
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
    refuse_others("photographs", kinds)


def refuse_others(what: str, kinds: Mapping[str, Sequence[str]]) -> None:
    """Refuse files that a run did not begin with.

    Args:
        what: what they are, in the plural.
        kinds: in what they differ → their names; empty lists are no difference.

    Raises:
        UserError: one list is not empty; examples are named.
    """
    if any(kinds.values()):
        found = "; ".join(
            f"{len(files):,} {kind} ({examples(files, _EXAMPLES)})"
            for kind, files in kinds.items()
            if files
        )
        raise UserError(
            f"the {what} are not those the run began with: {found}; restore them, or begin a new "
            "run with another --workdir"
        )


def _shares(fractions: Sequence[float]) -> np.ndarray:
    shares = np.array([float(fraction) for fraction in fractions])
    usable = len(shares) == len(SPLITS) and (shares[:2] > 0).all() and (shares >= 0).all()
    if not usable or abs(shares.sum() - 1) > 1e-6:
        raise UserError(
            f"config.data.fractions cannot be {tuple(fractions)}: give the shares of train, "
            "validation (both above 0) and test, which sum to 1, such as 0.8, 0.1, 0.1"
        )
    return shares


def _require_names(split: Iterable[str], source: str) -> None:
    unknown = sorted({*map(str, split)} - {*SPLITS})
    if unknown:
        raise UserError(
            f"{source} names {', '.join(map(repr, unknown[:_EXAMPLES]))}: a photograph is in one "
            f"of {', '.join(SPLITS)}"
        )


def _parted(keys: Sequence[str], split: Iterable[str]) -> list[str]:
    """Return the keys, other than "", that are in more than one split."""
    where = defaultdict(set)
    for key, name in zip(keys, split, strict=True):
        where[key].add(name)
    return sorted(key for key, names in where.items() if key and len(names) > 1)


def require_together(subjects: Sequence[str], split: Iterable[str], source: str) -> None:
    """Refuse a split that has photographs of one subject in two parts.

    Raises:
        UserError: names the subjects, and the split by ``source``.
    """
    if parted := _parted(subjects, split):
        raise UserError(
            f"{source} parts {counted(len(parted), 'subject')}, whose photographs resemble each "
            f"other: {examples(parted, _EXAMPLES)}; {NEW_SPLIT}"
        )


def require_one_copy(
    files: Sequence[str], sha256: Sequence[str], split: Iterable[str], source: str
) -> None:
    """Refuse a split that has identical files in two parts.

    Raises:
        UserError: names the files, and the split by ``source``.
    """
    split = list(split)
    if parted := _parted(sha256, split):
        copies = defaultdict(list)
        for file, contents, name in zip(files, sha256, split, strict=True):
            copies[contents].append(f"{file} ({name})")
        alike = [" = ".join(copies[contents]) for contents in parted]
        raise UserError(
            f"{source} parts identical files: {examples(alike, _EXAMPLES)}; {NEW_SPLIT}"
        )


def _require_classes(photoset: PhotoSet, split: np.ndarray) -> None:
    for label, name in enumerate(photoset.classes):
        held = {part: int((split[photoset.labels == label] == part).sum()) for part in SPLITS}
        if not (held["train"] and held["validation"]):
            raise UserError(
                f"the class {name!r} is not in both train and validation (photographs: "
                f"{', '.join(f'{part} {count}' for part, count in held.items())}): photographs of "
                "at least two subjects are needed in each class"
            )


def is_written_split(columns: Iterable[str]) -> bool:
    """True of the columns of a file that `write_split` writes, perhaps among others."""
    return {*_COLUMNS} <= {*columns}


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a file written by `write_split`, value by column.

    Raises:
        UserError: the file cannot be read or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, restval="")
            found = reader.fieldnames or ()
            if missing := [name for name in _COLUMNS if name not in found]:
                raise UserError(
                    f"{str(path)!r} lacks {', '.join(missing)}: a split has the columns "
                    f"{', '.join(_COLUMNS)}, and this file has {', '.join(found) or 'none'}"
                )
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"the split {str(path)!r} cannot be read as CSV in UTF-8 ({error}): correct "
            "--config.data.split"
        ) from error
