"""Two views of a subject, such as TOP and SIDE, as one sample; either may be missing."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet, Rows
from hairjax.data.sources.mask_rule import NOT_FOUND
from hairjax.system import console
from hairjax.system.errors import UserError, examples
from hairjax.system.wording import counted

MISSING = "none"  # file name of a missing view
_NOWHERE = -1  # row of a missing view
_EXAMPLES = 3


class Pairs:
    """Rows of two views, concatenated on access: uint8 [n, side, side, 8].

    RGB and mask of the first view, then of the second; a missing view is 0 throughout.
    """

    def __init__(
        self,
        views: tuple[np.ndarray | Rows, np.ndarray | Rows],
        rows: NDArray[np.int64],
    ):
        self.views = views
        self.rows = rows  # row of each pair in each view, int [n, 2]; -1: missing

    @property
    def on_disk(self) -> bool:
        return any(not isinstance(view, np.ndarray) and view.on_disk for view in self.views)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        side = self.views[0].shape[1]
        return len(self.rows), side, side, 8

    @property
    def nbytes(self) -> int:
        """Size in memory, in bytes."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        rows = self.rows[chosen]
        pixels = np.zeros((len(rows), *self.shape[1:]), np.uint8)
        for i, view in enumerate(self.views):
            present = np.flatnonzero(rows[:, i] != _NOWHERE)
            if len(present):
                pixels[present, ..., 4 * i : 4 * i + 4] = view[rows[present, i]]
        return pixels

    def subset(self, chosen: np.ndarray) -> "Pairs":
        """Select pairs by index, int [m]."""
        return Pairs(self.views, self.rows[chosen])


def pair_views(first: PhotoSet, second: PhotoSet) -> PhotoSet:
    """Pair the images of each subject in the order of their files; both sets have the same classes.

    n images of one view and m of the other make max(n, m) pairs; the shorter list repeats. A
    subject with one view has pairs without the other. The label is that of the first available
    view, the file both names.

    Raises:
        UserError: a subject is unknown, none has both views, or two share a file.
    """
    for photos, key in ((first, "photos"), (second, "second_photos")):
        _require_subjects(photos, key)
    rows_of = [_rows_by_subject(photos) for photos in (first, second)]
    if not rows_of[0].keys() & rows_of[1].keys():
        own_names, other_names = (examples(sorted(found), _EXAMPLES) for found in rows_of)
        raise UserError(
            "no subject has photographs in both config.data.photos and config.data.second_photos: "
            f"the first has {own_names}, the second {other_names}; "
            "config.data.subject must match the same names in both"
        )
    rows, subjects = [], []
    for subject in sorted(rows_of[0].keys() | rows_of[1].keys()):
        own, other = (found.get(subject, [_NOWHERE]) for found in rows_of)
        for i in range(max(len(own), len(other))):
            rows.append((own[i % len(own)], other[i % len(other)]))
            subjects.append(subject)
    pairs = np.array(rows, np.int64)
    lacking = (pairs == _NOWHERE).sum(axis=0)
    console.say(
        f"pairs of views: {len(rows):,} of {counted(len(set(subjects)), 'subject')}; the first "
        f"view is missing in {lacking[0]:,}, the second in {lacking[1]:,}"
    )
    both = pairs[(pairs != _NOWHERE).all(axis=1)]
    if conflicts := int(np.sum(first.labels[both[:, 0]] != second.labels[both[:, 1]])):
        console.say(
            f"{conflicts:,} of these pairs have different labels: that of the first view is used"
        )
    return PhotoSet(
        images=Pairs((first.images, second.images), pairs),
        labels=np.array([_label(first, second, *pair) for pair in rows], np.int32),
        files=tuple(f"{_file(first, a)} + {_file(second, b)}" for a, b in rows),
        subjects=tuple(subjects),
        sha256=tuple(_digest(first.sha256, second.sha256, *pair) for pair in rows),
        mask_sha256=(
            tuple(_digest(first.mask_sha256, second.mask_sha256, *pair) for pair in rows)
            if first.mask_sha256 and second.mask_sha256
            else ()
        ),
        classes=first.classes,
        has_masks=first.has_masks and second.has_masks,
        # Unknown if the views differ.
        mask_coding=first.mask_coding if first.mask_coding == second.mask_coding else "",
        white=first.white if first.white == second.white else 0,
        mask_facts=first.mask_facts if first.mask_facts == second.mask_facts else NOT_FOUND,
    )


def _require_subjects(photos: PhotoSet, key: str) -> None:
    if unknown := [f for f, s in zip(photos.files, photos.subjects, strict=True) if not s]:
        raise UserError(
            f"views are paired by subject, and {unknown[0]!r} in config.data.{key} has no known "
            "subject: give --config.data.subject=EXPRESSION to find it in the path"
        )
    owners: dict[str, str] = {}
    for file, subject, sha256 in zip(photos.files, photos.subjects, photos.sha256, strict=True):
        if owners.setdefault(sha256, subject) != subject:
            raise UserError(
                f"{file!r} of {subject!r} in config.data.{key} equals a file of "
                f"{owners[sha256]!r}: remove one, or give both the same subject"
            )


def _rows_by_subject(photos: PhotoSet) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for row in sorted(range(len(photos)), key=lambda row: photos.files[row]):
        found[photos.subjects[row]].append(row)
    return found


def _label(first: PhotoSet, second: PhotoSet, own: int, other: int) -> int:
    return int(first.labels[own] if own != _NOWHERE else second.labels[other])


def _file(photos: PhotoSet, row: int) -> str:
    return MISSING if row == _NOWHERE else photos.files[row]


def _digest(first: Sequence[str], second: Sequence[str], own: int, other: int) -> str:
    views = ((first, own), (second, other))
    parts = (MISSING if row == _NOWHERE else digests[row] for digests, row in views)
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()
