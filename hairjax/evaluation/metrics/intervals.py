"""95 % intervals of metrics on a set of photographs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from hairjax.evaluation.metrics import classification as metrics

LEVEL = 0.95
FEW = 30  # subjects, with fewer of which a bootstrap over them covers less than it says
Interval = tuple[float, float]


def resampled_metrics(
    labels: ArrayLike, probabilities: ArrayLike, unit: NDArray[np.int64], weights: NDArray
) -> dict[str, NDArray[np.float64]]:
    """The metrics of a confusion matrix and the log-loss, of every resampled set.

    Args:
        labels: int [n], true classes.
        probabilities: float [n, k], rows summing to one.
        unit: int [n], the index of what each photograph is drawn with, as `subject_indices`.
        weights: float [resamples, units], how often each unit is drawn.

    Returns:
        float64 [resamples] per metric, in the order of `metrics.classification.evaluate`.

    Raises:
        ValueError: as `metrics.classification.check_predictions`.
    """
    true, p = metrics.check_predictions(labels, probabilities)
    units = weights.shape[1]
    losses = np.bincount(unit, metrics.negative_log_likelihood(true, p), units)
    photographs = np.bincount(unit, minlength=units)
    resampled = resampled_confusions(true, p.argmax(1), p.shape[1], unit, weights)
    values = {name: metric(resampled) for name, metric in metrics.COUNT_METRICS.items()}
    return values | {"log_loss": (weights @ losses) / (weights @ photographs)}


def resampled_confusions(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: int,
    unit: NDArray[np.int64],
    weights: NDArray,
) -> NDArray[np.float64]:
    """The confusion matrix of every resampled set, float64 [resamples, k, k].

    A resampled set is a count per subject; all of its statistics are sums over subjects.
    """
    resamples, units = weights.shape
    confusions = np.zeros((units, classes, classes))
    np.add.at(confusions, (unit, labels, predicted), 1)
    return (weights @ confusions.reshape(units, classes**2)).reshape(resamples, classes, classes)


def subject_indices(subjects: Sequence[str]) -> NDArray[np.int64]:
    """Index of each photograph's unit: equal names share an index, every empty one has its own."""
    names = [(name, position if name == "" else -1) for position, name in enumerate(subjects)]
    index = {name: position for position, name in enumerate(dict.fromkeys(names))}
    return np.array([index[name] for name in names], np.int64)


def resampling_weights(units: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Counts of each unit in bootstrap resamples with replacement: [resamples, units].

    A subject is drawn with all of its photographs (the cluster bootstrap; Davison & Hinkley,
    "Bootstrap Methods and their Application", 1997, §3.8): those of one person resemble each other,
    and intervals that treat them as independent are too narrow. 2,000 draws are enough for two
    digits of a percentile.
    """
    generator = np.random.default_rng(seed)
    # float64, since numpy multiplies integer matrices without BLAS.
    return generator.multinomial(units, np.full(units, 1 / units), resamples).astype(np.float64)


def mean_interval(
    values: ArrayLike, subjects: Sequence[str], resamples: int, seed: int
) -> tuple[float, Interval | None]:
    """A mean over photographs and its interval, subjects resampled by `resampling_weights`.

    None where the resampled sets do not vary, as those of a single subject.

    Args:
        values: float [n].
        subjects: n names; "" where the subject is not known.
        resamples: number of resampled sets.
        seed: makes the interval reproducible.
    """
    array, unit = np.asarray(values, np.float64), subject_indices(subjects)
    weights = resampling_weights(int(unit.max()) + 1, resamples, seed)
    resampled = (weights @ np.bincount(unit, array)) / (weights @ np.bincount(unit))
    return float(array.mean()), percentiles(resampled) if np.ptp(resampled) > 0 else None


def wilson(successes: int, total: int) -> Interval:
    """Wilson's score interval of a proportion of independent trials.

    Unlike the bootstrap's, it stays honest at 0 and 1 and for a handful of photographs
    (Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
    1927). Photographs that share a subject are not independent: resample subjects for them.

    Raises:
        ValueError: not ``0 ≤ successes ≤ total``, or ``total`` is 0.
    """
    if not 0 <= successes <= total or total == 0:
        raise ValueError(f"no proportion: {successes} of {total}")
    interval = stats.binomtest(successes, total).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def percentiles(values: NDArray[np.float64]) -> Interval:
    """The ends between which the middle 95 % of values lie."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
