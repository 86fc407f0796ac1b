"""Selective prediction: referral of the least confident photographs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.metrics.intervals import Interval, log_interval, score_interval
from hairjax.evaluation.metrics.sample import Sample

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)  # shares of retained photographs
_GROUPS = 200  # most jackknife groups of subjects; each costs a curve
_KURTOSIS = 6.0  # the exponential distribution's: confident mistakes dominate
_AT_ONCE = 1_000_000  # array elements in memory, a few times over


@dataclass(frozen=True)
class Retained:
    """Retained photographs: those with at least a confidence.

    ``coverage`` is the requested share; ties in confidence stay together.
    """

    coverage: float
    confidence: float
    photographs: int
    accuracy: float
    interval: Interval | None


@dataclass(frozen=True)
class SelectivePrediction:
    """Accuracy at every coverage, and the area under the risk–coverage curve (AURC).

    ``least_area`` is the AURC of an ideal ranking of the same mistakes; for uninformative
    confidence the AURC is the error rate. Field names are keys of ``metrics.json``.
    """

    kept: tuple[Retained, ...]
    area: float
    area_interval: Interval | None
    least_area: float


def predict_selectively(sample: Sample) -> SelectivePrediction:
    """Selective prediction on a sample at every coverage."""
    right, confidence = sample.right, sample.confidence
    falling = np.sort(confidence)[::-1]
    retained = []
    for coverage in COVERAGES:
        least = falling[max(round(coverage * len(sample)), 1) - 1]
        staying = confidence >= least
        retained.append(
            Retained(
                coverage=coverage,
                confidence=float(least),
                photographs=int(staying.sum()),
                accuracy=float(right[staying].mean()),
                interval=sample.share(right, staying),
            )
        )
    once = np.ones((1, len(sample)))
    area = float(weighted_area(right, confidence, once)[0])
    return SelectivePrediction(
        kept=tuple(retained),
        area=area,
        area_interval=_area_interval(area, _left_out_areas(sample)),
        least_area=float(weighted_area(right, right.astype(np.float64), once)[0]),
    )


def _area_interval(area: float, left_out: NDArray[np.float64]) -> Interval | None:
    """Interval of a mean loss; without mistakes, of a share."""
    return log_interval(area, left_out, 1.0, _KURTOSIS) or score_interval(area, left_out)


def _left_out_areas(sample: Sample) -> NDArray[np.float64]:
    """AURC with each subject, or each of at most 200 groups of subjects, left out.

    Kott, "The delete-a-group jackknife", Journal of Official Statistics 17, 2001.
    """
    group = sample.unit % _GROUPS
    groups = int(group.max()) + 1
    if groups == 1:
        return np.zeros(1)  # nothing left: no interval
    areas = []
    for out in np.array_split(np.arange(groups), -(-groups * len(group) // _AT_ONCE)):
        weights = (group != out[:, None]).astype(np.float64)
        areas.append(weighted_area(sample.right, sample.confidence, weights))
    return np.concatenate(areas)


def risk_coverage(
    right: NDArray[np.bool_], confidence: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage (ascending to 1) and risk at every confidence threshold, float64 [t] each.

    Risk is the error rate of the retained (El-Yaniv & Wiener, "On the foundations of noise-free
    selective classification", JMLR 11, 2010). ``right``: bool [n], ``confidence``: float [n].
    """
    order, ends = _by_confidence(confidence)
    retained = ends + 1
    return retained / len(right), np.cumsum(~right[order])[ends] / retained


def weighted_area(
    right: NDArray[np.bool_], confidence: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """AURC: mean error rate over the 1, 2, … most confident photographs, float64 [sets].

    Ties count as the mean over all orders (Geifman, Uziel & El-Yaniv, "Bias-reduced uncertainty
    estimation for deep neural classifiers", ICLR 2019, for distinct confidences).

    Args:
        right: bool [n], correctly classified.
        confidence: float [n].
        weights: float [sets, n], multiplicity of each photograph; not all 0.
    """
    order, ends = _by_confidence(confidence)
    counts = weights[:, order]
    starts = np.concatenate([[0], ends[:-1] + 1])
    wrong = np.add.reduceat(counts * ~right[order], starts, axis=1)
    equal = np.add.reduceat(counts, starts, axis=1)
    share = np.divide(wrong, equal, out=np.zeros_like(wrong), where=equal > 0)
    retained = np.cumsum(counts, axis=1)
    mistakes = np.cumsum(counts * np.repeat(share, np.diff(ends, prepend=-1), axis=1), axis=1)
    # Nothing is retained before the first photograph of a set.
    risk = np.divide(mistakes, retained, out=np.zeros_like(retained), where=retained > 0)
    return (risk * counts).sum(1) / retained[:, -1]


def _by_confidence(
    confidence: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order by descending confidence, and the last position of each distinct value."""
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.diff(confidence[order], append=-np.inf))
    return order, ends
