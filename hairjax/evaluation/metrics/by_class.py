"""Precision, recall and F1 of each class with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.intervals import Interval, resampled_confusions
from hairjax.evaluation.metrics.sample import Sample


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class with their 95 % intervals; an undefined score is 0 without one."""

    name: str
    precision: tuple[float, Interval | None]
    recall: tuple[float, Interval | None]
    f1: tuple[float, Interval | None]
    photographs: int


def score_classes(sample: Sample, classes: Sequence[str]) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of every class, by its k names."""
    labels, predicted, k = sample.labels, sample.probabilities.argmax(1), len(classes)
    confusion = metrics.confusion_matrix(labels, predicted, k)
    found = metrics.per_class(confusion)
    resampled = resampled_confusions(labels, predicted, k, sample.unit, sample.weights)
    resampled_f1 = metrics.per_class(resampled)["f1"]
    occurrences = resampled.sum(-1) + resampled.sum(-2)
    scores = []
    for place, name in enumerate(classes):
        # Not of the resampled sets in which the class does not occur.
        f1 = resampled_f1[occurrences[:, place] > 0, place]
        precision = sample.share(labels == place, predicted == place)
        recall = sample.share(predicted == place, labels == place)
        scores.append(
            ClassScores(
                name=name,
                precision=(float(found["precision"][place]), precision),
                recall=(float(found["recall"][place]), recall),
                f1=(float(found["f1"][place]), sample.of_resamples(f1)),
                photographs=int(found["support"][place]),
            )
        )
    return tuple(scores)
