"""Cross-validation: every photograph judged once, by the model of the fold that held it out."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from hairjax.builders.data_set import load_data
from hairjax.builders.model import find_model_weights
from hairjax.builders.setup import Setup, resolve
from hairjax.commands.evaluate import evaluate_run
from hairjax.config.load import at_its_places, from_plain, to_plain
from hairjax.config.resume import differences
from hairjax.data.split import read_rows, split_rows
from hairjax.evaluation.metrics.classification import evaluate, why_undefined
from hairjax.evaluation.predictions import Predictions, join_predictions, write_predictions
from hairjax.report.figures.classification import confusion_figure
from hairjax.report.numbers import number
from hairjax.runs.ancestry import weights_ancestry
from hairjax.runs.folder import RunFolder
from hairjax.runs.overlap import require_unlearnt
from hairjax.runs.photographs import Selection
from hairjax.runs.read_predictions import RunPredictions, read_run
from hairjax.runs.results import Results, measure
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.outputs import require_replaceable, with_svg
from hairjax.system.wording import counted
from hairjax.training.train import train_run

_EXAMPLES = 3
# What is written beside the folds.
_WRITTEN = ("predictions.csv", "metrics.json", *with_svg("confusion_matrix.png"))


@dataclass(frozen=True, eq=False)
class Folds:
    """Folds of one division, each with its model's predictions for the photographs held out."""

    runs: tuple[RunPredictions, ...]

    @property
    def predictions(self) -> Predictions:
        """Predictions for all photographs, fold after fold."""
        parts = [run.predictions for run in self.runs]
        return join_predictions(parts, parts[0].classes)

    @property
    def fold(self) -> list[int]:
        """Fold that held out each photograph."""
        return [i for i, run in enumerate(self.runs) for _ in run.predictions.files]


def cross_validate(config: ConfigDict, out: Path) -> dict[str, Any]:
    """Train the folds that are not finished, judge what each held out, and put them together.

    Killed, it goes on where it was; a fold may also be trained by itself, on another machine.

    Args:
        config: checked; ``data.folds`` says how many, ``data.fold`` nothing.
        out: has a run in ``fold_0``, ``fold_1`` …; the results go beside them.

    Returns:
        What ``metrics.json`` holds.

    Raises:
        UserError: as `train_run` and `evaluate_run`, or the folds are not of one division.
    """
    every = [RunFolder(fold_path(out, fold)) for fold in range(config.data.folds)]
    if not any(folder.exists() for folder in every):
        require_replaceable(out, _WRITTEN, "--workdir")
    for folder in every:
        if folder.exists():  # and may have been told where its photographs are now
            config = at_its_places(folder.path, config)
    if not all(folder.exists() for folder in every):
        _require_unlearnt(resolve(config))
    for fold in range(config.data.folds):
        mine = from_plain(to_plain(config))
        mine.data.fold = fold
        folder = RunFolder(fold_path(out, fold))
        console.say(f"fold {fold} of {config.data.folds}: {folder.path}")
        if folder.exists():
            folder.require_same(mine)
        # A run's last file.
        if not folder.report.exists():
            train_run(mine, folder.path)
        if not (folder.path / "test" / "metrics.json").exists():
            evaluate_run(str(folder.path), Selection("test"), out="")
    return write_folds(read_folds(out, "test"), out)


def _require_unlearnt(setup: Setup) -> None:
    """Refuse weights that have learnt from any photograph: some fold would be judged on it."""
    weights = find_model_weights(setup.model)
    found = weights_ancestry(setup.model, weights)
    if not found.learnt:
        return
    photos = load_data(setup.source, setup.prepare, None)
    rows = split_rows(photos, np.full(len(photos), "test"))
    remedy = (
        "every photograph tests in one of the folds: take other weights, or train nevertheless "
        "with --config.data.on_leak=allow"
    )
    require_unlearnt(found, rows, setup.source, setup.split.on_leak, remedy)


def fold_path(out: Path, fold: int) -> Path:
    """Directory of the run of a fold."""
    return out / f"fold_{fold}"


def holds_folds(workdir: Path) -> bool:
    """True if a folder is one of `cross_validate`, and not a run."""
    return RunFolder(fold_path(workdir, 0)).config.is_file()


def read_folds(out: Path, split: str) -> Folds:
    """Read every fold's predictions for the photographs that it held out.

    Args:
        out: the folder of the folds.
        split: ``test``, or ``validation``: over all folds each photograph is in either once.

    Raises:
        UserError: a fold is missing or has no predictions, or the folds are not of one division.
    """
    first = RunFolder(fold_path(out, 0)).read_config()
    if not first.data.folds:
        raise UserError(f"{fold_path(out, 0)} is not of a division into folds (config.data.folds)")
    runs = []
    for fold in range(first.data.folds):
        run = read_run(fold_path(out, fold), split)
        expected = from_plain(to_plain(first))
        expected.data.fold = fold
        if "made" in first and "made" in run.config:
            expected.made = run.config.made  # of this fold's own runs, with weights of their own
        if changed := differences(expected, run.config):
            raise UserError(
                f"{run.folder.path} is not fold {fold} of the division of {fold_path(out, 0)}; "
                "it must have the same configuration but for data.fold:\n  " + "\n  ".join(changed)
            )
        runs.append(run)
    _require_one_division(runs)
    return Folds(tuple(runs))


