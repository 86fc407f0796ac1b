"""A sample of photographs and sets resampled from it: every number's 95 % interval."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.intervals import (
    LEVEL,
    Interval,
    percentiles,
    resampled_metrics,
    resampling_weights,
    subject_indices,
    wilson,
)
from hairjax.evaluation.metrics.reliability import gap_sums
from hairjax.evaluation.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Sample:
    """Photographs with their predictions, and the sets that were resampled from them.

    Attributes:
        labels: int64 [n], true classes.
        probabilities: float64 [n, k].
        unit: int64 [n], what each photograph is resampled with: its subject, or itself.
        weights: float64 [resamples, units], how often each unit is drawn.
        independent: no two photographs are known to be of one subject.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    unit: NDArray[np.int64]
    weights: NDArray[np.float64]
    independent: bool

    @classmethod
    def resample(cls, predictions: Predictions, resamples: int, seed: int) -> "Sample":
        """Resample the photographs, by subject where subjects are known.

        Raises:
            ValueError: as `metrics.classification.check_predictions`.
        """
        labels, probabilities = metrics.check_predictions(
            predictions.labels, predictions.probabilities
        )
        unit = subject_indices(predictions.subjects)
        units = int(unit.max()) + 1
        weights = resampling_weights(units, resamples, seed)
        return cls(labels, probabilities, unit, weights, independent=units == len(unit))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def units(self) -> int:
        """Number of units that are resampled: subjects, or photographs by themselves."""
        return self.weights.shape[1]

    @property
    def right(self) -> NDArray[np.bool_]:
        """True for each photograph that is given its true class, [n]."""
        return self.probabilities.argmax(1) == self.labels

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The likeliest class's probability, [n]."""
        return self.probabilities.max(1)

    def part(self, chosen: NDArray[np.bool_]) -> "Sample":
        """Some of the photographs, in the same resampled sets; sets without any are left out.

        Args:
            chosen: which, bool [n]; at least one.
        """
        present, unit = np.unique(self.unit[chosen], return_inverse=True)
        weights = self.weights[:, present]
        return replace(
            self,
            labels=self.labels[chosen],
            probabilities=self.probabilities[chosen],
            unit=unit,
            weights=weights[weights.any(1)],
        )

    def share(self, hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval | None:
        """Interval of the share of ``hits`` among some photographs; None where it has none.

        Wilson's where photographs are independent. Else by bootstrap over subjects; where all
        subjects agree it has nothing to vary, and each counts as one trial of Wilson's. The
        photographs of a single subject say nothing of others.

        Args:
            hits: bool [n].
            among: which photographs count, bool [n].
        """
        total, found = int(among.sum()), int((hits & among).sum())
        units = len(np.unique(self.unit[among]))
        if self.independent:
            return wilson(found, total) if total else None
        if units < 2:
            return None
        if found in (0, total):
            return wilson(units if found else 0, units)
        counted, counts = (
            self.weights @ np.bincount(self.unit, values, self.units)
            for values in (hits & among, among)
        )
        return percentiles(counted[counts > 0] / counts[counts > 0])

    def intervals(self) -> dict[str, Interval | None]:
        """(low, high) of every metric of `metrics.classification.evaluate`, in its order.

        None as in `share` and `of_resamples`.
        """
        everything = np.ones(len(self), np.bool_)
        distance = abs(self.probabilities.argmax(1) - self.labels)
        resampled = resampled_metrics(self.labels, self.probabilities, self.unit, self.weights)
        found = {name: self.of_resamples(values) for name, values in resampled.items()}
        return found | {
            "accuracy": self.share(distance == 0, everything),
            "within_one": self.share(distance <= 1, everything),
            "expected_calibration_error": self._calibration_error_interval(),
        }

    def of_resamples(self, values: NDArray[np.float64]) -> Interval | None:
        """The percentile interval of a statistic of the resampled sets.

        None where they do not vary, as those of a single subject or without any mistake.
        """
        return percentiles(values) if values.size and np.ptp(values) > 0 else None

    def calibration_error_by_chance(self) -> float:
        """Approximate calibration error that right probabilities would have here."""
        return float(self._resampled_calibration()[2].mean())

    def _calibration_error_interval(self) -> Interval | None:
        """The basic bootstrap's interval, from 0 where chance alone could have made the error.

        An error that cannot be negative is too large in every sample and again in every resampled
        one, so that percentiles miss the truth nearly always where it is near 0; the basic
        interval turns the bootstrap's bias round (Davison & Hinkley 1997, §5.2).
        """
        error, resampled, chance = self._resampled_calibration()
        low, high = percentiles(resampled)
        low, high = (min(max(2 * error - end, 0.0), 1.0) for end in (high, low))
        if error <= np.quantile(chance, (1 + LEVEL) / 2):
            low = 0.0
        return (min(low, error), max(high, error)) if self.units > 1 else None

    def _resampled_calibration(self) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """The calibration error, the resampled sets', and those of their deviations alone."""
        gaps = gap_sums(self.labels, self.probabilities, self.unit)
        photographs = self.weights @ np.bincount(self.unit, minlength=self.units)
        observed, resampled = gaps.sum(0) / len(self), (self.weights @ gaps) / photographs[:, None]
        return float(abs(observed).sum()), abs(resampled).sum(1), abs(resampled - observed).sum(1)
