"""What a run leaves behind: predictions, metrics, figures and the report of its best epoch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from hairjax.data.photoset import PhotoSet
from hairjax.display import Display
from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.predictions import Predictions
from hairjax.report_run import report_run
from hairjax.results import (
    compare_baselines,
    measure,
    show_analysis,
    show_results,
    write_results,
)
from hairjax.run import RunFolder


def finish(
    config: ConfigDict,
    folder: RunFolder,
    photos: PhotoSet,
    split: np.ndarray,
    best: dict[str, Any],
    predictions: Predictions,
    columns: Mapping[str, Mapping[str, str]],
    display: Display,
) -> dict[str, float]:
    """Write predictions, metrics, figures and report, and show the metrics.

    Args:
        config: of the run.
        folder: of the run.
        photos: all of them.
        split: what each is for.
        best: the best epoch.
        predictions: its predictions for the validation photographs.
        columns: what else is known of the photographs, as `manifest.read_columns` returns it.
        display: what a person sees.

    Returns:
        The metrics, as in ``metrics.json``, which holds their intervals and the analysis too.
    """
    results = measure(predictions, config.seed)
    analysis = analyse(predictions, results.sample, predictions, columns)
    train, validation = (np.flatnonzero(split == name) for name in ("train", "validation"))
    compared = compare_baselines(photos, train, validation)
    write_results(folder, best["epoch"], predictions, results, analysis, compared)
    # The report is made of the files of the run alone. What needs the model or the photographs,
    # such as pictures of mistakes, is made here and stored before it.
    report_run(folder)
    show_results(f"validation, epoch {best['epoch']}", results, compared, display)
    show_analysis(analysis, display)
    display.say(f"report: {folder.report}")
    return {"epoch": best["epoch"], **results.metrics}
