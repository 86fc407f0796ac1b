"""The expected calibration error of a sample: by how much chance makes it too large, its interval.

An error that cannot be negative is too large in every sample, as deviations of either sign count;
the fewer subjects, the more. So its interval reaches lower by what chance alone would show.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.metrics.intervals import Interval, standard_error, t_quantile
from hairjax.evaluation.metrics.reliability import gap_sums

_MEAN_SIZE = float(np.sqrt(2 / np.pi))  # of a standard normal number


@dataclass(frozen=True, eq=False)
class CalibrationError:
    """The expected calibration error and what it is made of.

    Attributes:
        error: the error, 0 to 1.
        gaps: accuracy less confidence of every bin by its share of photographs, float64 [bins];
            the sum of their sizes is the error.
        spread: the jackknife's standard error of every gap, float64 [bins].
        left_out: the error with each unit left out, float64 [units].
    """

    error: float
    gaps: NDArray[np.float64]
    spread: NDArray[np.float64]
    left_out: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        labels: NDArray[np.int64],
        probabilities: NDArray[np.float64],
        unit: NDArray[np.int64],
    ) -> "CalibrationError":
        """The calibration error of some predictions.

        Args:
            labels: int [n], true classes.
            probabilities: float [n, k], as `metrics.classification.check_predictions` returns them.
            unit: int [n], as `jackknife.subject_indices`.
        """
        sums = gap_sums(labels, probabilities, unit)
        photographs = len(labels) - np.bincount(unit)
        gaps = sums.sum(0) / len(labels)
        left_out = (sums.sum(0) - sums) / np.maximum(photographs, 1)[:, None]
        spread = [standard_error(*one) for one in zip(gaps, left_out.T, strict=True)]
        return cls(float(abs(gaps).sum()), gaps, np.array(spread), abs(left_out).sum(1))

    @property
    def by_chance(self) -> float | None:
        """About the error that right probabilities would have here: of normal gaps around 0.

        None where there is one unit.
        """
        return None if len(self.left_out) < 2 else float(_MEAN_SIZE * self.spread.sum())

    def interval(self) -> Interval | None:
        """Student's interval, at its low end lower by `by_chance`; None where there is one unit."""
        if self.by_chance is None:
            return None
        half = t_quantile(len(self.left_out)) * standard_error(self.error, self.left_out)
        return max(self.error - self.by_chance - half, 0.0), min(self.error + half, 1.0)
