"""Configurations that cannot be told from the best: multiple comparisons with the best.

A configuration is ruled out where another one is better by more than chance allows (Hsu, Annals of
Statistics 9, 1981; "Multiple Comparisons", 1996, ch. 4): each in turn is taken for the best and the
greatest of its studentised differences from the others compared with that of paired resamples.
The set that is left holds the truly best configuration with a probability of 95 %. One-sided, so
that it rules out a little more readily than a two-sided interval of one difference does. The
variance of each difference is averaged with the median one of its candidate, as in tests of many
genes (Tusher, Tibshirani & Chu, PNAS 98, 2001, on small variances).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.metrics.intervals import LEVEL, degrees_of_freedom
from hairjax.evaluation.metrics.resampling import UnitSums, sign
from hairjax.evaluation.metrics.selection import Resamples

Floats = NDArray[np.float64]
_ROUNDING = 1e-9


@dataclass(frozen=True)
class BestSet:
    """Configurations that cannot be told from the best.

    Attributes:
        configurations: their indices, the best on these photographs first; it is always there.
        cheapest: index of the least costly among them; of several the best.
        seed_sd: standard deviation of a configuration's metric over seeds, beyond what the
            photographs explain, pooled over configurations; None of single seeds.
    """

    configurations: tuple[int, ...]
    cheapest: int
    seed_sd: float | None


def find_best_set(resamples: Resamples, costs: Sequence[float] | None = None) -> BestSet:
    """Find the configurations that cannot be told from the best at 95 %.

    With several seeds the best is meant over further seeds too: their variance, pooled over the
    configurations, adds to that of the subjects. Of few subjects, Student's t.

    Args:
        resamples: as `selection.resample` returns them.
        costs: cost of each configuration, in any unit; None: the first ones are the cheapest.

    Raises:
        ValueError: there are not as many costs as configurations.
    """
    count = len(resamples.whole)
    price = np.arange(count) if costs is None else np.asarray(costs, np.float64)
    if price.shape != (count,):
        raise ValueError(f"{len(price)} costs of {count} configurations")
    gains = resamples.gains
    variance = seed_variance(resamples)
    kept = np.ones(count, np.bool_)
    if len(resamples.inside):
        kept = _kept(resamples, 0.0 if variance is None else variance)
    order = [int(i) for i in np.argsort(-gains, kind="stable") if kept[i]]
    cheapest = min(order, key=lambda i: price[i])
    sd = None if variance is None else float(np.sqrt(variance))
    return BestSet(tuple(order), cheapest, sd)


def seed_variance(resamples: Resamples) -> float | None:
    """Variance of a metric between seeds, less what photographs drawn by chance explain of it.

    Seeds of one configuration err on different photographs, so they differ on a sample even if
    they are equally good; the bootstrap says by how much. At least 0; None of single seeds.
    """
    sums = resamples.sums
    if sums.runs.max() < 2 or not len(resamples.inside):
        return None
    chance = _within(sums, resamples.inside - sums.whole).mean() * _unbiased(sums)
    return max(float(_within(sums, sums.whole) - chance), 0.0)


def _within(sums: UnitSums, values: Floats) -> Floats:
    """Variance over seeds, pooled over configurations: [..., runs] → [...]."""
    means = np.repeat(sums.seed_means(values), sums.runs, axis=-1)
    return np.square(values - means).sum(-1) / (sums.runs - 1).sum()


def _unbiased(sums: UnitSums) -> float:
    """Ratio of a variance to that of a bootstrap of the units."""
    return sums.units / (sums.units - 1)


def _kept(resamples: Resamples, variance: float) -> NDArray[np.bool_]:
    """Whether each configuration may be the best, bool [c]."""
    sums, gains = resamples.sums, resamples.gains
    generator = np.random.default_rng(len(resamples.inside))
    of_seeds = variance / sums.runs
    chance = sums.seed_means(resamples.inside - sums.whole) * np.sqrt(_unbiased(sums))
    chance = chance * sign(sums.metric)
    chance += generator.normal(size=chance.shape) * np.sqrt(of_seeds)
    degrees = degrees_of_freedom(sums.units)
    chance /= np.sqrt(generator.chisquare(degrees, len(chance)) / degrees)[:, None]
    left_out = sums.seed_means(sums.left_out) - resamples.whole
    kept = np.empty(len(gains), np.bool_)
    for i in range(len(gains)):
        of_subjects = np.square(left_out - left_out[:, [i]]).sum(0) / _unbiased(sums)
        others = np.arange(len(gains)) != i
        # A variance that is small by chance would make much of a small difference.
        typical = np.median(of_subjects[others]) if others.any() else 0.0
        error = np.sqrt((of_subjects + typical) / 2 + of_seeds + of_seeds[i])
        known = others & (error > _ROUNDING)
        error = np.where(known, error, np.inf)  # of no difference where nothing varies
        greatest = ((chance - chance[:, [i]]) / error).max(1)
        kept[i] = ((gains - gains[i]) / error).max() <= np.quantile(greatest, LEVEL)
    return kept
