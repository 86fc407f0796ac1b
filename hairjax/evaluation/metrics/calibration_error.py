"""Expected calibration error with its bias by chance and its interval.

Absolute deviations are biased upward, more so with few subjects; the interval therefore extends
further down, by the error expected by chance alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.metrics.intervals import Interval, standard_error, t_quantile
from hairjax.evaluation.metrics.reliability import gap_sums

_MEAN_SIZE = float(np.sqrt(2 / np.pi))  # of a standard normal number


@dataclass(frozen=True, eq=False)
class CalibrationError:
    """Expected calibration error and its components."""

    error: float  # the error, 0 to 1
    # (accuracy - confidence) × share of photographs per bin, float64 [bins]; the absolute values
    # sum to the error
    gaps: NDArray[np.float64]
    spread: NDArray[np.float64]  # jackknife standard error of every gap, float64 [bins]
    left_out: NDArray[np.float64]  # error with each unit left out, float64 [units]

    @classmethod
    def measure(
        cls,
        labels: NDArray[np.int64],
        probabilities: NDArray[np.float64],
        unit: NDArray[np.int64],
    ) -> "CalibrationError":
        """Measure the calibration error; arguments as `reliability.gap_sums`."""
        sums = gap_sums(labels, probabilities, unit)
        photographs = len(labels) - np.bincount(unit)
        gaps = sums.sum(0) / len(labels)
        left_out = (sums.sum(0) - sums) / np.maximum(photographs, 1)[:, None]
        spread = [standard_error(*one) for one in zip(gaps, left_out.T, strict=True)]
        return cls(float(abs(gaps).sum()), gaps, np.array(spread), abs(left_out).sum(1))

    @property
    def by_chance(self) -> float | None:
        """Expected error of perfectly calibrated probabilities (gaps normal around 0).

        None for a single unit.
        """
        return None if len(self.left_out) < 2 else float(_MEAN_SIZE * self.spread.sum())

    def interval(self) -> Interval | None:
        """Student's t interval, lower end reduced by `by_chance`; None for a single unit."""
        if self.by_chance is None:
            return None
        half = t_quantile(len(self.left_out)) * standard_error(self.error, self.left_out)
        return max(self.error - self.by_chance - half, 0.0), min(self.error + half, 1.0)
