"""Evaluate a run's best model on a split or on other images."""

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
from hairjax.runs.photographs import Selection, read_selected_photographs
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
    workdir: str, selection: Selection, out: str, *, flips: bool = False
) -> dict[str, Any]:
    """Predict, write ``predictions.csv``, ``metrics.json`` and figures, and print.

    Test-set accesses are recorded in ``looks.csv`` before results are written or printed; the run's
    report is updated.

    Args:
        workdir: run directory.
        selection: images to evaluate.
        out: output folder; "" for one inside the run named like the split.
        flips: True to average over flips.

    Returns:
        The metrics, as in ``metrics.json``.

    Raises:
        UserError: there is no such run or split, or images are unusable.
    """
    split = selection.split
    folder = Path(out) if out else Path(workdir) / results_name(split, flips)
    _require_other_place(folder, out)
    if out:
        require_replaceable(folder, _WRITTEN)
    run = _with_selection(load_run(workdir), selection)
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
    if RunFolder(folder).config.exists():
        raise UserError(f"--out={folder} is a run, and its results would be overwritten")
    own = {results_name(split, flips) for split in SPLITS for flips in (False, True)}
    if out and folder.name in own and RunFolder(folder.parent).config.exists():
        raise UserError(
            f"--out={folder} holds results of the run {folder.parent}, which would be "
            "overwritten; omit --out or give another folder"
        )


def _with_selection(run: Run, selection: Selection) -> Run:
    if selection.photos or selection.manifest:
        require_one_view(run.setup.source, "--photos")
        run = run.with_mask_value(selection.mask_value)
        return run.with_photographs(
            photos=selection.photos,
            masks=selection.masks,
            manifest=Manifest(selection.manifest, selection.columns, selection.prefix),
            subject=selection.subject,
            spelling=selection.spelling,
            mask_rule=run.mask_rule(selection.mask_name, selection.mask_category),
        )
    if selection.masks:
        raise UserError("--masks requires --photos: the run's photographs have their own masks")
    return run


def _read_photographs(run: Run, split: str) -> tuple[PhotoSet, dict[str, Metrics]]:
    data, parts, chosen = read_selected_photographs(run, split)
    if split == "all":
        return data, {}
    compared = compare_baselines(data, np.flatnonzero(parts == "train"), chosen)
    return data.subset(chosen), compared
