"""Precision, recall and F1 of each class with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.intervals import Estimate, Interval, score_interval
from hairjax.evaluation.metrics.jackknife import left_out_confusions
from hairjax.evaluation.metrics.sample import Sample


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class with their 95 % intervals; None where one is undefined.

    Precision is of a class that is never predicted, recall of one without photographs, F1 of one
    that is neither predicted nor there. The intervals are over the subjects of whom a photograph
    counts in the score.
    """

    name: str
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    photographs: int


def score_classes(sample: Sample, classes: Sequence[str]) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of every class, by its k names."""
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
    """The interval of a class's F1, over the subjects with a photograph of it or taken for it."""
    predicted = sample.probabilities.argmax(1)
    occurs = (sample.labels == place) | (predicted == place)
    if not occurs.any():
        return None
    part, classes = sample.part(occurs), sample.probabilities.shape[1]
    labels, predicted = part.labels, predicted[occurs]
    left_out = left_out_confusions(labels, predicted, classes, part.unit)
    f1 = metrics.per_class(metrics.confusion_matrix(labels, predicted, classes))["f1"][place]
    return score_interval(float(f1), metrics.per_class(left_out)["f1"][:, place])
