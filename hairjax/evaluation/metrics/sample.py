"""Sample of photographs with predictions, and the 95 % intervals of its statistics."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.calibration_error import CalibrationError
from hairjax.evaluation.metrics.intervals import Interval, metric_interval, score_interval, wilson
from hairjax.evaluation.metrics.jackknife import left_out_means, left_out_metrics, subject_indices
from hairjax.evaluation.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Sample:
    """Photographs with predictions, grouped by subject where known."""

    labels: NDArray[np.int64]  # int64 [n], true classes
    probabilities: NDArray[np.float64]  # float64 [n, k]
    # int64 [n], index of the subject, or of the photograph itself; consecutive from 0
    unit: NDArray[np.int64]
    independent: bool  # True if no two photographs share a known subject

    @classmethod
    def from_predictions(cls, predictions: Predictions) -> "Sample":
        """Sample from predictions.

        Raises:
            ValueError: see `metrics.classification.check_predictions`.
        """
        labels, probabilities = metrics.check_predictions(
            predictions.labels, predictions.probabilities
        )
        unit = subject_indices(predictions.subjects)
        return cls(labels, probabilities, unit, independent=int(unit.max()) + 1 == len(unit))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def units(self) -> int:
        """Number of units: subjects, or photographs without one."""
        return int(self.unit.max()) + 1

    @property
    def right(self) -> NDArray[np.bool_]:
        """True for each correctly classified photograph, [n]."""
        return self.probabilities.argmax(1) == self.labels

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Highest class probability, [n]."""
        return self.probabilities.max(1)

    def part(self, chosen: NDArray[np.bool_]) -> "Sample":
        """Subset of the photographs, by a mask with at least one True: bool [n]."""
        _, unit = np.unique(self.unit[chosen], return_inverse=True)
        return Sample(self.labels[chosen], self.probabilities[chosen], unit, self.independent)

    def share(self, hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval | None:
        """Interval of the share of ``hits`` (bool [n]) among ``among`` (bool [n]).

        Wilson's for independent photographs, else `score_interval` over subjects. None for an empty
        set or, with dependent photographs, a single subject.
        """
        if not among.any():
            return None
        found = hits[among]
        if self.independent:
            return wilson(int(found.sum()), len(found))
        _, unit = np.unique(self.unit[among], return_inverse=True)
        return score_interval(float(found.mean()), left_out_means(found, unit))

    def intervals(self) -> dict[str, Interval | None]:
        """Interval (low, high) per metric of `metrics.classification.evaluate`, in its order.

        None as in `share` and `intervals.metric_interval`.
        """
        everything = np.ones(len(self), np.bool_)
        distance = abs(self.probabilities.argmax(1) - self.labels)
        values = metrics.evaluate(self.labels, self.probabilities)
        left_out = left_out_metrics(self.labels, self.probabilities, self.unit)
        classes = self.probabilities.shape[1]
        found = {
            name: metric_interval(name, values[name], one, classes)
            for name, one in left_out.items()
        }
        return found | {
            "accuracy": self.share(distance == 0, everything),
            "within_one": self.share(distance <= 1, everything),
            "expected_calibration_error": self.calibration_error().interval(),
        }

    def calibration_error(self) -> CalibrationError:
        """Expected calibration error with its uncertainty."""
        return CalibrationError.measure(self.labels, self.probabilities, self.unit)
