"""The metrics with one subject left out at a time, from which intervals are made."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hairjax.evaluation.metrics import classification as metrics

Floats = NDArray[np.float64]


def subject_indices(subjects: Sequence[str]) -> NDArray[np.int64]:
    """Index of each photograph's unit: equal names share an index, every empty one has its own."""
    names = [(name, position if name == "" else -1) for position, name in enumerate(subjects)]
    index = {name: position for position, name in enumerate(dict.fromkeys(names))}
    return np.array([index[name] for name in names], np.int64)


def left_out_sums(values: ArrayLike, unit: NDArray[np.int64]) -> Floats:
    """The sum of values over the photographs of all units but one, float64 [units].

    Args:
        values: float [n].
        unit: int [n], as `subject_indices`.
    """
    sums = np.bincount(unit, np.asarray(values, np.float64))
    return sums.sum() - sums


def left_out_means(values: ArrayLike, unit: NDArray[np.int64]) -> Floats:
    """The mean of values over the photographs of all units but one, float64 [units].

    Of a single unit, which leaves no photograph, it is 0.

    Args:
        values: float [n].
        unit: int [n], as `subject_indices`.
    """
    photographs = left_out_sums(np.ones(len(unit)), unit)
    return left_out_sums(values, unit) / np.maximum(photographs, 1)


def left_out_confusions(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int, unit: NDArray[np.int64]
) -> Floats:
    """The confusion matrix of the photographs of all units but one, float64 [units, k, k]."""
    confusions = np.zeros((int(unit.max()) + 1, classes, classes))
    np.add.at(confusions, (unit, labels, predicted), 1)
    return confusions.sum(0) - confusions


def left_out_metrics(
    labels: ArrayLike, probabilities: ArrayLike, unit: NDArray[np.int64]
) -> dict[str, Floats]:
    """The metrics of a confusion matrix and the log-loss, of all units but one.

    Args:
        labels: int [n], true classes.
        probabilities: float [n, k], rows summing to one.
        unit: int [n], as `subject_indices`.

    Returns:
        float64 [units] per metric, in the order of `metrics.classification.evaluate`; 0 for kappa
        where the others are of one class, so that its interval tells how much hangs on the unit.

    Raises:
        ValueError: as `metrics.classification.check_predictions`.
    """
    true, p = metrics.check_predictions(labels, probabilities)
    confusions = left_out_confusions(true, p.argmax(1), p.shape[1], unit)
    values = {name: metric(confusions) for name, metric in metrics.COUNT_METRICS.items()}
    values["quadratic_kappa"] = np.nan_to_num(values["quadratic_kappa"])
    losses = metrics.negative_log_likelihood(true, p)
    return values | {"log_loss": left_out_means(losses, unit)}
