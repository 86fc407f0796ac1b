"""Metrics of predictions with intervals, and their files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image

from hairjax.data.photoset import PhotoSet
from hairjax.data.quality.thumbnails import make_thumbnails
from hairjax.evaluation import baselines
from hairjax.evaluation.analysis import Analysis
from hairjax.evaluation.metrics.classification import Metrics, confusion_matrix, evaluate
from hairjax.evaluation.metrics.intervals import MEASURED_FROM, Interval
from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.predictions import Predictions, write_predictions
from hairjax.runs.folder import RunFolder
from hairjax.system.wording import counted


@dataclass(frozen=True, eq=False)
class Results:
    """Metrics with 95 % intervals, and the confusion matrix (rows: true).

    Undefined metrics and intervals, such as those of a single subject, are None. ``sample`` is the
    evaluated sample.
    """

    metrics: Metrics
    intervals: dict[str, Interval | None]
    interval_note: str
    confusion: np.ndarray
    sample: Sample


def measure(predictions: Predictions) -> Results:
    """Metrics, 95 % intervals and confusion matrix of predictions with known labels."""
    labels, sample = predictions.labels, Sample.from_predictions(predictions)
    return Results(
        metrics=evaluate(labels, predictions.probabilities),
        intervals=sample.intervals(),
        interval_note=_interval_note(sample, predictions.subjects),
        confusion=confusion_matrix(labels, predictions.predicted, len(predictions.classes)),
        sample=sample,
    )


def _interval_note(sample: Sample, subjects: Sequence[str]) -> str:
    known, without_subject = len({*subjects} - {""}), subjects.count("")
    if sample.units == 1:
        return "none: photographs of a single subject"
    if sample.independent:
        why = "each photograph is of another subject" if known else "subjects are not known"
        note = f"Wilson's for shares of photographs, else jackknife over photographs; {why}"
    else:
        others = (
            f" and {counted(without_subject, 'photograph')} without a known subject"
            if without_subject
            else ""
        )
        note = f"jackknife over {counted(known, 'subject')}{others}, Student's t"
    if sample.units < MEASURED_FROM:
        note += f"; coverage with fewer than {MEASURED_FROM} not measured"
    return note


def compare_baselines(photos: PhotoSet, train: np.ndarray, other: np.ndarray) -> dict[str, Metrics]:
    """Baselines: majority class and 1-nearest-neighbour.

    `train` are the indices of the training images, int [m], `other` those to evaluate, int [n].
    """
    labels, classes = photos.labels, len(photos.classes)
    # Thumbnails: a second copy of all images might exceed the memory.
    small = make_thumbnails(photos.images, baselines.THUMBNAIL, Image.Resampling.BOX)
    return {
        "majority class": baselines.majority(labels[train], labels[other], classes),
        "nearest neighbour": baselines.nearest_neighbour(
            small[train], labels[train], small[other], labels[other], classes
        ),
    }


def write_results(
    folder: RunFolder,
    epoch: int | list[int],
    predictions: Predictions,
    results: Results,
    analysis: Analysis,
    compared: Mapping[str, Metrics],
    *,
    flips: bool = False,
) -> None:
    """Write ``predictions.csv``, ``baselines.json`` and ``metrics.json``.

    `folder` is the run's for validation, else a results folder; `compared` holds the metrics of
    each baseline; `flips` is True if the predictions are means over flips.
    """
    write_predictions(predictions, folder.predictions, flips=flips)
    folder.write_json(folder.baselines, compared)
    # Last, as it marks the results as complete.
    folder.write_json(
        folder.metrics,
        {
            "epoch": epoch,
            **({"flips": True} if flips else {}),
            **results.metrics,
            "intervals": results.intervals,
            "interval_note": results.interval_note,
            **asdict(analysis),
        },
    )
