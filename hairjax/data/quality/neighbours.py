"""Leakage diagnostic: subjects of nearest neighbours across a split."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors


def same_subject(
    small: NDArray[np.uint8], subjects: Sequence[str], split: NDArray[np.str_]
) -> float | None:
    """Fraction of validation images with a nearest training image of the same subject.

    Distances between thumbnails, uint8 [n, …], as in `baselines.nearest_neighbour`; `split` is str
    [n]. 0 with a split by subject; None if no validation image has a known subject ("": unknown).
    """
    names = np.array(subjects)
    train = np.flatnonzero(split == "train")
    queries = np.flatnonzero((split == "validation") & (names != ""))
    if not len(queries) or not len(train):
        return None
    flat = small.reshape(len(small), -1).astype(np.float32)
    nearest = NearestNeighbors(n_neighbors=1).fit(flat[train])
    neighbour = nearest.kneighbors(flat[queries], return_distance=False)[:, 0]
    return float(np.mean(names[train[neighbour]] == names[queries]))
