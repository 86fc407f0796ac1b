"""Leave-one-subject-out (jackknife) values of the metrics."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hairjax.evaluation.metrics import classification as metrics

Floats = NDArray[np.float64]


def subject_indices(subjects: Sequence[str]) -> NDArray[np.int64]:
    """Unit of each photograph, int64 [n]: one per subject name; every "" is its own unit."""
    names = [(name, position if name == "" else -1) for position, name in enumerate(subjects)]
    index = {name: position for position, name in enumerate(dict.fromkeys(names))}
    return np.array([index[name] for name in names], np.int64)


def left_out_sums(values: ArrayLike, unit: NDArray[np.int64]) -> Floats:
    """Sums of values [n] with each unit of ``unit`` [n] left out, float64 [units]."""
    sums = np.bincount(unit, np.asarray(values, np.float64))
    return sums.sum() - sums


def left_out_means(values: ArrayLike, unit: NDArray[np.int64]) -> Floats:
    """Means of values [n] with each unit of ``unit`` [n] left out, float64 [units].

    0 for a single unit.
    """
    photographs = left_out_sums(np.ones(len(unit)), unit)
    return left_out_sums(values, unit) / np.maximum(photographs, 1)


def left_out_confusions(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int, unit: NDArray[np.int64]
) -> Floats:
    """Confusion matrices with each unit left out, float64 [units, k, k]."""
    confusions = np.zeros((int(unit.max()) + 1, classes, classes))
    np.add.at(confusions, (unit, labels, predicted), 1)
    return confusions.sum(0) - confusions


def left_out_metrics(
    labels: ArrayLike, probabilities: ArrayLike, unit: NDArray[np.int64]
) -> dict[str, Floats]:
    """Count metrics and log-loss with each unit left out, float64 [units] per metric.

    Metrics in the order of `metrics.classification.evaluate`. An undefined kappa counts as 0, so
    that the interval shows the unit's influence. Labels int [n], probabilities float [n, k], unit
    int [n].

    Raises:
        ValueError: see `metrics.classification.check_predictions`.
    """
    true, p = metrics.check_predictions(labels, probabilities)
    confusions = left_out_confusions(true, p.argmax(1), p.shape[1], unit)
    values = {name: metric(confusions) for name, metric in metrics.COUNT_METRICS.items()}
    values["quadratic_kappa"] = np.nan_to_num(values["quadratic_kappa"])
    losses = metrics.negative_log_likelihood(true, p)
    return values | {"log_loss": left_out_means(losses, unit)}
