"""Class imbalance: balanced sampling and class weights."""

import numpy as np


def balanced_order(seed: int, epoch: int, labels: np.ndarray) -> np.ndarray:
    """Sample an epoch with equally frequent classes: indices into `labels` [n], int [n].

    Each class cycles through its images in random order, across epochs: rare classes repeat within
    an epoch, frequent ones take several. A function of the arguments; `epoch` counts from 0.
    """
    classes = np.unique(labels)
    quota = -(-len(labels) // len(classes))
    taken = [
        _rounds(seed, epoch * quota, quota, int(label), np.flatnonzero(labels == label))
        for label in classes
    ]
    # Drop the surplus of rounding up.
    order = np.random.default_rng((seed, epoch)).permutation(np.concatenate(taken))
    return order[: len(labels)]


def _rounds(seed: int, start: int, count: int, label: int, members: np.ndarray) -> np.ndarray:
    """Slice [start, start + count) of the endless sequence of shuffled class members."""
    first, last = start // len(members), (start + count - 1) // len(members)
    # Four numbers: two would be the seed of an epoch's order.
    orders = [
        np.random.default_rng((seed, label, number, 1)).permutation(members)
        for number in range(first, last + 1)
    ]
    place = start - first * len(members)
    return np.concatenate(orders)[place : place + count]


def class_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Class weights of the loss, n / (classes × class count): float32 [classes].

    Equal to scikit-learn's ``class_weight="balanced"``. `labels`, int [n], are those of the
    training images and hold every class; the mean weight of an image is 1.
    """
    # Imported here: it takes a second.
    from sklearn.utils.class_weight import compute_class_weight

    weights = compute_class_weight("balanced", classes=np.arange(classes), y=labels)
    return weights.astype(np.float32)
