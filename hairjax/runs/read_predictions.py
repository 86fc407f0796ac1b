"""Runs that judged the same photographs: predictions read back, runs put together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from hairjax.config.resume import free_on_resume
from hairjax.config.schema import flatten
from hairjax.data.split import read_rows
from hairjax.evaluation.predictions import Predictions, read_predictions
from hairjax.runs.folder import RunFolder, results_name
from hairjax.system.errors import UserError, examples
from hairjax.system.paths import require_run
from hairjax.system.program import command_line

_EXAMPLES = 3
# What may differ between the runs of one configuration: the seed, and what a resume may change.
# Other weights or masks train another model, though they may lie elsewhere on another machine.
_NEVER_FREE = {"weights.source", "weights.second", "data.masks", "data.second_masks"}


@dataclass(frozen=True, eq=False)
class RunPredictions:
    """Predictions of a run's best model for one of its splits.

    Attributes:
        path: directory of the run; for all folds of a division, the folder that holds them.
        folder: folder of the run; for folds, of the first.
        config: configuration of the run.
        predictions: predictions in the order of the first run that it is compared with.
        sha256: digest of the contents of every evaluated photograph.
        trained: (contents, class) of every photograph that the run was trained on.
    """

    path: Path
    folder: RunFolder
    config: ConfigDict
    predictions: Predictions
    sha256: dict[str, str]
    trained: frozenset[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class RunGroup:
    """A configuration and its runs, named by what sets it apart."""

    name: str
    runs: tuple[RunPredictions, ...]


def read_run(workdir: Path, split: str, flips: bool = False) -> RunPredictions:
    """Read a run's predictions for one of its splits, ``validation`` or ``test``.

    Args:
        workdir: the run.
        split: the split.
        flips: those that were made with flips, or those without.

    Raises:
        UserError: there is no run or split, the predictions are missing (the message has the
            command that writes them), are of another epoch than the best, or are not of those
            photographs.
    """
    folder = RunFolder(workdir)
    require_run(folder.path)
    rows = read_rows(folder.split)
    if not any(row["split"] == split for row in rows):
        raise UserError(f"{workdir} has no {split} photographs")
    by_training = split == "validation" and not flips
    evaluated = folder if by_training else RunFolder(workdir / results_name(split, flips))
    flags = ["evaluate", f"--workdir={workdir}", f"--split={split}", *["--flips"] * flips]
    if by_training:
        flags = [f"--config={folder.config}", f"--workdir={workdir}"]
    command = command_line(*flags)
    if not evaluated.predictions.is_file():
        raise UserError(f"there is no {evaluated.predictions}; this writes it: {command}")
    best, told = (place.read_epoch() for place in (folder, evaluated))
    if best != told:
        raise UserError(
            f"{evaluated.predictions} is of epoch {told}, and the best epoch of {workdir} is now "
            f"{best}; this writes it again: {command}"
        )
    subjects = {row["file"]: row["subject"] for row in rows}
    predictions = read_predictions(evaluated.predictions, folder.read_classes(), subjects, flips)
    listed = {row["file"]: row for row in rows if row["split"] == split}
    if sorted(predictions.files) != sorted(listed):
        raise UserError(
            f"{evaluated.predictions} is not of the {len(listed):,} {split} photographs that "
            f"{folder.split} lists; this writes it again: {command}"
        )
    return RunPredictions(
        path=workdir,
        folder=folder,
        config=folder.read_config(),
        predictions=predictions,
        sha256={file: row["sha256"] for file, row in listed.items()},
        trained=frozenset((r["sha256"], r["label"]) for r in rows if r["split"] == "train"),
    )


def align(runs: Sequence[RunPredictions]) -> list[RunPredictions]:
    """Put the predictions of every run into the order of the first one's.

    Raises:
        UserError: a run judged other photographs than the first, or has other labels or classes;
            says which, with examples.
    """
    first, *others = runs
    for run in others:
        if found := _differences(first, run):
            raise UserError(
                f"{run.path} cannot be put beside {first.path}: {found}; give runs that judged the "
                "same photographs (--config.data.split=RUN/split.csv gives one run the split of "
                "another)"
            )
    order = first.predictions.files
    return [first, *(replace(run, predictions=_sorted(run.predictions, order)) for run in others)]


def _differences(first: RunPredictions, other: RunPredictions) -> str:
    """Reason why two runs cannot be compared; "" if they can."""
    theirs, ours = first.predictions.classes, other.predictions.classes
    if theirs != ours:
        return f"its classes are {', '.join(ours)}, not {', '.join(theirs)}"
    before, after = first.sha256, other.sha256
    labels = [
        dict(zip(run.predictions.files, run.predictions.labels.tolist(), strict=True))
        for run in (first, other)
    ]
    both = before.keys() & after.keys()
    kinds = {
        "photographs missing": before.keys() - after.keys(),
        "new": after.keys() - before.keys(),
        "changed": {file for file in both if before[file] != after[file]},
        "with another label": {file for file in both if labels[0][file] != labels[1][file]},
    }
    return "; ".join(
        f"{len(files):,} {kind} ({examples(sorted(files), _EXAMPLES)})"
        for kind, files in kinds.items()
        if files
    )


def _sorted(predictions: Predictions, files: Sequence[str]) -> Predictions:
    place = {file: position for position, file in enumerate(predictions.files)}
    order = [place[file] for file in files]
    return replace(
        predictions,
        files=tuple(files),
        labels=predictions.labels[order],
        probabilities=predictions.probabilities[order],
        subjects=tuple(predictions.subjects[i] for i in order),
    )


def group_runs(runs: Sequence[RunPredictions]) -> list[RunGroup]:
    """Put runs that differ in nothing but the seed together; the first run's group comes first.

    The first group is named by all in which the groups differ, every other by what it changes.
    Where all runs are of one configuration, each is a group of its own, named by its seed.
    """
    free = {"seed", *free_on_resume()} - _NEVER_FREE
    together: dict[tuple, list[RunPredictions]] = {}
    for run in runs:
        # Where photographs have moved to since makes no other configuration of it.
        values = dict(flatten(run.config)) | run.folder.moved_from()
        kept = [(key, value) for key, value in values.items() if key not in free]
        together.setdefault(tuple(sorted(kept, key=lambda pair: pair[0])), []).append(run)
    if len(together) == 1:
        seeds = [f"seed={run.config.seed}" for run in runs]
        same = len(set(seeds)) < len(seeds)
        return [
            RunGroup(f"{seed}, {run.path}" if same else seed, (run,))
            for seed, run in zip(seeds, runs, strict=True)
        ]
    configs = [dict(pairs) for pairs in together]
    reference = configs[0]
    varied = sorted(
        key
        for key in set().union(*configs)
        if any(config.get(key) != reference.get(key) for config in configs)
    )
    return [
        RunGroup(_name(config, reference, varied), tuple(members))
        for config, members in zip(configs, together.values(), strict=True)
    ]


def _name(values: dict[str, Any], reference: dict[str, Any], varied: Sequence[str]) -> str:
    """Name of a configuration: the keys it changes; for the reference, all that others change."""
    changed = [key for key in varied if values.get(key) != reference.get(key)] or varied
    # A run as it was trained lacks what was made of another, and that alone.
    named = [key for key in changed if key in values]
    return ", ".join(f"{key}={_written(values[key])}" for key in named) or "as trained"


def _written(value: Any) -> str:
    """A value as a flag takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "()"
    return str(value) if str(value) else "''"
