"""Evaluate a run's best model on one of its splits or on another folder."""

from pathlib import Path
from typing import Any

import numpy as np

from hairjax.builders.inputs import require_one_view
from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.manifest import Manifest
from hairjax.data.split import SPLITS
from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.metrics.classification import Metrics
from hairjax.parallel.compilation import keep_compiled
from hairjax.report.run_report import rewrite_report
from hairjax.report.show_results import plot_results, show_analysis, show_metrics
from hairjax.runs.access import describe_access, record_access
from hairjax.runs.folder import RunFolder, results_name
from hairjax.runs.load import load_run
from hairjax.runs.photographs import Selection, read_asked_photographs
from hairjax.runs.results import compare_baselines, measure, write_results
from hairjax.runs.run import Run
from hairjax.runs.temperature import validation_predictions
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.outputs import record_written, require_replaceable, with_svg
from hairjax.system.wording import counted

_FIGURES = with_svg("confusion_matrix.png", "reliability.png", "risk_coverage.png")
_WRITTEN = ("predictions.csv", "metrics.json", "baselines.json", *_FIGURES)


def evaluate_run(
    workdir: str, asked: Selection, out: str, *, flips: bool = False
) -> dict[str, Any]:
    """Predict, write ``predictions.csv``, ``metrics.json`` and figures, and show.

    An access to test photographs of the run goes into its ``looks.csv`` before anything of it is
    written or shown, and the run's report is written again.

    Args:
        workdir: the run.
        asked: selection of the photographs.
        out: a folder for the results; empty for one inside the run named like the split.
        flips: take the mean over each photograph and its mirror image.

    Returns:
        The metrics, as in ``metrics.json``, which holds their intervals and the analysis too.

    Raises:
        UserError: there is no such run or split, or photographs cannot be used.
    """
    split = asked.split
    folder = Path(out) if out else Path(workdir) / results_name(split, flips)
    _require_other_place(folder, out)
    if out:
        require_replaceable(folder, _WRITTEN)
    run = _with_asked(load_run(workdir), asked)
    run = run.with_flips() if flips else run
    keep_compiled(run.setup.devices.compiled)
    data, compared = _read_photographs(run, split)
    folder.mkdir(parents=True, exist_ok=True)
    predictions = run.predictor(run.params, data)
    results = measure(predictions)
    accuracy = float(results.sample.right.mean())
    command = f"evaluate{' --flips' if flips else ''}"
    opened = record_access(run.folder, data, split, accuracy, command=command)
    validation = predictions if split == "validation" else validation_predictions(run)
    analysis = analyse(predictions, results.sample, validation, data.further.columns)
    target = RunFolder(folder)
    epoch = run.best["epoch"]
    write_results(target, epoch, predictions, results, analysis, compared, flips=flips)
    plot_results(predictions, analysis, target)
    if out:
        record_written(folder, _WRITTEN)
    title = f"{split}, {counted(len(data), 'photograph')}{', with flips' if flips else ''}"
    show_metrics(title, results, compared)
    show_analysis(analysis)
    console.say(f"written: {folder}")
    if opened:
        console.say(describe_access(run.folder.test_access, opened))
        rewrite_report(run.folder)
    return {"epoch": epoch, **results.metrics}


def _require_other_place(folder: Path, out: str) -> None:
    """Refuse a folder that was given and is a run, or where a run has results of its own."""
    if RunFolder(folder).config.exists():
        raise UserError(f"--out={folder} is a run, whose results would be overwritten")
    own = {results_name(split, flips) for split in SPLITS for flips in (False, True)}
    if out and folder.name in own and RunFolder(folder.parent).config.exists():
        raise UserError(
            f"--out={folder} is where results of the run {folder.parent} are kept, which would be "
            "overwritten; leave --out out for these, or give another"
        )


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
            mask_rule=run.mask_rule(asked.mask_name, asked.mask_category),
        )
    if asked.masks:
        raise UserError("--masks goes with --photos, for other photographs than the run's")
    return run


def _read_photographs(run: Run, split: str) -> tuple[PhotoSet, dict[str, Metrics]]:
    """The photographs to evaluate, and how the baselines do on them if they are a split's."""
    data, parts, chosen = read_asked_photographs(run, split)
    if split == "all":
        return data, {}
    compared = compare_baselines(data, np.flatnonzero(parts == "train"), chosen)
    return data.subset(chosen), compared
