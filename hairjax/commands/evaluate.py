"""Evaluate a run's best model on one of its splits or on another folder."""

from pathlib import Path

import numpy as np

from hairjax.builders.inputs import require_one_view
from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.manifest import Manifest, read_columns
from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.predictions import Predictions
from hairjax.parallel.compilation import keep_compiled
from hairjax.report.run_report import rewrite_report
from hairjax.report.show_results import plot_results, show_analysis, show_metrics
from hairjax.runs.access import describe_access, record_access
from hairjax.runs.folder import RunFolder
from hairjax.runs.load import load_run
from hairjax.runs.photographs import Selection, read_asked_photographs
from hairjax.runs.read_predictions import read_run
from hairjax.runs.results import compare_baselines, measure, write_results
from hairjax.runs.run import Run
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.wording import counted


def evaluate_run(workdir: str, asked: Selection, out: str) -> dict[str, float]:
    """Predict, write ``predictions.csv``, ``metrics.json`` and figures, and show.

    An access to test photographs of the run goes into its ``looks.csv`` before anything of it is
    written or shown, and the run's report is written again.

    Args:
        workdir: the run.
        asked: selection of the photographs.
        out: a folder for the results; empty for one inside the run named like the split.

    Returns:
        The metrics, as in ``metrics.json``, which holds their intervals and the analysis too.

    Raises:
        UserError: there is no such run or split, or photographs cannot be used.
    """
    split = asked.split
    folder = Path(out) if out else Path(workdir) / split
    if RunFolder(folder).config.exists():
        raise UserError(f"--out={folder} is a run, whose results would be overwritten")
    run = _with_asked(load_run(workdir), asked)
    keep_compiled(run.setup.devices.compiled)
    data, compared = _read_photographs(run, split)
    folder.mkdir(parents=True, exist_ok=True)
    predictions = run.predictor(run.params, data)
    results = measure(predictions)
    accuracy = results.metrics["accuracy"]
    opened = record_access(run.folder, data, split, accuracy, command="evaluate")
    validation = predictions if split == "validation" else _validation_predictions(workdir)
    source = run.setup.source
    columns = read_columns(source.manifest, source.views[0].photos)
    analysis = analyse(predictions, results.sample, validation, columns)
    target = RunFolder(folder)
    write_results(target, run.best["epoch"], predictions, results, analysis, compared)
    plot_results(predictions, analysis, target)
    show_metrics(f"{split}, {counted(len(data), 'photograph')}", results, compared)
    show_analysis(analysis)
    console.say(f"written: {folder}")
    if opened:
        console.say(describe_access(run.folder.test_access, opened))
        rewrite_report(run.folder)
    return {"epoch": run.best["epoch"], **results.metrics}


def _with_asked(run: Run, asked: Selection) -> Run:
    """The run, with the photographs that it is asked on."""
    if asked.photos or asked.manifest:
        require_one_view(run.setup.source, "--photos")
        run = run.with_mask_value(asked.mask_value)
        return run.with_photographs(
            photos=asked.photos,
            masks=asked.masks,
            manifest=Manifest(asked.manifest, asked.columns, asked.prefix),
            subject=asked.subject,
            spelling=asked.spelling,
        )
    if asked.masks:
        raise UserError("--masks goes with --photos, for other photographs than the run's")
    return run


def _validation_predictions(workdir: str) -> Predictions | str:
    """Validation predictions of the run's best model, or in words why there are none."""
    try:
        return read_run(Path(workdir), "validation").predictions
    except UserError as error:
        return str(error)


def _read_photographs(run: Run, split: str) -> tuple[PhotoSet, dict[str, dict[str, float]]]:
    """The photographs to evaluate, and how the baselines do on them if they are a split's."""
    data, parts, chosen = read_asked_photographs(run, split)
    if split == "all":
        return data, {}
    compared = compare_baselines(data, np.flatnonzero(parts == "train"), chosen)
    return data.subset(chosen), compared
