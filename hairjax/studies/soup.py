"""Greedy model soup: mean parameters of several runs.

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy
without increasing inference time", ICML 2022, Recipe 1.
"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from hairjax.builders.setup import resolve
from hairjax.config.schema import flatten
from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.metrics.classification import comparable, evaluate, log_loss
from hairjax.parallel.compilation import keep_compiled
from hairjax.report.show_results import RESULTS, result_cells
from hairjax.runs.aligned import photograph_rows
from hairjax.runs.ancestry import joined, run_ancestry, write_ancestry
from hairjax.runs.derived import has_parameters
from hairjax.runs.folder import RunFolder
from hairjax.runs.load import load_run
from hairjax.runs.photographs import read_run_photographs
from hairjax.runs.read_predictions import RunPredictions, align, read_run
from hairjax.runs.run import Run
from hairjax.studies.derived import (
    begin_derived,
    derived_config,
    require_no_leakage_of_runs,
    write_evaluation,
)
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.files import write_csv
from hairjax.weights.checkpoint import Checkpoints

# Keys that must agree for parameters to be averaged.
_SAME = (
    "model.name",
    "model.in_channels",
    "model.second",
    "model.second_sees",
    "model.fuse_after",
    "model.hidden",
    "model.head",
    "model.mask_shifted",
    "data.image_size",
    "data.stored_size",
    "data.fit",
)
_STEP = 0  # step of the only checkpoint


class Ingredient(NamedTuple):
    """Candidate run: value of the soup with it, and whether it was included."""

    run: int
    value: float  # higher is better; the loss is negated
    loss: float
    included: bool


def make_soup(workdirs: Sequence[str], *, out: Path) -> list[Ingredient]:
    """Average the best parameters of runs greedily; write a run folder and ``soup.csv``, and print.

    Starts with the best run by ``keep.best_by``; each other is included if the validation metric
    does not decrease. All runs, two or more, have one model and the same validation images. Returns
    them in the order of trial.

    Raises:
        UserError: models or images differ, or the folder is not empty.
    """
    aligned = align([read_run(Path(workdir), "validation") for workdir in workdirs])
    _require_alike(aligned)
    rows = photograph_rows(aligned)
    require_no_leakage_of_runs([run.folder for run in aligned], rows)
    runs = [load_run(workdir) for workdir in workdirs]
    keep_compiled(runs[0].setup.devices.compiled)
    photos = _validation_photographs(runs[0])
    best_by = runs[0].setup.training.best_by

    def score(params: dict) -> tuple[float, float]:
        predictions = runs[0].predictor(params, photos)
        found = evaluate(predictions.labels, predictions.probabilities)
        loss = log_loss(predictions.labels, predictions.probabilities)
        return comparable(found.get(best_by, -loss)), loss

    params, tried = greedy_soup([jax.device_get(run.params) for run in runs], score)
    included = sorted(one.run for one in tried if one.included)
    places = [Path(workdir) for workdir in workdirs]
    epochs = [runs[i].best["epoch"] for i in included]
    config = derived_config(runs[0].config, "soup", [places[i] for i in included], out)
    folder = RunFolder(out)
    begin_derived(folder, config, runs[0].classes, rows)
    folder.write_levels(photos)
    write_ancestry(folder, joined([run_ancestry(places[i]) for i in included]))
    _save(folder, params, epochs, tried)
    _write_tried(folder.path / "soup.csv", places, best_by, tried)
    predictions = runs[0].predictor(params, photos)
    results = write_evaluation(folder, epochs, predictions, resolve(config), predictions)
    _show(places, best_by, tried)
    console.table("validation", ["", *RESULTS], [["soup", *result_cells(results)]])
    command = shlex.join(["python", "launch.py", "evaluate", f"--workdir={out}", "--split=test"])
    console.say(f"selected on these photographs: {command} is unbiased")
    console.say(f"written: {out}")
    return tried


def greedy_soup(
    members: Sequence[dict], score: Callable[[dict], tuple[float, float]]
) -> tuple[dict, list[Ingredient]]:
    """Average parameters of models, on the host, greedily, while the score does not decrease.

    `score` returns (score, higher is better; log-loss, the tie-breaker of the order).

    Returns:
        The mean of the included members, and all members in the order of trial.
    """
    single = [score(member) for member in members]
    order = sorted(range(len(members)), key=lambda i: (-single[i][0], single[i][1]))
    included, best = [order[0]], single[order[0]][0]
    tried = [Ingredient(order[0], *single[order[0]], included=True)]
    for i in order[1:]:
        value, loss = score(mean_params([members[j] for j in [*included, i]]))
        tried.append(Ingredient(i, value, loss, included=value >= best))
        if value >= best:
            included.append(i)
            best = value
    return mean_params([members[i] for i in included]), tried


def mean_params(members: Sequence[dict]) -> dict:
    """Mean of every parameter, computed in float64."""

    def mean(*leaves: np.ndarray) -> np.ndarray:
        return np.mean([np.asarray(x, np.float64) for x in leaves], 0).astype(leaves[0].dtype)

    return jax.tree.map(mean, *members)


def _require_alike(runs: Sequence[RunPredictions]) -> None:
    for run in runs:
        if not has_parameters(run.config):
            raise UserError(
                f"{run.path} was written by {run.config.made.by} and has no parameters of its own: "
                "give runs"
            )
    first, *others = (_decisive(run) for run in runs)
    for run, config in zip(runs[1:], others, strict=True):
        if changed := [key for key in first if config[key] != first[key]]:
            listed = "; ".join(f"config.{key}: {first[key]!r} → {config[key]!r}" for key in changed)
            raise UserError(
                f"{run.path} differs from {runs[0].path} in model or preparation ({listed}): "
                "their parameters cannot be averaged; use ensemble"
            )


def _decisive(run: RunPredictions) -> dict[str, Any]:
    flat, normalise = dict(flatten(run.config)), resolve(run.config).inputs.normalise
    return {key: flat[key] for key in _SAME} | {"data.normalise": normalise}


def _validation_photographs(run: Run) -> PhotoSet:
    console.say(f"source: {run.setup.source.describe()}")
    photos, split = read_run_photographs(run.setup, run.folder, run.classes)
    return photos.subset(split == "validation")


def _save(folder: RunFolder, params: dict, epochs: list[Any], tried: Sequence[Ingredient]) -> None:
    value, loss = next((s.value, s.loss) for s in reversed(tried) if s.included)
    best = {"epoch": epochs, "step": _STEP, "value": value, "loss": loss}
    checkpoints = Checkpoints(folder.checkpoints)
    try:
        before = checkpoints.best()
        if before is None:
            # No training state; orbax saves no empty tree.
            checkpoints.save(_STEP, params, {"runs": np.int32(len(epochs))}, best)
        elif before["epoch"] != epochs:
            raise UserError(
                f"{folder.path} was made of the epochs {before['epoch']}, and the best epochs of "
                f"its runs are now {epochs}: give another --workdir"
            )
    finally:
        checkpoints.close()


def _write_tried(
    path: Path, places: Sequence[Path], best_by: str, tried: Sequence[Ingredient]
) -> None:
    rows = ([places[s.run], s.value, s.loss, s.included] for s in tried)
    write_csv(path, ["run", *_columns(best_by)], rows)


def _show(places: Sequence[Path], best_by: str, tried: Sequence[Ingredient]) -> None:
    for number, place in enumerate(places, 1):
        console.say(f"{number}: {place}")
    rows = [
        [str(s.run + 1), f"{s.value:.4f}", f"{s.loss:.4f}", "yes" if s.included else "no"]
        for s in tried
    ]
    console.table("greedy soup", ["run", *_columns(best_by)], rows)


def _columns(best_by: str) -> list[str]:
    value = "minus loss" if best_by == "loss" else best_by
    return [f"{value} with it", "log-loss with it", "kept"]
