"""Counts per class and split, and example images of each class."""

from collections import Counter

import numpy as np

from hairjax.data.photoset import PhotoSet
from hairjax.data.split import SPLITS
from hairjax.system.wording import counted

PER_CLASS = 3  # images of each class on the contact sheet
MOST_ROWS = 20  # of the contact sheet; with more classes, a subset of them


def count_table(photos: PhotoSet, split: np.ndarray) -> tuple[str, list[str], list[list[str]]]:
    """Counts of images and subjects by class and split: title, header, rows."""
    subjects = np.array(photos.subjects)
    known = subjects != ""

    def cell(chosen: np.ndarray) -> str:
        count = f"{np.sum(chosen):,}"
        return f"{count} ({len(set(subjects[chosen & known])):,})" if known.any() else count

    every = np.ones(len(photos), bool)
    parts = [*(split == name for name in SPLITS), every]
    rows = [
        [name, *(cell((photos.labels == label) & part) for part in parts)]
        for label, name in enumerate(photos.classes)
    ]
    title = "photographs (subjects)" if known.any() else "photographs; no known subjects"
    if known.any() and not known.all():
        title += f"; {counted(int(np.sum(~known)), 'photograph')} without a known subject"
    return title, ["", *SPLITS, "all"], [*rows, ["all", *(cell(part) for part in parts)]]


def example_photographs(photos: PhotoSet, train: np.ndarray, seed: int) -> np.ndarray:
    """Sample example indices from `train` by class, preferring different subjects: int [rows]."""
    classes = np.unique(photos.labels[train])
    if len(classes) > MOST_ROWS:  # evenly spaced, as classes may be ordered
        classes = classes[np.linspace(0, len(classes) - 1, MOST_ROWS).round().astype(int)]
    count = max(1, min(PER_CLASS, MOST_ROWS // len(classes)))
    order = np.random.default_rng(seed).permutation(train)
    chosen: list[int] = []
    for label in classes:
        counts: Counter[str] = Counter()
        turns = []
        for photo in order[photos.labels[order] == label]:
            # An image without a subject counts as a subject of its own.
            subject = photos.subjects[photo]
            turns.append((counts[subject], int(photo)))
            counts[subject] += bool(subject)
        chosen += [photo for _, photo in sorted(turns, key=lambda turn: turn[0])[:count]]
    return np.array(chosen)