def _require_one_division(runs: Sequence[RunPredictions]) -> None:
    """Refuse folds of other photographs, or that do not hold out every photograph once."""
    facts = ("file", "label", "subject", "sha256")
    listed = [
        {tuple(row[name] for name in facts) for row in read_rows(run.folder.split)} for run in runs
    ]
    for run, rows in zip(runs, listed, strict=True):
        if other := rows ^ listed[0]:
            raise UserError(
                f"{run.folder.path} and {runs[0].folder.path} are not of the same photographs: "
                f"{_examples({row[0] for row in other})} differ; train one of them anew"
            )
    times = Counter(file for run in runs for file in run.predictions.files)
    wrong = {file: times[file] for file, *_ in listed[0] if times[file] != 1}
    if wrong:
        said = (f"{file} {counted(count, 'time')}" for file, count in wrong.items())
        raise UserError(
            f"the {len(runs)} folds must hold out every photograph once, and {_examples(said)}: "
            "their split.csv are not of one division; train them anew"
        )


def _examples(names: Iterable[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - _EXAMPLES:,} more" if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more


def write_folds(folds: Folds, out: Path) -> dict[str, Any]:
    """Write predictions, metrics and confusion matrix of all folds together, and show them.

    Returns:
        What ``metrics.json`` holds: ``pooled`` over all photographs with their ``intervals``, and
        every fold's own with their ``mean`` and ``sd`` (of a sample, n - 1), None where a metric is
        undefined in one of them.
    """
    predictions, target = folds.predictions, RunFolder(out)
    results = measure(predictions)
    each = [evaluate(p.labels, p.probabilities) for p in (run.predictions for run in folds.runs)]
    values = {name: [one[name] for one in each] for name in results.metrics}
    metrics = {
        "pooled": results.metrics,
        "intervals": results.intervals,
        "interval_note": results.interval_note,
        "mean": {name: _over_folds(np.mean, of) for name, of in values.items()},
        "sd": {name: _over_folds(np.std, of, ddof=1) for name, of in values.items()},
        "folds": each,
    }
    write_predictions(predictions, target.predictions, folds=folds.fold)
    confusion_figure(results.confusion, predictions.classes, target.confusion)
    target.write_json(target.metrics, metrics)
    _show(folds, results, metrics)
    console.say(f"written: {out}")
    return metrics


def _over_folds(function: Callable[..., Any], values: Sequence[Any], **how: Any) -> float | None:
    """A function of a metric's values; None where it is undefined in any of the folds."""
    return None if None in values else float(function(values, **how))


def _show(folds: Folds, results: Results, metrics: dict[str, Any]) -> None:
    """A line per fold, their mean and spread, and all photographs together; 80 columns wide.

    The calibration error, whose bias depends on how many photographs a fold has, is only written.
    """
    names = [name for name in results.metrics if name != "expected_calibration_error"]
    rows = [
        [f"fold {fold}", *(number(own[name]) for name in names)]
        for fold, own in enumerate(metrics["folds"])
    ]
    rows += [
        [said, *(number(metrics[of][name]) for name in names)]
        for said, of in (("mean", "mean"), ("± sd", "sd"), ("pooled", "pooled"))
    ]
    intervals = (results.intervals.get(name) for name in names)
    rows.append(["95 %", *("{:.3f}\n{:.3f}".format(*i) if i else "–" for i in intervals)])
    title = f"test, {counted(len(folds.fold), 'photograph')}; {results.interval_note}"
    console.table(title, ["", *(name.replace("_", "\n") for name in names)], rows)
    undefined = [str(i) for i, own in enumerate(metrics["folds"]) if why_undefined(own)]
    if undefined:
        said = "folds" if len(undefined) > 1 else "fold"
        console.say(f"kappa is undefined where all are of one class: {said} {', '.join(undefined)}")


def read_run_or_folds(workdir: Path, split: str) -> RunPredictions:
    """Predictions of a run, or of all folds of a division as if they were one run."""
    if not holds_folds(workdir):
        return read_run(workdir, split)
    folds = read_folds(workdir, split)
    first = folds.runs[0]
    return replace(
        first,
        path=workdir,
        predictions=folds.predictions,
        sha256={file: one for run in folds.runs for file, one in run.sha256.items()},
        trained=frozenset().union(*(run.trained for run in folds.runs)),
    )
