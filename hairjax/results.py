"""The numbers of one set of predictions: written, drawn, and shown with their uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hairjax.data.photoset import PhotoSet
from hairjax.data.thumbnails import thumbnails
from hairjax.display import Display
from hairjax.evaluation import baselines
from hairjax.evaluation.intervals import bootstrap
from hairjax.evaluation.metrics import confusion_matrix, evaluate
from hairjax.evaluation.predictions import Predictions, write_predictions
from hairjax.report.figures import confusion_figure

DRAWS = 2000  # of the bootstrap


@dataclass(frozen=True)
class Results:
    """Metrics of predictions, their 95 % intervals, and the confusion matrix (rows: true)."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    interval_note: str
    confusion: np.ndarray


def measure(predictions: Predictions, seed: int) -> Results:
    """All metrics of predictions; the seed is the bootstrap's."""
    labels, probabilities = predictions.labels, predictions.probabilities
    unit = "subjects" if any(predictions.subjects) else "photographs"
    return Results(
        metrics=evaluate(labels, probabilities),
        intervals=bootstrap(labels, probabilities, predictions.subjects, DRAWS, seed),
        interval_note=f"bootstrap over {unit}, {DRAWS:,} draws",
        confusion=confusion_matrix(labels, predictions.predicted, len(predictions.classes)),
    )


def write_results(predictions: Predictions, results: Results, csv: Path, figure: Path) -> None:
    """Write one line per photograph, and the confusion matrix as a picture."""
    write_predictions(predictions, csv)
    confusion_figure(results.confusion, predictions.classes, figure)


def compare_baselines(
    photos: PhotoSet, train: np.ndarray, other: np.ndarray
) -> dict[str, dict[str, float]]:
    """What needs no training: always the commonest class, and the most similar photograph.

    Args:
        photos: all of them.
        train: which of them train, int [m].
        other: which are to be judged, int [n].
    """
    labels, classes = photos.labels, len(photos.classes)
    # Not the photographs themselves: a second copy of all might not fit into memory.
    small = thumbnails(photos.images, baselines.THUMBNAIL, Image.Resampling.BOX)
    return {
        "majority class": baselines.majority(labels[train], labels[other], classes),
        "nearest neighbour": baselines.nearest_neighbour(
            small[train], labels[train], small[other], labels[other], classes
        ),
    }


def show_results(
    title: str,
    results: Results,
    compared: Mapping[str, Mapping[str, float]],
    display: Display,
) -> None:
    """Show every metric with its interval, beside the baselines'."""
    rows = [
        [
            name.replace("_", " "),
            f"{results.metrics[name]:.4f}",
            f"{low:.4f} – {high:.4f}",
            *(f"{b[name]:.4f}" if name in b else "–" for b in compared.values()),
        ]
        for name, (low, high) in results.intervals.items()
    ]
    display.table(
        title, ["", "model", "95 % interval", *(name.replace(" ", "\n") for name in compared)], rows
    )
