"""95 % intervals that cover with few subjects: jackknife over subjects, and Student's t.

The photographs of a person resemble each other, so that it is the subjects who are counted, not the
photographs. A metric is computed anew with each subject left out; how much it moves is its standard
error (Efron & Stein, Annals of Statistics 9, 1981; with few, unequal clusters the best of those
that need no model: MacKinnon, Nielsen & Webb, Journal of Applied Econometrics 38, 2023). Nothing is
drawn at random. What these intervals cover: ``python -m benchmarks.coverage``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.jackknife import left_out_means, subject_indices

LEVEL = 0.95
MEASURED_FROM = 8  # subjects: what intervals of fewer cover has not been measured
Interval = tuple[float, float]
Estimate = tuple[float, Interval | None]
"""A value and its 95 % interval, None where it has none; None in place of it where undefined."""
# Excess kurtosis of what subjects contribute: a few differ much from the others. It is not found
# from so few, but taken as the logistic distribution's; where single mistakes weigh most, as more.
KURTOSIS = 1.2
_OF_METRIC = {"quadratic_kappa": 4.0, "log_loss": 4.0}
_ROUNDING = 1e-9  # of sums in another order
_OVERFLOW = 600.0  # beyond any loss as an exponent, and within a float64


def standard_error(estimate: float, left_out: NDArray[np.float64]) -> float:
    """The jackknife's standard error: of n values, √((n - 1) / n · Σ (left out - estimate)²).

    Args:
        estimate: a statistic of all units.
        left_out: the same with each unit left out, float [n]; n at least 1.
    """
    n = len(left_out)
    error = float(np.sqrt((n - 1) / n * np.square(left_out - estimate).sum()))
    return error if error > _ROUNDING else 0.0


def degrees_of_freedom(units: int, kurtosis: float = KURTOSIS) -> float:
    """Degrees of freedom of a standard error of so many units: below units - 1.

    Of n values with an excess kurtosis κ, 2 / (κ / n + 2 / (n - 1)), from the variance of a
    sample's variance (Cramér, "Mathematical Methods of Statistics", 1946, §27.4); n - 1 were the
    values normal.
    """
    return 2 / (kurtosis / units + 2 / (units - 1))


def t_quantile(units: int, kurtosis: float = KURTOSIS) -> float:
    """Student's t: standard errors by which an interval extends to either side."""
    return float(special.stdtrit(degrees_of_freedom(units, kurtosis), (1 + LEVEL) / 2))


def wilson(successes: int, total: int) -> Interval:
    """Wilson's score interval of a proportion of independent trials.

    It stays honest at 0 and 1 and for a handful of photographs (Wilson, "Probable inference, the
    law of succession, and statistical inference", JASA 22, 1927). Photographs that share a subject
    are not independent: `score_interval` is for them.

    Raises:
        ValueError: not ``0 ≤ successes ≤ total``, or ``total`` is 0.
    """
    if not 0 <= successes <= total or total == 0:
        raise ValueError(f"no proportion: {successes} of {total}")
    return _wilson(successes / total, total, float(special.ndtri((1 + LEVEL) / 2)))


def _wilson(share: float, trials: float, quantile: float) -> Interval:
    """The shares that differ from one of so many trials by no more than the quantile allows."""
    z = quantile**2 / trials
    centre = (share + z / 2) / (1 + z)
    half = np.sqrt(z * share * (1 - share) + z**2 / 4) / (1 + z)
    # Rounding aside, the share lies in between, and both ends between 0 and 1.
    low, high = float(max(centre - half, 0.0)), float(min(centre + half, 1.0))
    return min(low, share), max(high, share)


def score_interval(
    estimate: float,
    left_out: NDArray[np.float64],
    bounds: tuple[float, float] = (0.0, 1.0),
    kurtosis: float = KURTOSIS,
) -> Interval | None:
    """Wilson's interval of a bounded statistic, with the effective number of trials and t.

    That number is what would give a proportion the jackknife's standard error, share · (1 - share)
    / error² (Korn & Graubard, Survey Methodology 24, 1998; compared with others by Franco, Little,
    Louis & Slud, Journal of Survey Statistics and Methodology 7, 2019); where nothing varies each
    unit is one trial. The interval holds the estimate and stays within the bounds.

    Args:
        estimate: a statistic of all units.
        left_out: the same with each unit left out, float [units].
        bounds: the least and the greatest value that it can have.
        kurtosis: as in `degrees_of_freedom`.

    Returns:
        None where there is one unit, which says nothing of others.
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
    """Student's interval of the logarithm of a mean loss, which is skewed; at ``most`` cut off.

    None where there is one unit or nothing varies.
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
    """The interval of a metric of `metrics.classification.evaluate`, all but the calibration error.

    None where there is one unit, or the metric is undefined; and where neither kappa nor the
    log-loss varies, unless every photograph is right: of a model that says always the same they are
    known without photographs.

    Args:
        name: the metric's.
        estimate: its value; None where it is undefined.
        left_out: its values with each unit left out, float [units].
        classes: the number of classes.
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
    """Student's interval of a difference or a mean, cut off at the bounds.

    None where there is one unit or nothing varies, as of models that say the same: an interval
    without width would look certain. It leaves out 0 where `t_test` gives less than 0.05.
    """
    error = standard_error(estimate, left_out)
    if len(left_out) < 2 or not error:
        return None
    half = t_quantile(len(left_out)) * error
    least, greatest = bounds
    return max(estimate - half, least), min(estimate + half, greatest)


def t_test(estimate: float, left_out: NDArray[np.float64]) -> float:
    """Two-sided p that a difference is 0, as `t_interval` has it; 1 where that is None."""
    error = standard_error(estimate, left_out)
    if len(left_out) < 2 or not error:
        return 1.0
    degrees = degrees_of_freedom(len(left_out))
    return float(2 * special.stdtr(degrees, -abs(estimate) / error))


def mean_interval(
    values: ArrayLike, subjects: Sequence[str], bounds: tuple[float, float]
) -> tuple[float, Interval | None]:
    """A mean over photographs and its `t_interval`, by subject.

    Args:
        values: float [n].
        subjects: n names; "" where the subject is not known.
        bounds: the least and the greatest value that the mean can have.
    """
    mean = float(np.asarray(values, np.float64).mean())
    return mean, t_interval(mean, left_out_means(values, subject_indices(subjects)), bounds)
