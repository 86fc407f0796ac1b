"""Best of n trials as a curve over n, by which one search is compared with another.

Dodge et al. ("Show your work", EMNLP 2019) estimate the expected best as if trials were drawn with
replacement, which is too low. Tang et al. ("Showing your work doesn't always work", ACL 2020) take
the mean over all subsets of n of the N trials instead, which is unbiased; so does this module. The
percentiles of a bootstrap over trials cover too seldom, half of the time near n = N. The interval
here is exact whatever the distribution, but it is that of the median of the best (Lourie, Choi,
Cho & He, "Show your work with confidence", NAACL 2024).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from hairjax.evaluation.metrics.intervals import LEVEL

Floats = NDArray[np.float64]
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class ExpectedBest:
    """Best of n of N trials, each field float64 [N], for n = 1 … N.

    Attributes:
        mean: its expected value.
        median: its median.
        low: lower end of the 95 % interval of ``median``; -inf where so few trials have none.
        high: upper end; inf where they have none, as for n above a fifth of N: nobody knows how
            much better than the best one seen the best of so many would be.
    """

    mean: Floats
    median: Floats
    low: Floats
    high: Floats


def expect_best(values: ArrayLike, higher_is_better: bool = True) -> ExpectedBest:
    """Expected and median best of n = 1 … N independent trials, as of a random search.

    The trials of a grid are no draws: its mean and median are those of its own points in random
    order, exact, and the interval says nothing. Values by which trials were selected flatter the
    best of them; `selection.corrected_curve` is free of that.

    Args:
        values: float [N], the trials' metric; finite.
        higher_is_better: False for a loss or an error.

    Raises:
        ValueError: there is no trial, or a value is not finite.
    """
    given = np.asarray(values, np.float64)
    if given.ndim != 1 or not given.size or not np.isfinite(given).all():
        raise ValueError(f"trials must be finite numbers [N], at least one: {given.tolist()}")
    direction = 1.0 if higher_is_better else -1.0
    ordered = np.sort(direction * given)
    below = best_of_subset(len(ordered))
    # One and the same quantile of the trials: with probability 1/2 all n are below it.
    quantile = 0.5 ** (1 / np.arange(1, len(ordered) + 1))
    lower = stats.binom.ppf((1 - LEVEL) / 2, len(ordered), quantile).astype(int)
    upper = stats.binom.ppf((1 + LEVEL) / 2, len(ordered), quantile).astype(int)
    ends = np.concatenate([[-np.inf], ordered, [np.inf]])
    low, high = ends[lower], ends[upper + 1]
    if not higher_is_better:
        low, high = -high, -low
    return ExpectedBest(
        mean=direction * (np.diff(below, axis=1) @ ordered),
        median=direction * ordered[(below < 0.5 - _ROUNDING).sum(1) - 1],
        low=low,
        high=high,
    )


def best_of_subset(trials: int) -> Floats:
    """Probability that the best of n of N trials has at most a rank, float64 [n - 1, rank].

    It is C(rank, n) / C(N, n), with rank N for the best and a column for rank 0; n = 1 … N.
    """
    n, rank = np.arange(1, trials + 1)[:, None], np.arange(trials + 1)[None, :]
    factorial = special.gammaln(np.arange(trials + 1) + 1)  # its logarithm
    apart = np.maximum(rank - n, 0)
    logarithm = factorial[rank] - factorial[apart] - factorial[trials] + factorial[trials - n]
    return np.where(rank < n, 0.0, np.exp(logarithm))


def tied_ranks(values: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of values in a row that are less, and that are not greater: [..., N] → [..., N]."""
    less = stats.rankdata(values, method="min", axis=-1).astype(np.int64) - 1
    return less, stats.rankdata(values, method="max", axis=-1).astype(np.int64)
