"""Classes of unequal size: each as often in every epoch, or with as much weight in the loss."""

import numpy as np


def balanced_order(seed: int, epoch: int, labels: np.ndarray) -> np.ndarray:
    """The order of an epoch in which every class comes equally often.

    An epoch is as long as without balance. The photographs of a class come in rounds that go on
    from epoch to epoch, each in an order of its own: a rare class comes several times in an epoch,
    a frequent one takes several epochs, and within a class none is preferred.

    Args:
        seed: seed of all orders.
        epoch: counted from 0; the order is a function of these three alone.
        labels: int [n], of the photographs that train.

    Returns:
        int [n]: indices of ``labels``.
    """
    classes = np.unique(labels)
    quota = -(-len(labels) // len(classes))
    taken = [
        _rounds(seed, epoch * quota, quota, int(label), np.flatnonzero(labels == label))
        for label in classes
    ]
    # What rounding up has added is dropped from the end, like the last partial batch.
    order = np.random.default_rng((seed, epoch)).permutation(np.concatenate(taken))
    return order[: len(labels)]


def _rounds(seed: int, start: int, count: int, label: int, members: np.ndarray) -> np.ndarray:
    """So many of a class's photographs, beginning at a place in its endless row of rounds."""
    first, last = start // len(members), (start + count - 1) // len(members)
    # Four numbers, since two are the seed of an epoch's order.
    orders = [
        np.random.default_rng((seed, label, number, 1)).permutation(members)
        for number in range(first, last + 1)
    ]
    place = start - first * len(members)
    return np.concatenate(orders)[place : place + count]


def class_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """The weight of each class in the loss: n / (classes × photographs of it), float32 [classes].

    Their mean over the photographs is 1. This is scikit-learn's ``class_weight="balanced"``.

    Args:
        labels: int [n], of the photographs that train; every class is among them.
        classes: number of classes.
    """
    # Here, since importing it takes a second, which every start would otherwise wait for.
    from sklearn.utils.class_weight import compute_class_weight

    weights = compute_class_weight("balanced", classes=np.arange(classes), y=labels)
    return weights.astype(np.float32)
