"""Paired comparison of models on the same photographs, with intervals and tests.

Everything is paired: both models are judged with the same subject left out, so that what makes a
photograph hard for both cancels. Where a configuration was trained several times (several seeds),
its value is the mean over its runs, with every subject left out too: an interval then says what
other people would change, and the standard deviation over the runs what other seeds would.
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
    """Metrics of one configuration, over its s runs.

    Attributes:
        values: per metric, one value for each run; none where it is undefined, which hangs on the
            labels alone.
        left_out: per metric, the mean over the runs with each subject left out, float64 [units].
        right: number of its runs that give each photograph its true class, int64 [n].
        predicted: number of its runs that give each photograph each class, int64 [n, k].
        certainty: the true class's mean probability, float64 [n].
    """

    values: dict[str, list[float]]
    left_out: dict[str, NDArray[np.float64]]
    right: NDArray[np.int64]
    predicted: NDArray[np.int64]
    certainty: NDArray[np.float64]

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.values["accuracy"])

    def mean(self, metric: str) -> float | None:
        """Over the runs; None where it is undefined."""
        return float(np.mean(self.values[metric])) if self.values[metric] else None

    def sd(self, metric: str) -> float | None:
        """Standard deviation over the runs (of a sample, n - 1); None of fewer than two values."""
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
    """Judge the runs of one configuration.

    Args:
        labels: int [n], true classes.
        probabilities: float [n, k] of each run.
        unit: int [n], what each photograph is counted with, as `jackknife.subject_indices`.

    Raises:
        ValueError: as `metrics.classification.check_predictions`.
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
    """Paired difference of another configuration from the reference.

    Attributes:
        differences: per metric, other minus reference and its `intervals.t_interval`; None where
            the metric is undefined.
        worse: photographs on which the reference is right more often, those it loses most on
            first; with one run on each side, those that only the reference gets right.
        better: the same for the other configuration.
        crossed: photographs by the class that the reference (row) and the other (column) give
            them, float64 [k, k]; the mean over all pairs of their runs.
        mcnemar: p of `mcnemar`.
        by_subject: p of `intervals.t_test` of the accuracy: less than 0.05 where its interval
            leaves out 0.
    """

    differences: dict[str, Estimate | None]
    worse: tuple[int, ...]
    better: tuple[int, ...]
    crossed: NDArray[np.float64]
    mcnemar: float
    by_subject: float


def compare(reference: Summary, other: Summary) -> PairedDifference:
    """Compare two configurations that were judged with the same ``unit``."""
    differences = {name: _difference(reference, other, name) for name in METRICS}
    # Shares of the runs that are right, as whole numbers over a common denominator.
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
    """Other minus reference, and its interval."""
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
    """The least and the greatest difference of a metric."""
    least, greatest = bounds(metric, classes)
    return least - greatest, greatest - least


def mcnemar(worse: int, better: int) -> float:
    """Two-sided p of McNemar's exact test on the photographs that only one model gets right.

    Under the null hypothesis either model is the one with probability 1/2 (McNemar,
    Psychometrika 12, 1947; exact by the binomial distribution). It takes photographs for
    independent, which those of one subject are not: p is then too small. With several runs on a
    side, "right more often" takes the place of "alone right", and it is the sign test.
    """
    return float(stats.binomtest(worse, worse + better).pvalue) if worse + better else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjustment of the p-values of one family of tests, in their order.

    Rejecting where the result is at most α errs anywhere in the family with probability at most
    α, however the tests depend on each other (Holm, Scandinavian Journal of Statistics 6, 1979).
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order])
    return np.minimum(adjusted, 1).tolist()
