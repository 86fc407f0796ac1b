"""Selective prediction: the least confident photographs are referred to a person."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.metrics.intervals import Interval, log_interval, score_interval
from hairjax.evaluation.metrics.sample import Sample

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)  # shares of the photographs that the model retains
_GROUPS = 200  # of subjects, at most, that are left out together: each costs a curve
_KURTOSIS = 6.0  # the exponential distribution's: a sure mistake weighs more than many others
_AT_ONCE = 1_000_000  # numbers in memory, a few times over


@dataclass(frozen=True)
class Retained:
    """The photographs that the model retains: those of at least a confidence.

    ``coverage`` is the share asked for; photographs of equal confidence stay together.
    """

    coverage: float
    confidence: float
    photographs: int
    accuracy: float
    interval: Interval | None


@dataclass(frozen=True)
class SelectivePrediction:
    """Accuracy of what is retained, and the area under the risk–coverage curve.

    ``least_area`` is that of the same mistakes, were all of them the least sure; were confidence
    worthless, the area would be the error rate. Names of fields are keys of ``metrics.json``.
    """

    kept: tuple[Retained, ...]
    area: float
    area_interval: Interval | None
    least_area: float


def predict_selectively(sample: Sample) -> SelectivePrediction:
    """Selective prediction on a sample, at every coverage."""
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
    """The interval of a mean loss; without a mistake, that of a share."""
    return log_interval(area, left_out, 1.0, _KURTOSIS) or score_interval(area, left_out)


def _left_out_areas(sample: Sample) -> NDArray[np.float64]:
    """The area with each subject left out; of more than 200, each of 200 groups of them.

    Groups are as good (Kott, "The delete-a-group jackknife", Journal of Official Statistics 17,
    2001); subjects that follow each other are in different ones.
    """
    group = sample.unit % _GROUPS
    groups = int(group.max()) + 1
    if groups == 1:
        return np.zeros(1)  # nothing is left, and nothing is told
    areas = []
    for out in np.array_split(np.arange(groups), -(-groups * len(group) // _AT_ONCE)):
        weights = (group != out[:, None]).astype(np.float64)
        areas.append(weighted_area(sample.right, sample.confidence, weights))
    return np.concatenate(areas)


def risk_coverage(
    right: NDArray[np.bool_], confidence: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage and error rate of the photographs retained, for every threshold on the confidence.

    Args:
        right: bool [n], which photographs are given their true class.
        confidence: float [n].

    Returns:
        Coverage, rising to 1, and the risk at each, float64 [t] for t different confidences
        (El-Yaniv & Wiener, "On the foundations of noise-free selective classification", JMLR 11,
        2010).
    """
    order, ends = _by_confidence(confidence)
    retained = ends + 1
    return retained / len(right), np.cumsum(~right[order])[ends] / retained


def weighted_area(
    right: NDArray[np.bool_], confidence: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Area under the risk–coverage curve: the mean error rate over 1, 2, … photographs retained.

    Photographs of equal confidence are taken in every order at once: each is as wrong as they are
    on the mean (Geifman, Uziel & El-Yaniv, "Bias-reduced uncertainty estimation for deep neural
    classifiers", ICLR 2019, where confidences differ).

    Args:
        right: bool [n].
        confidence: float [n].
        weights: float [sets, n], how often each photograph counts; not all 0.

    Returns:
        float64 [sets].
    """
    order, ends = _by_confidence(confidence)
    counts = weights[:, order]
    starts = np.concatenate([[0], ends[:-1] + 1])
    wrong = np.add.reduceat(counts * ~right[order], starts, axis=1)
    equal = np.add.reduceat(counts, starts, axis=1)
    share = np.divide(wrong, equal, out=np.zeros_like(wrong), where=equal > 0)
    retained = np.cumsum(counts, axis=1)
    mistakes = np.cumsum(counts * np.repeat(share, np.diff(ends, prepend=-1), axis=1), axis=1)
    # Before the first photograph that a set holds, nothing is retained and nothing counts.
    risk = np.divide(mistakes, retained, out=np.zeros_like(retained), where=retained > 0)
    return (risk * counts).sum(1) / retained[:, -1]


def _by_confidence(
    confidence: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The photographs by falling confidence, and the last place of each different one."""
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.diff(confidence[order], append=-np.inf))
    return order, ends
