"""Reliability bins of confidence, and the expected calibration error."""

import numpy as np
from numpy.typing import NDArray

BINS = 15  # of equal width, as in Guo et al.
EDGES = np.linspace(0, 1, BINS + 1)


def bin_indices(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of each confidence, int64 [n]: bin i is (i/15, (i + 1)/15]."""
    return np.searchsorted(EDGES[1:-1], confidence)


def gap_sums(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], unit: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sums of (right - confidence) by unit and bin, float64 [units, bins].

    Labels int [n], probabilities float [n, k], unit int [n] from `jackknife.subject_indices`.
    """
    confidence = probabilities.max(1)
    gaps = (probabilities.argmax(1) == labels) - confidence
    sums = np.zeros((int(unit.max()) + 1, BINS))
    np.add.at(sums, (unit, bin_indices(confidence)), gaps)
    return sums


def expected_calibration_error(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> float:
    """Expected calibration error over 15 bins of equal width, 0 to 1; see `gap_sums`.

    Mean |accuracy - confidence|, bins weighted by photographs (Guo et al., "On calibration of
    modern neural networks", ICML 2017). Biased upward: see
    `calibration_error.CalibrationError.by_chance`.
    """
    together = np.zeros(len(labels), np.int64)
    return float(abs(gap_sums(labels, probabilities, together)).sum() / len(labels))
