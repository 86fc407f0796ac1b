"""Paired comparison of models on the same photographs, with intervals and tests.

Everything is paired: both models are judged on the same resampled photographs, so that what makes
a photograph hard for both cancels. Where a configuration was trained several times (several
seeds), its value is the mean over its runs, within every resampled set too: an interval then says
what other people would change, and the standard deviation over the runs what other seeds would.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

from hairjax.evaluation.metrics.classification import evaluate
from hairjax.evaluation.metrics.intervals import Interval, percentiles, resampled_metrics

METRICS = ("accuracy", "quadratic_kappa", "macro_f1", "mean_absolute_error", "log_loss")
_ROUNDING = 1e-9  # of sums in another order


@dataclass(frozen=True, eq=False)
class Summary:
    """Metrics of one configuration, over its s runs.

    Attributes:
        values: per metric, one value for each run.
        resampled: per metric, the mean over the runs on every resampled set, float64 [resamples].
        right: number of its runs that give each photograph its true class, int64 [n].
        predicted: number of its runs that give each photograph each class, int64 [n, k].
        certainty: the true class's mean probability, float64 [n].
    """

    values: dict[str, list[float]]
    resampled: dict[str, NDArray[np.float64]]
    right: NDArray[np.int64]
    predicted: NDArray[np.int64]
    certainty: NDArray[np.float64]

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.values[METRICS[0]])

    def mean(self, metric: str) -> float:
        """Over the runs."""
        return float(np.mean(self.values[metric]))

    def sd(self, metric: str) -> float | None:
        """Standard deviation over the runs (of a sample, n - 1); None of a single one."""
        return float(np.std(self.values[metric], ddof=1)) if self.runs > 1 else None

    def interval(self, metric: str) -> Interval | None:
        """95 % interval of the mean; None as in `wide`."""
        return wide(self.resampled[metric])


def summarise(
    labels: NDArray[np.integer],
    probabilities: Sequence[NDArray[np.floating]],
    unit: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> Summary:
    """Judge the runs of one configuration.

    Args:
        labels: int [n], true classes.
        probabilities: float [n, k] of each run.
        unit: int [n], what each photograph is resampled with, as `intervals.subject_indices`.
        weights: float [resamples, units], as `intervals.resampling_weights`; the same for every
            configuration that is to be compared.

    Raises:
        ValueError: as `metrics.classification.check_predictions`.
    """
    values = [evaluate(labels, p) for p in probabilities]
    resampled = [resampled_metrics(labels, p, unit, weights) for p in probabilities]
    stacked = np.stack(probabilities)
    classes = np.eye(stacked.shape[2], dtype=np.int64)
    predicted = classes[stacked.argmax(2)].sum(0)
    photographs = np.arange(len(labels))
    return Summary(
        values={name: [one[name] for one in values] for name in METRICS},
        resampled={name: np.mean([one[name] for one in resampled], axis=0) for name in METRICS},
        right=predicted[photographs, labels],
        predicted=predicted,
        certainty=stacked[:, photographs, labels].mean(0, dtype=np.float64),
    )


@dataclass(frozen=True, eq=False)
class PairedDifference:
    """Paired difference of another configuration from the reference.

    Attributes:
        differences: per metric, other minus reference and its 95 % interval; None as in `wide`.
        worse: photographs on which the reference is right more often, those it loses most on
            first; with one run on each side, those that only the reference gets right.
        better: the same for the other configuration.
        crossed: photographs by the class that the reference (row) and the other (column) give
            them, float64 [k, k]; the mean over all pairs of their runs.
        mcnemar: p of `mcnemar`.
        by_subject: p of `sign_flip` over subjects.
    """

    differences: dict[str, tuple[float, Interval | None]]
    worse: tuple[int, ...]
    better: tuple[int, ...]
    crossed: NDArray[np.float64]
    mcnemar: float
    by_subject: float


def compare(reference: Summary, other: Summary, unit: NDArray[np.int64]) -> PairedDifference:
    """Compare two configurations that were judged with the same ``unit`` and ``weights``."""
    differences = {
        name: (
            other.mean(name) - reference.mean(name),
            wide(other.resampled[name] - reference.resampled[name]),
        )
        for name in METRICS
    }
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
        by_subject=sign_flip(np.bincount(unit, gain).round().astype(np.int64)),
    )


def wide(resampled: NDArray[np.float64]) -> Interval | None:
    """The percentile interval of a statistic of the resampled sets.

    None where they do not vary, as those of a single subject or of models that say the same: an
    interval without width would look certain.
    """
    low, high = percentiles(resampled)
    return (low, high) if high - low > _ROUNDING else None


def mcnemar(worse: int, better: int) -> float:
    """Two-sided p of McNemar's exact test on the photographs that only one model gets right.

    Under the null hypothesis either model is the one with probability 1/2 (McNemar,
    Psychometrika 12, 1947; exact by the binomial distribution). It takes photographs for
    independent, which those of one subject are not: p is then too small. With several runs on a
    side, "right more often" takes the place of "alone right", and it is the sign test.
    """
    return float(stats.binomtest(worse, worse + better).pvalue) if worse + better else 1.0


def sign_flip(differences: NDArray[np.int64]) -> float:
    """Two-sided p-value of the sign-flip permutation test.

    The exact permutation test of paired units (Fisher, "The Design of Experiments", 1935, §21):
    were the models equally good, which is which would be chance for every subject. Of single
    photographs it is McNemar's exact test.

    Args:
        differences: int [units], photographs that a unit gains, in any whole unit.
    """
    sizes, counts = np.unique(abs(differences[differences != 0]), return_counts=True)
    # The chance of each sum of the positive ones, from 0 to all.
    chances = np.ones(1)
    for size, count in zip(sizes, counts, strict=True):
        step = np.zeros(size * count + 1)
        step[::size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chances = signal.convolve(chances, step)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return float(np.clip(chances[abs(sums) >= abs(differences.sum())].sum(), 0, 1))


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
