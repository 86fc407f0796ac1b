"""Final files of a run: predictions, metrics, figures and report of its best epoch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.explain.maps import Explain
from hairjax.evaluation.predictions import Predictions
from hairjax.report.gallery import remove_gallery, surest_mistakes, write_gallery
from hairjax.report.run_report import report_run
from hairjax.report.show_results import show_analysis, show_metrics
from hairjax.runs.folder import RunFolder
from hairjax.runs.results import compare_baselines, measure, write_results
from hairjax.system import console


@dataclass(frozen=True, eq=False)
class Mistakes:
    """Most confident errors for the report's gallery."""

    chosen: NDArray[np.int64]  # indices into the predictions, int [m]
    maps: NDArray[np.float32]  # explanation maps of the predicted classes, float32 [m, h, w]
    total: int  # number of errors


def find_mistakes(
    count: int, explain: Explain, params: dict, photos: PhotoSet, predictions: Predictions
) -> Mistakes | None:
    """Up to ``count`` most confident errors with explanation maps; called by every process.

    Returns None for a count of 0.
    """
    if not count:
        return None
    chosen = surest_mistakes(predictions, count)
    maps = np.empty((0, 0, 0), np.float32)
    if len(chosen):
        maps = explain(params, photos.subset(chosen), predictions.predicted[chosen])
    return Mistakes(chosen, maps, int(np.sum(predictions.predicted != predictions.labels)))


@dataclass(frozen=True, eq=False)
class Trained:
    """Result of a training."""

    best: dict[str, Any]  # best epoch
    predictions: Predictions  # its validation predictions
    mistakes: Mistakes | None  # errors for the gallery; None for a report without photographs


def finish_run(
    folder: RunFolder,
    photos: PhotoSet,
    split: np.ndarray,
    trained: Trained,
) -> dict[str, Any]:
    """Write predictions, metrics, figures and report; print the metrics.

    Returns the metrics of ``metrics.json``, without intervals and analysis.
    """
    best, predictions, mistakes = trained.best, trained.predictions, trained.mistakes
    results = measure(predictions)
    analysis = analyse(predictions, results.sample, predictions, photos.further.columns)
    train, validation = (np.flatnonzero(split == name) for name in ("train", "validation"))
    compared = compare_baselines(photos, train, validation)
    write_results(folder, best["epoch"], predictions, results, analysis, compared)
    # Before the report, which is built from the run's files only.
    remove_gallery(folder.gallery)
    if mistakes is None:  # no photographs in the report, nor those of an earlier `explain`
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
