"""Reliability bins of a model's confidence, and the expected calibration error."""

import numpy as np
from numpy.typing import NDArray

BINS = 15  # of equal width, as in Guo et al.
EDGES = np.linspace(0, 1, BINS + 1)


def bin_indices(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each confidence, int64 [n]: bin i holds those above i/15 and up to (i + 1)/15."""
    return np.searchsorted(EDGES[1:-1], confidence)


def gap_sums(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], unit: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Photographs given their true class, less the confidences, summed by unit and bin.

    Args:
        labels: int [n], true classes.
        probabilities: float [n, k], as `metrics.classification.check_predictions` returns them.
        unit: int [n], as `intervals.subject_indices`.

    Returns:
        float64 [units, bins].
    """
    confidence = probabilities.max(1)
    gaps = (probabilities.argmax(1) == labels) - confidence
    sums = np.zeros((int(unit.max()) + 1, BINS))
    np.add.at(sums, (unit, bin_indices(confidence)), gaps)
    return sums


def expected_calibration_error(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> float:
    """Mean distance between confidence and accuracy over 15 bins of equal width, 0 to 1.

    A bin counts by its photographs; confidence is the likeliest class's probability (Guo et al.,
    "On calibration of modern neural networks", ICML 2017). Chance alone keeps it above 0, the more
    so the fewer photographs there are: see `calibration_error.CalibrationError.by_chance`.

    Args:
        labels: int [n], true classes.
        probabilities: float [n, k], as `metrics.classification.check_predictions` returns them.
    """
    together = np.zeros(len(labels), np.int64)
    return float(abs(gap_sums(labels, probabilities, together)).sum() / len(labels))
