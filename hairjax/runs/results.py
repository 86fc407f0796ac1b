"""Metrics of one set of predictions with intervals, and their files."""

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
    """Metrics of predictions, their 95 % intervals, and the confusion matrix (rows: true).

    ``metrics`` has None where one is undefined, ``intervals`` where a metric has no interval, as of
    a single subject. ``sample``: the
    photographs judged, for what else is told of them.
    """

    metrics: Metrics
    intervals: dict[str, Interval | None]
    interval_note: str
    confusion: np.ndarray
    sample: Sample


def measure(predictions: Predictions) -> Results:
    """All metrics of predictions."""
    labels, sample = predictions.labels, Sample.from_predictions(predictions)
    return Results(
        metrics=evaluate(labels, predictions.probabilities),
        intervals=sample.intervals(),
        interval_note=_interval_note(sample, predictions.subjects),
        confusion=confusion_matrix(labels, predictions.predicted, len(predictions.classes)),
        sample=sample,
    )


def _interval_note(sample: Sample, subjects: Sequence[str]) -> str:
    """Method of the intervals in words, to stand in brackets or after a colon."""
    known, without_subject = len({*subjects} - {""}), subjects.count("")
    if sample.units == 1:
        return "none: photographs of a single subject say nothing of others"
    if sample.independent:
        why = "each photograph is of another subject" if known else "subjects are not known"
        note = f"Wilson's for shares of photographs, else jackknife over photographs; {why}"
    else:
        others = (
            f" and {counted(without_subject, 'photograph')} of nobody known"
            if without_subject
            else ""
        )
        note = f"jackknife over {counted(known, 'subject')}{others}, Student's t"
    if sample.units < MEASURED_FROM:
        note += f"; what it covers with fewer than {MEASURED_FROM} was not measured"
    return note


def compare_baselines(photos: PhotoSet, train: np.ndarray, other: np.ndarray) -> dict[str, Metrics]:
    """Baselines: majority class and 1-nearest-neighbour.

    Args:
        photos: all of them.
        train: indices of the training photographs, int [m].
        other: indices of the photographs to evaluate, int [n].
    """
    labels, classes = photos.labels, len(photos.classes)
    # Not the photographs themselves: a second copy of all might not fit into memory.
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
    """Write the report's files: ``predictions.csv``, ``baselines.json``, ``metrics.json``.

    Args:
        folder: folder of the photographs judged: the run's for validation, else one for each set.
        epoch: epoch of the model.
        predictions: its predictions.
        results: their metrics.
        analysis: analysis of the predictions.
        compared: the metrics of each baseline.
        flips: the predictions are means over photographs and their mirror images: it is written.
    """
    write_predictions(predictions, folder.predictions, flips=flips)
    folder.write_json(folder.baselines, compared)
    # Last, for it says that the others are there.
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
