"""Leakage of a split: subjects of the training photographs nearest to validation photographs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors


def same_subject(
    small: NDArray[np.uint8], subjects: Sequence[str], split: NDArray[np.str_]
) -> float | None:
    """Share of validation photographs whose nearest training photograph shows the same subject.

    Near is meant as by `baselines.nearest_neighbour`. With a split by subject the share is 0.

    Args:
        small: thumbnails, uint8 [n, …].
        subjects: whose photographs they are; "" where it is not known.
        split: str [n].

    Returns:
        The share, or None where no subject of a validation photograph is known.
    """
    names = np.array(subjects)
    train = np.flatnonzero(split == "train")
    asked = np.flatnonzero((split == "validation") & (names != ""))
    if not len(asked) or not len(train):
        return None
    flat = small.reshape(len(small), -1).astype(np.float32)
    nearest = NearestNeighbors(n_neighbors=1).fit(flat[train])
    neighbour = nearest.kneighbors(flat[asked], return_distance=False)[:, 0]
    return float(np.mean(names[train[neighbour]] == names[asked]))
