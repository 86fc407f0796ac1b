"""Precision, recall and F1 per class, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.intervals import Estimate, Interval, score_interval
from hairjax.evaluation.metrics.jackknife import left_out_confusions
from hairjax.evaluation.metrics.sample import Sample


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class with 95 % intervals over subjects; None where undefined.

    Undefined are the precision of a class never predicted, the recall of a class without
    photographs, and an F1 with both.
    """

    name: str
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    photographs: int


def score_classes(sample: Sample, classes: Sequence[str]) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of every class name."""
    labels, predicted, k = sample.labels, sample.probabilities.argmax(1), len(classes)
    confusion = metrics.confusion_matrix(labels, predicted, k)
    found = metrics.per_class(confusion)
    scores = []
    for place, name in enumerate(classes):
        precision = sample.share(labels == place, predicted == place)
        recall = sample.share(predicted == place, labels == place)
        scores.append(
            ClassScores(
                name=name,
                precision=_estimate(found["precision"][place], precision),
                recall=_estimate(found["recall"][place], recall),
                f1=_estimate(found["f1"][place], _f1_interval(sample, place)),
                photographs=int(found["support"][place]),
            )
        )
    return tuple(scores)


def _estimate(value: float, interval: Interval | None) -> Estimate | None:
    return None if np.isnan(value) else (float(value), interval)


def _f1_interval(sample: Sample, place: int) -> Interval | None:
    """Interval of a class's F1 over the subjects with a photograph of it, true or predicted."""
    predicted = sample.probabilities.argmax(1)
    occurs = (sample.labels == place) | (predicted == place)
    if not occurs.any():
        return None
    part, classes = sample.part(occurs), sample.probabilities.shape[1]
    labels, predicted = part.labels, predicted[occurs]
    left_out = left_out_confusions(labels, predicted, classes, part.unit)
    f1 = metrics.per_class(metrics.confusion_matrix(labels, predicted, classes))["f1"][place]
    return score_interval(float(f1), metrics.per_class(left_out)["f1"][:, place])
