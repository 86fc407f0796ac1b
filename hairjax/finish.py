"""What a run leaves behind: predictions, metrics, figures and the report of its best epoch."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from hairjax.config import to_plain, weights_source
from hairjax.data.load import describe_source
from hairjax.data.photoset import PhotoSet
from hairjax.data.split import SPLITS
from hairjax.display import Display
from hairjax.evaluation.analysis import Analysis, analyse
from hairjax.evaluation.predictions import Predictions
from hairjax.report.analysis_section import AnalysisSection
from hairjax.report.figures import learning_curves
from hairjax.report.page import Report, write_report
from hairjax.results import (
    Results,
    as_json,
    compare_baselines,
    measure,
    show_analysis,
    show_results,
    write_figures,
    write_results,
)
from hairjax.run import RunFolder

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "pillow")


def finish(
    config: ConfigDict,
    folder: RunFolder,
    photos: PhotoSet,
    split: np.ndarray,
    best: dict[str, Any],
    predictions: Predictions,
    parameters: int,
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
        parameters: how many numbers the model has.
        columns: what else is known of the photographs, as `manifest.read_columns` returns it.
        display: what a person sees.

    Returns:
        The metrics, as in ``metrics.json``, which holds their intervals and the analysis too.
    """
    results = measure(predictions, config.seed)
    analysis = analyse(predictions, results.sample, predictions, columns)
    metrics = {"epoch": best["epoch"], **results.metrics}
    write_results(predictions, results, folder.predictions, folder.confusion)
    write_figures(results.sample, analysis, folder)
    folder.write_json(folder.metrics, metrics | as_json(results, analysis))
    history = folder.read_lines(folder.history)
    learning_curves(history, best["epoch"], folder.curves)
    parts = {name: np.flatnonzero(split == name) for name in SPLITS}
    compared = compare_baselines(photos, parts["train"], parts["validation"])
    report = _build_report(
        config, folder, photos, parts, metrics, results, analysis, compared, history, parameters
    )
    write_report(report, folder.report)
    show_results(f"validation, epoch {best['epoch']}", results, compared, display)
    show_analysis(analysis, display)
    display.say(f"report: {folder.report}")
    return metrics


def _build_report(
    config: ConfigDict,
    folder: RunFolder,
    photos: PhotoSet,
    parts: dict[str, np.ndarray],
    metrics: dict[str, float],
    results: Results,
    analysis: Analysis,
    compared: dict[str, dict[str, float]],
    history: list[dict[str, Any]],
    parameters: int,
) -> Report:
    """What the report of a run says; ``parts``: which of its photographs are in each split."""
    classes, subjects = photos.classes, np.array(photos.subjects)
    return Report(
        title=f"{config.data.view.upper()}: {config.model.name}",
        source=describe_source(config),
        synthetic=config.data.source == "synthetic",
        model=config.model.name,
        parameters=parameters,
        weights="random weights" if config.weights.source == "none" else weights_source(config),
        classes=classes,
        counts={
            name: np.bincount(photos.labels[part], minlength=len(classes)).tolist()
            for name, part in parts.items()
        },
        subjects={name: len(set(subjects[part]) - {""}) for name, part in parts.items()},
        split="validation",
        metrics=metrics,
        best_by=config.keep.best_by,
        intervals=results.intervals,
        interval_note=results.interval_note,
        baselines=compared,
        confusion=results.confusion,
        analysis=AnalysisSection(analysis, folder.reliability, folder.risk_coverage),
        history=history,
        timing=folder.read_lines(folder.timing),
        config=to_plain(config),
        versions={"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        hardware={
            "devices": f"{jax.device_count()} × {jax.devices()[0].device_kind}",
            "system": f"{platform.system()} {platform.machine()}",
        },
        curves_figure=folder.curves,
        confusion_figure=folder.confusion,
    )
