"""95 % intervals that hold their coverage with few subjects: jackknife over subjects, Student's t.

Photographs of a subject are dependent, so subjects are the units. The standard error comes from the
metric with each subject left out (Efron & Stein, Annals of Statistics 9, 1981; the best model-free
choice for few, unequal clusters: MacKinnon, Nielsen & Webb, Journal of Applied Econometrics 38,
2023). Deterministic. Coverage: ``python -m benchmarks.coverage``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.jackknife import left_out_means, subject_indices

LEVEL = 0.95
MEASURED_FROM = 8  # fewest subjects with a measured coverage
Interval = tuple[float, float]
Estimate = tuple[float, Interval | None]
"""A value and its 95 % interval (None if it has none)."""
# Excess kurtosis of the subjects' contributions. Too few to estimate it: the logistic
# distribution's, and more where single mistakes dominate.
KURTOSIS = 1.2
_OF_METRIC = {"quadratic_kappa": 4.0, "log_loss": 4.0}
_ROUNDING = 1e-9  # rounding error of sums
_OVERFLOW = 600.0  # largest exponent, within float64


def standard_error(estimate: float, left_out: NDArray[np.float64]) -> float:
    """Jackknife standard error √((n - 1) / n · Σ (left_out - estimate)²).

    ``left_out``: the statistic with each unit left out, float [n], n ≥ 1.
    """
    n = len(left_out)
    error = float(np.sqrt((n - 1) / n * np.square(left_out - estimate).sum()))
    return error if error > _ROUNDING else 0.0


def degrees_of_freedom(units: int, kurtosis: float = KURTOSIS) -> float:
    """Degrees of freedom of the standard error of n units: 2 / (κ / n + 2 / (n - 1)).

    From the variance of a sample variance with excess kurtosis κ (Cramér, "Mathematical Methods of
    Statistics", 1946, §27.4); n - 1 for normal values.
    """
    return 2 / (kurtosis / units + 2 / (units - 1))


def t_quantile(units: int, kurtosis: float = KURTOSIS) -> float:
    """Quantile of Student's t: half-width of an interval in standard errors."""
    return float(special.stdtrit(degrees_of_freedom(units, kurtosis), (1 + LEVEL) / 2))


def wilson(successes: int, total: int) -> Interval:
    """Wilson's score interval of a proportion of independent trials.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    For dependent photographs use `score_interval`.

    Raises:
        ValueError: not ``0 ≤ successes ≤ total``, or ``total`` is 0.
    """
    if not 0 <= successes <= total or total == 0:
        raise ValueError(f"no proportion: {successes} of {total}")
    return _wilson(successes / total, total, float(special.ndtri((1 + LEVEL) / 2)))


def _wilson(share: float, trials: float, quantile: float) -> Interval:
    z = quantile**2 / trials
    centre = (share + z / 2) / (1 + z)
    half = np.sqrt(z * share * (1 - share) + z**2 / 4) / (1 + z)
    # Against rounding: the interval holds the share and stays within [0, 1].
    low, high = float(max(centre - half, 0.0)), float(min(centre + half, 1.0))
    return min(low, share), max(high, share)


def score_interval(
    estimate: float,
    left_out: NDArray[np.float64],
    bounds: tuple[float, float] = (0.0, 1.0),
    kurtosis: float = KURTOSIS,
) -> Interval | None:
    """Wilson's interval of a bounded statistic with effective sample size and t quantile.

    Effective trials: share · (1 - share) / error² with the jackknife error (Korn & Graubard, Survey
    Methodology 24, 1998; compared by Franco, Little, Louis & Slud, Journal of Survey Statistics and
    Methodology 7, 2019); one per unit if nothing varies. Holds the estimate, stays within the
    bounds. None for a single unit.

    Args:
        estimate: statistic over all units.
        left_out: statistic with each unit left out, float [units].
        bounds: minimum and maximum of the statistic.
        kurtosis: see `degrees_of_freedom`.
    """
    units = len(left_out)
    if units < 2:
        return None
    least, greatest = bounds
    share = min(max((estimate - least) / (greatest - least), 0.0), 1.0)
    error = standard_error(estimate, left_out) / (greatest - least)
    spread = share * (1 - share)
    trials = spread / error**2 if error and spread else float(units)
    ends = _wilson(share, trials, t_quantile(units, kurtosis))
    low, high = (least + end * (greatest - least) for end in ends)
    return min(low, estimate), max(high, estimate)


def log_interval(
    estimate: float, left_out: NDArray[np.float64], most: float, kurtosis: float
) -> Interval | None:
    """Student's t interval of the logarithm of a mean loss (skewed), cut off at ``most``.

    None for a single unit or zero variation.
    """
    error = standard_error(estimate, left_out)
    if len(left_out) < 2 or not error:
        return None
    half = t_quantile(len(left_out), kurtosis) * error / estimate
    upper = estimate * np.exp(min(half, _OVERFLOW))
    return float(estimate * np.exp(-half)), float(min(upper, most))


def metric_interval(
    name: str, estimate: float | None, left_out: NDArray[np.float64], classes: int
) -> Interval | None:
    """Interval of a metric of `metrics.classification.evaluate` (except the calibration error).

    None for a single unit, an undefined metric, and for a constant kappa below 1 or log-loss.
    ``left_out``: values with each unit left out, float [units].
    """
    if estimate is None:
        return None
    bounds, kurtosis = metrics.bounds(name, classes), _OF_METRIC.get(name, KURTOSIS)
    if name == "log_loss":
        return log_interval(estimate, left_out, bounds[1], kurtosis)
    if name == "quadratic_kappa" and estimate < 1 and not standard_error(estimate, left_out):
        return None
    return score_interval(estimate, left_out, bounds, kurtosis)


def t_interval(
    estimate: float, left_out: NDArray[np.float64], bounds: tuple[float, float]
) -> Interval | None:
    """Student's t interval of a difference or mean, cut off at the bounds.

    None for a single unit or zero variation, where zero width would look certain. Excludes 0
    exactly if `t_test` gives less than 0.05.
    """
    error = standard_error(estimate, left_out)
    if len(left_out) < 2 or not error:
        return None
    half = t_quantile(len(left_out)) * error
    least, greatest = bounds
    return max(estimate - half, least), min(estimate + half, greatest)


def t_test(estimate: float, left_out: NDArray[np.float64]) -> float:
    """Two-sided p-value of a zero difference, consistent with `t_interval`; 1 if that is None."""
    error = standard_error(estimate, left_out)
    if len(left_out) < 2 or not error:
        return 1.0
    degrees = degrees_of_freedom(len(left_out))
    return float(2 * special.stdtr(degrees, -abs(estimate) / error))


def mean_interval(
    values: ArrayLike, subjects: Sequence[str], bounds: tuple[float, float]
) -> tuple[float, Interval | None]:
    """Mean of values [n] and its `t_interval` over subjects (n names, "" if unknown)."""
    mean = float(np.asarray(values, np.float64).mean())
    return mean, t_interval(mean, left_out_means(values, subject_indices(subjects)), bounds)
