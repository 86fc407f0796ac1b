"""Evaluate a run's best model on one of its splits or on another folder."""

from pathlib import Path

import numpy as np

from hairjax.data.load import describe_source, load_data
from hairjax.data.manifest import read_columns
from hairjax.data.pairs import require_one_view
from hairjax.data.photoset import PhotoSet
from hairjax.data.split import read_own_split, read_rows
from hairjax.devices import keep_compiled
from hairjax.display import Display
from hairjax.errors import UserError
from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.predictions import Predictions
from hairjax.judged import read_run
from hairjax.looks import add_look, describe_looks, new_look
from hairjax.made import made_of
from hairjax.report_run import is_finished, report_run
from hairjax.results import (
    compare_baselines,
    draw_results,
    measure,
    show_analysis,
    show_results,
    write_results,
)
from hairjax.run import Run, RunFolder, load_run


def evaluate_run(
    workdir: str,
    split: str,
    *,
    photos: str,
    masks: str,
    manifest: str,
    out: str,
    display: Display,
) -> dict[str, float]:
    """Predict, write ``predictions.csv``, ``metrics.json`` and figures, and show.

    A look at test photographs of the run goes into its ``looks.csv`` before anything of it is
    written or shown, and the run's report is written again.

    Args:
        workdir: the run.
        split: ``validation``, ``test``, ``train``, or ``all`` for every photograph of a folder
            that is not the run's.
        photos: another folder of photographs; empty for where the run's were.
        masks: their masks, likewise.
        manifest: their manifest, likewise.
        out: a folder for the results; empty for one inside the run named like the split.
        display: what a person sees.

    Returns:
        The metrics, as in ``metrics.json``, which holds their intervals and the analysis too.

    Raises:
        UserError: there is no such run or split, or photographs cannot be used.
    """
    folder = Path(out) if out else Path(workdir) / split
    if RunFolder(folder).config.exists():
        raise UserError(f"--out={folder} is a run, whose results would be overwritten")
    run = load_run(workdir)
    keep_compiled(run.config.devices.compiled)
    data, compared = _read_photographs(run, split, photos, masks, manifest, display)
    folder.mkdir(parents=True, exist_ok=True)
    predictions = run.judge(run.params, data)
    results = measure(predictions, run.config.seed)
    accuracy = results.metrics["accuracy"]
    opened = count_look(run.folder, data, split, accuracy, command="evaluate")
    validation = predictions if split == "validation" else _validation_predictions(workdir)
    columns = read_columns(run.config.data.manifest, run.config.data.photos)
    analysis = analyse(predictions, results.sample, validation, columns)
    target = RunFolder(folder)
    write_results(target, run.best["epoch"], predictions, results, analysis, compared)
    draw_results(predictions, analysis, target)
    show_results(f"{split}, {len(data)} photographs", results, compared, display)
    show_analysis(analysis, display)
    display.say(f"written: {folder}")
    if opened:
        display.say(describe_looks(run.folder.looks, opened))
        report_again(run.folder, display)
    return {"epoch": run.best["epoch"], **results.metrics}


def count_look(folder: RunFolder, data: PhotoSet, split: str, accuracy: float, command: str) -> int:
    """How often test photographs of a run have been looked at; 0 where ``data`` has none of them.

    They are known by their contents, so that a copy of their folder counts too. A look at what was
    made of runs is one at theirs, those that are still there.
    """
    tests = {row["sha256"] for row in read_rows(folder.split) if row["split"] == "test"}
    if tests.isdisjoint(data.sha256):
        return 0
    runs = map(RunFolder, made_of(folder)) if "made" in folder.read_config() else ()
    times = []
    for one in (folder, *(run for run in runs if run.exists())):
        look = new_look(
            one.config, split=split, photographs=len(data), accuracy=accuracy, command=command
        )
        times.append(add_look(one.looks, look))
    return times[0]


def report_again(folder: RunFolder, display: Display) -> None:
    """Write the run's report with what is new; that of a run that goes on is written at its end."""
    if is_finished(folder):
        report_run(folder)
        display.say(f"report: {folder.report}")


def _validation_predictions(workdir: str) -> Predictions | str:
    """What the run's best model said of its validation photographs, or in words why not."""
    try:
        return read_run(Path(workdir), "validation").predictions
    except UserError as error:
        return str(error)


def _read_photographs(
    run: Run, split: str, photos: str, masks: str, manifest: str, display: Display
) -> tuple[PhotoSet, dict[str, dict[str, float]]]:
    """The photographs to evaluate, and how the baselines do on them if they are a split's."""
    if photos or manifest:
        require_one_view(run.config, "--photos")
        run.see_others(photos, masks, manifest)
    elif masks:
        raise UserError("--masks goes with --photos, for other photographs than the run's")
    data, parts, chosen = load_asked(run, split, display)
    if split == "all":
        return data, {}
    compared = compare_baselines(data, np.flatnonzero(parts == "train"), chosen)
    return data.subset(chosen), compared


def load_asked(run: Run, split: str, display: Display) -> tuple[PhotoSet, np.ndarray, np.ndarray]:
    """All photographs that a run speaks of, what each is for, and which are asked for.

    Args:
        run: whose configuration names them.
        split: one of its own, or ``all`` of other photographs.
        display: what a person sees.

    Returns:
        The photographs; str [n]; int [m].

    Raises:
        UserError: photographs cannot be used, are not the run's, or none is of the split.
    """
    config = run.config
    display.say(f"source: {describe_source(config)}")
    display.say(run.describe())
    data = load_data(config, run.classes, display)
    whole = split == "all"
    if whole:
        _tell_of_known(run.folder, data, display)
    parts = np.full(len(data), split) if whole else read_own_split(run.folder.split, data)
    chosen = np.flatnonzero(parts == split)
    if not len(chosen):
        raise UserError(f"the run has no photographs in --split={split}")
    return data, parts, chosen


def _tell_of_known(folder: RunFolder, data: PhotoSet, display: Display) -> None:
    """Say how many of other photographs the run has learnt from or chosen its epoch by."""
    used = {row["sha256"]: row["split"] for row in read_rows(folder.split)}
    known = [used.get(contents) for contents in data.sha256]
    found = {"training": known.count("train"), "validation": known.count("validation")}
    if any(found.values()):
        said = " and ".join(f"{count:,} of its {name}" for name, count in found.items() if count)
        display.say(
            f"of these {len(data):,} photographs the run knows {said} photographs: what is found "
            "flatters it; leave them out, or judge it with --split=test"
        )
