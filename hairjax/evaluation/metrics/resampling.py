"""Metrics of several configurations on resampled photographs or subjects, all at once.

What a metric needs of a set is a sum over its photographs: a confusion matrix, or losses. Sums are
kept for each unit (a subject, or a photograph of nobody known), so that thousands of resampled sets
are one matrix product. Every configuration and seed is evaluated on the same sets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hairjax.evaluation.metrics import classification as metrics

Floats = NDArray[np.float64]
RESAMPLES = 2000
SELECTED_BY = (*metrics.COUNT_METRICS, "log_loss")
"""Metrics to select by. The calibration error grows as a set gets smaller, so it is not one."""
_LOWER_IS_BETTER = ("mean_absolute_error", "log_loss")
_AT_ONCE = 2**24  # numbers of an intermediate array: 128 MB


def sign(metric: str) -> int:
    """1 if a higher value of the metric is better, else -1."""
    return -1 if metric in _LOWER_IS_BETTER else 1


def bootstrap_counts(units: int, resamples: int, seed: int) -> Floats:
    """Number of times that each unit is drawn, with replacement: float64 [resamples, units]."""
    drawn = np.random.default_rng(seed).integers(0, units, (resamples, units))
    place = drawn + units * np.arange(resamples)[:, None]
    counts = np.bincount(place.ravel(), minlength=resamples * units)
    return counts.reshape(resamples, units).astype(np.float64)


@dataclass(frozen=True, eq=False)
class UnitSums:
    """Sums over the photographs of each unit, for c configurations with one or more seeds each.

    Attributes:
        metric: one of `SELECTED_BY`.
        classes: number of classes, k.
        sums: float64 [units, runs, k · k or 1]: confusion matrix, or total log-loss.
        photographs: photographs of each unit, float64 [units].
        runs: number of seeds of each configuration, int64 [c]; their runs follow one another.
    """

    metric: str
    classes: int
    sums: Floats
    photographs: Floats
    runs: NDArray[np.int64]

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.photographs)

    @property
    def whole(self) -> Floats:
        """The metric of every run on all photographs, float64 [runs]."""
        return self._metric(self.sums.sum(0), self.photographs.sum())

    @property
    def left_out(self) -> Floats:
        """The metric of every run with each unit left out, float64 [units, runs]."""
        left = self.photographs.sum() - self.photographs
        return self._metric(self.sums.sum(0) - self.sums, left)

    def weighted(self, weights: Floats) -> Floats:
        """The metric of every run where each unit counts so many times.

        Args:
            weights: float64 [sets, units].

        Returns:
            float64 [sets, runs]; nan where it is undefined, and of a set without photographs.
        """
        flat = self.sums.reshape(self.units, -1)
        step = max(1, _AT_ONCE // (flat.shape[1] or 1))
        parts = [
            self._metric(
                (part @ flat).reshape(len(part), *self.sums.shape[1:]), part @ self.photographs
            )
            for part in np.split(weights, range(step, len(weights), step))
        ]
        return np.concatenate(parts)

    def seed_means(self, values: Floats) -> Floats:
        """Mean over the seeds of each configuration: [..., runs] → [..., c]."""
        starts = np.cumsum(self.runs) - self.runs
        return np.add.reduceat(values, starts, axis=-1) / self.runs

    def _metric(self, sums: Floats, photographs: ArrayLike) -> Floats:
        """[..., runs, cells], [...] → [..., runs]."""
        count = np.asarray(photographs, np.float64)[..., None]
        with np.errstate(invalid="ignore"):
            if self.metric == "log_loss":
                return sums[..., 0] / count
            confusions = sums.reshape(*sums.shape[:-1], self.classes, self.classes)
            values = metrics.COUNT_METRICS[self.metric](confusions)
        return np.where(count > 0, values, np.nan)


def sum_by_unit(
    metric: str,
    labels: ArrayLike,
    configurations: Sequence[Sequence[ArrayLike]],
    unit: NDArray[np.int64],
) -> UnitSums:
    """Sum what a metric needs over the photographs of each unit.

    Args:
        metric: one of `SELECTED_BY`.
        labels: int [n], true classes.
        configurations: probabilities, float [n, k], of each seed of each configuration, for the
            same photographs in the same order.
        unit: int [n], as `jackknife.subject_indices`.

    Raises:
        ValueError: another metric, no configuration or one without seeds, or as
            `metrics.classification.check_predictions`.
    """
    if metric not in SELECTED_BY:
        raise ValueError(f"nothing is selected by {metric}; known: {', '.join(SELECTED_BY)}")
    if not configurations or not all(map(len, configurations)):
        raise ValueError("every configuration needs the predictions of one seed or more")
    judged = [metrics.check_predictions(labels, p) for seeds in configurations for p in seeds]
    k, units = judged[0][1].shape[1], int(unit.max()) + 1
    cells = 1 if metric == "log_loss" else k * k
    sums = np.zeros((units, len(judged), cells))
    for run, (true, p) in enumerate(judged):
        if metric == "log_loss":
            sums[:, run, 0] = np.bincount(unit, metrics.negative_log_likelihood(true, p))
        else:
            cell = true * k + p.argmax(1)
            counts = np.bincount(unit * cells + cell, minlength=units * cells)
            sums[:, run] = counts.reshape(units, cells)
    runs = np.array([len(seeds) for seeds in configurations])
    return UnitSums(metric, k, sums, np.bincount(unit).astype(np.float64), runs)
