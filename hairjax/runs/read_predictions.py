"""Stored predictions of runs: reading, alignment, grouping by configuration."""

import shlex
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

_EXAMPLES = 3
# Runs of one configuration may differ in the seed and in keys that a resume may change, except
# these.
_NEVER_FREE = {"weights.source", "weights.second", "data.masks", "data.second_masks"}


@dataclass(frozen=True, eq=False)
class RunPredictions:
    """Predictions of a run's best model for a split."""

    path: Path  # run directory; for cross-validation, the folder of all folds
    folder: RunFolder  # folder of the run; for cross-validation, of the first fold
    config: ConfigDict  # configuration of the run
    predictions: Predictions  # predictions, after `align` in the order of the first run
    sha256: dict[str, str]  # digest of the contents of every evaluated image, by file
    trained: frozenset[tuple[str, str]]  # (contents, class) of every training image


@dataclass(frozen=True, eq=False)
class RunGroup:
    """Runs of one configuration, named by its differences from others."""

    name: str
    runs: tuple[RunPredictions, ...]


def read_run(workdir: Path, split: str, flips: bool = False) -> RunPredictions:
    """Read a run's predictions for ``validation`` or ``test``, with or without flips.

    Raises:
        UserError: there is no run or split; predictions are missing (with the command to write
            them), of another epoch than the best, or of other images.
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
    command = shlex.join(["python", "launch.py", *flags])
    if not evaluated.predictions.is_file():
        raise UserError(f"there is no {evaluated.predictions}; write it with: {command}")
    best, epoch = (place.read_epoch() for place in (folder, evaluated))
    if best != epoch:
        raise UserError(
            f"{evaluated.predictions} is of epoch {epoch}, and the best epoch of {workdir} is now "
            f"{best}; write it again with: {command}"
        )
    subjects = {row["file"]: row["subject"] for row in rows}
    predictions = read_predictions(evaluated.predictions, folder.read_classes(), subjects, flips)
    listed = {row["file"]: row for row in rows if row["split"] == split}
    if sorted(predictions.files) != sorted(listed):
        raise UserError(
            f"{evaluated.predictions} is not of the {len(listed):,} {split} photographs in "
            f"{folder.split}; write it again with: {command}"
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
    """Reorder the predictions of all runs like the first run's.

    Raises:
        UserError: images, labels or classes differ; names examples.
    """
    first, *others = runs
    for run in others:
        if found := _differences(first, run):
            raise UserError(
                f"{run.path} cannot be compared with {first.path}: {found}; give runs evaluated "
                "on the same photographs (train with --config.data.split=RUN/split.csv to share "
                "a split)"
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
    """Group runs that differ in the seed only; the first run's group comes first.

    The first group is named by all keys that differ between groups, the others by their changes. If
    all runs share a configuration, each is a group named by its seed.
    """
    free = {"seed", *free_on_resume()} - _NEVER_FREE
    together: dict[tuple, list[RunPredictions]] = {}
    for run in runs:
        # Moved images do not change the configuration.
        values = dict(flatten(run.config)) | run.folder.original_places()
        fixed = [(key, value) for key, value in values.items() if key not in free]
        together.setdefault(tuple(sorted(fixed, key=lambda pair: pair[0])), []).append(run)
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
    # Only derived runs have the keys of the section ``made``.
    named = [key for key in changed if key in values]
    return ", ".join(f"{key}={_format(values[key])}" for key in named) or "as trained"


def _format(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "()"
    return str(value) if str(value) else "''"
