"""Paired comparison of models on the same photographs, with intervals and tests.

Both models are evaluated with the same subjects left out, so that common difficulty cancels. A
configuration with several seeds is represented by its mean over runs: the interval covers the
choice of subjects, the standard deviation over runs the choice of seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hairjax.evaluation.metrics.classification import bounds, evaluate
from hairjax.evaluation.metrics.intervals import (
    Estimate,
    Interval,
    metric_interval,
    t_interval,
    t_test,
)
from hairjax.evaluation.metrics.jackknife import left_out_metrics

METRICS = ("accuracy", "quadratic_kappa", "macro_f1", "mean_absolute_error", "log_loss")


@dataclass(frozen=True, eq=False)
class Summary:
    """Metrics of one configuration over its runs."""

    values: dict[str, list[float]]  # per metric, one value per run; empty where undefined
    # per metric, mean over runs with each subject left out, float64 [units]
    left_out: dict[str, NDArray[np.float64]]
    right: NDArray[np.int64]  # number of runs with the true class, int64 [n]
    predicted: NDArray[np.int64]  # number of runs per predicted class, int64 [n, k]
    certainty: NDArray[np.float64]  # mean probability of the true class, float64 [n]

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.values["accuracy"])

    def mean(self, metric: str) -> float | None:
        """Mean over the runs; None where undefined."""
        return float(np.mean(self.values[metric])) if self.values[metric] else None

    def sd(self, metric: str) -> float | None:
        """Sample standard deviation over the runs; None for fewer than two values."""
        values = self.values[metric]
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    def interval(self, metric: str) -> Interval | None:
        """95 % interval of the mean; None as in `intervals.metric_interval`."""
        classes = self.predicted.shape[1]
        return metric_interval(metric, self.mean(metric), self.left_out[metric], classes)


def summarise(
    labels: NDArray[np.integer],
    probabilities: Sequence[NDArray[np.floating]],
    unit: NDArray[np.int64],
) -> Summary:
    """Evaluate the runs of one configuration: labels int [n], probabilities float [n, k] per run.

    ``unit``: int [n], from `jackknife.subject_indices`.

    Raises:
        ValueError: see `metrics.classification.check_predictions`.
    """
    values = [evaluate(labels, p) for p in probabilities]
    left_out = [left_out_metrics(labels, p, unit) for p in probabilities]
    stacked = np.stack(probabilities)
    classes = np.eye(stacked.shape[2], dtype=np.int64)
    predicted = classes[stacked.argmax(2)].sum(0)
    photographs = np.arange(len(labels))
    return Summary(
        values={
            name: [value for one in values if (value := one[name]) is not None] for name in METRICS
        },
        left_out={name: np.mean([one[name] for one in left_out], axis=0) for name in METRICS},
        right=predicted[photographs, labels],
        predicted=predicted,
        certainty=stacked[:, photographs, labels].mean(0, dtype=np.float64),
    )


@dataclass(frozen=True, eq=False)
class PairedDifference:
    """Paired difference of a configuration from the reference.

    Attributes:
        differences: per metric, other minus reference with `intervals.t_interval`; None where
            undefined.
        worse: photographs with fewer right runs than the reference, largest loss first.
        better: photographs with more right runs, largest gain first.
        crossed: photographs by predicted class of reference (row) and other (column), float64 [k,
            k]; mean over all pairs of runs.
        mcnemar: p-value of `mcnemar`.
        by_subject: p-value of `intervals.t_test` of the accuracy.
    """

    differences: dict[str, Estimate | None]
    worse: tuple[int, ...]
    better: tuple[int, ...]
    crossed: NDArray[np.float64]
    mcnemar: float
    by_subject: float


def compare(reference: Summary, other: Summary) -> PairedDifference:
    """Compare two configurations summarised with the same ``unit``."""
    differences = {name: _difference(reference, other, name) for name in METRICS}
    # Shares of right runs as integers over a common denominator.
    runs = math.lcm(reference.runs, other.runs)
    gain = other.right * (runs // other.runs) - reference.right * (runs // reference.runs)
    order = np.lexsort((other.certainty - reference.certainty, gain))
    crossed = np.einsum("ni,nj->ij", reference.predicted, other.predicted)
    return PairedDifference(
        differences=differences,
        worse=tuple(int(i) for i in order if gain[i] < 0),
        better=tuple(int(i) for i in order[::-1] if gain[i] > 0),
        crossed=crossed / (reference.runs * other.runs),
        mcnemar=mcnemar(int((gain < 0).sum()), int((gain > 0).sum())),
        by_subject=_accuracy_test(reference, other),
    )


def _difference(reference: Summary, other: Summary, metric: str) -> Estimate | None:
    before, after = reference.mean(metric), other.mean(metric)
    if before is None or after is None:
        return None
    left_out = other.left_out[metric] - reference.left_out[metric]
    bounds = _bounds(metric, other.predicted.shape[1])
    return after - before, t_interval(after - before, left_out, bounds)


def _accuracy_test(reference: Summary, other: Summary) -> float:
    change = float(np.mean(other.values["accuracy"]) - np.mean(reference.values["accuracy"]))
    return t_test(change, other.left_out["accuracy"] - reference.left_out["accuracy"])


def _bounds(metric: str, classes: int) -> tuple[float, float]:
    least, greatest = bounds(metric, classes)
    return least - greatest, greatest - least


def mcnemar(worse: int, better: int) -> float:
    """Two-sided p-value of McNemar's exact test on the discordant photographs.

    McNemar, Psychometrika 12, 1947; exact by the binomial distribution. Assumes independent
    photographs: too small if subjects have several. With several runs, "right more often" replaces
    "right": the sign test.
    """
    return float(stats.binomtest(worse, worse + better).pvalue) if worse + better else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values of one family of tests, in the given order.

    Controls the family-wise error under any dependence (Holm, Scandinavian Journal of Statistics 6,
    1979).
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order])
    return np.minimum(adjusted, 1).tolist()
