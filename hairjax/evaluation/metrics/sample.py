"""A sample of photographs, and the 95 % interval of every number that is told of it."""

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
    """Photographs with their predictions, by subject where subjects are known.

    Attributes:
        labels: int64 [n], true classes.
        probabilities: float64 [n, k].
        unit: int64 [n], what each photograph is counted with: its subject, or itself; every index
            from 0 to the greatest occurs.
        independent: no two photographs are known to be of one subject.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    unit: NDArray[np.int64]
    independent: bool

    @classmethod
    def of(cls, predictions: Predictions) -> "Sample":
        """The sample of some predictions.

        Raises:
            ValueError: as `metrics.classification.check_predictions`.
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
        """Number of units: subjects, or photographs by themselves."""
        return int(self.unit.max()) + 1

    @property
    def right(self) -> NDArray[np.bool_]:
        """True for each photograph that is given its true class, [n]."""
        return self.probabilities.argmax(1) == self.labels

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The likeliest class's probability, [n]."""
        return self.probabilities.max(1)

    def part(self, chosen: NDArray[np.bool_]) -> "Sample":
        """Some of the photographs, of the same subjects.

        Args:
            chosen: which, bool [n]; at least one.
        """
        _, unit = np.unique(self.unit[chosen], return_inverse=True)
        return Sample(self.labels[chosen], self.probabilities[chosen], unit, self.independent)

    def share(self, hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval | None:
        """Interval of the share of ``hits`` among some photographs; None where it has none.

        Wilson's where photographs are independent, else `score_interval` over the subjects among
        them. The photographs of a single subject say nothing of others.

        Args:
            hits: bool [n].
            among: which photographs count, bool [n].
        """
        if not among.any():
            return None
        found = hits[among]
        if self.independent:
            return wilson(int(found.sum()), len(found))
        _, unit = np.unique(self.unit[among], return_inverse=True)
        return score_interval(float(found.mean()), left_out_means(found, unit))

    def intervals(self) -> dict[str, Interval | None]:
        """(low, high) of every metric of `metrics.classification.evaluate`, in its order.

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
        """The expected calibration error, with what is known of how sure it is."""
        return CalibrationError.of(self.labels, self.probabilities, self.unit)
