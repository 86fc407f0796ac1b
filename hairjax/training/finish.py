"""Files at the end of a run: predictions, metrics, figures and the report of its best epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.explain.maps import Explain
from hairjax.evaluation.predictions import Predictions
from hairjax.report.gallery import most_confident_errors, remove_gallery, write_gallery
from hairjax.report.run_report import report_run
from hairjax.report.show_results import show_analysis, show_metrics
from hairjax.runs.folder import RunFolder
from hairjax.runs.results import compare_baselines, measure, write_results
from hairjax.system import console


@dataclass(frozen=True, eq=False)
class Mistakes:
    """The mistakes to show.

    Attributes:
        chosen: indices among the predicted photographs, int [m].
        maps: maps of the classes that they were given, float32 [m, h, w].
        total: number of mistakes.
    """

    chosen: NDArray[np.int64]
    maps: NDArray[np.float32]
    total: int


def find_mistakes(
    count: int, explain: Explain, params: dict, photos: PhotoSet, predictions: Predictions
) -> Mistakes | None:
    """The most confident errors with their maps; every process of a run calls this.

    Args:
        count: largest number shown; 0: no gallery.
        explain: the model's maps.
        params: parameters of the best epoch.
        photos: those that were judged.
        predictions: predictions for them.
    """
    if not count:
        return None
    chosen = most_confident_errors(predictions, count)
    maps = np.empty((0, 0, 0), np.float32)
    if len(chosen):
        maps = explain(params, photos.subset(chosen), predictions.predicted[chosen])
    return Mistakes(chosen, maps, int(np.sum(predictions.predicted != predictions.labels)))


@dataclass(frozen=True, eq=False)
class Trained:
    """Result of a training.

    Attributes:
        best: the best epoch.
        predictions: predictions of that epoch for the validation photographs.
        mistakes: mistakes among them to show in the report; None for no photograph in it.
    """

    best: dict[str, Any]
    predictions: Predictions
    mistakes: Mistakes | None


def finish_run(
    folder: RunFolder,
    photos: PhotoSet,
    split: np.ndarray,
    columns: Mapping[str, Mapping[str, str]],
    trained: Trained,
) -> dict[str, Any]:
    """Write predictions, metrics, figures and report, and show the metrics.

    Args:
        folder: folder of the run.
        photos: all of them.
        split: split of each photograph.
        columns: further columns of the manifest, as `manifest.read_columns` returns them.
        trained: the best epoch and its predictions.

    Returns:
        The metrics, as in ``metrics.json``, which holds their intervals and the analysis too.
    """
    best, predictions, mistakes = trained.best, trained.predictions, trained.mistakes
    results = measure(predictions)
    analysis = analyse(predictions, results.sample, predictions, columns)
    train, validation = (np.flatnonzero(split == name) for name in ("train", "validation"))
    compared = compare_baselines(photos, train, validation)
    write_results(folder, best["epoch"], predictions, results, analysis, compared)
    # The report is made of the files of the run alone, and these are among them.
    remove_gallery(folder.gallery)
    if mistakes is None:  # no photograph in it at all: of an earlier `explain` neither
        for examples in folder.explained.glob("*/examples"):
            remove_gallery(examples)
    else:
        write_gallery(
            photos.subset(validation[mistakes.chosen]),
            predictions.subset(mistakes.chosen),
            mistakes.maps,
            best["epoch"],
            mistakes.total,
            folder.gallery,
        )
    report_run(folder)
    show_metrics(f"validation, epoch {best['epoch']}", results, compared)
    show_analysis(analysis)
    console.say(f"report: {folder.report}")
    return {"epoch": best["epoch"], **results.metrics}
