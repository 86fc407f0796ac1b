"""Cross-validation: each image predicted by the model of the fold holding it out."""

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
from hairjax.config.load import from_plain, to_plain, with_moved_places
from hairjax.config.resume import differences
from hairjax.data.split import read_rows, split_rows
from hairjax.evaluation.metrics.classification import evaluate, why_undefined
from hairjax.evaluation.predictions import Predictions, join_predictions, write_predictions
from hairjax.report.figures.classification import confusion_figure
from hairjax.report.html import number
from hairjax.runs.ancestry import weights_ancestry
from hairjax.runs.folder import RunFolder
from hairjax.runs.overlap import require_no_leakage
from hairjax.runs.photographs import Selection
from hairjax.runs.read_predictions import RunPredictions, read_run
from hairjax.runs.results import Results, measure
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.outputs import require_replaceable, with_svg
from hairjax.system.wording import counted
from hairjax.training.train import train_run

_EXAMPLES = 3
# Files written beside the folds.
_WRITTEN = ("predictions.csv", "metrics.json", *with_svg("confusion_matrix.png"))


@dataclass(frozen=True, eq=False)
class Folds:
    """Folds of one division, with predictions for the held-out images."""

    runs: tuple[RunPredictions, ...]

    @property
    def predictions(self) -> Predictions:
        """Predictions for all images, in the order of the folds."""
        parts = [run.predictions for run in self.runs]
        return join_predictions(parts, parts[0].classes)

    @property
    def fold(self) -> list[int]:
        """Fold holding out each image."""
        return [i for i, run in enumerate(self.runs) for _ in run.predictions.files]


def cross_validate(config: ConfigDict, out: Path) -> dict[str, Any]:
    """Train unfinished folds, evaluate each on its held-out images, and pool the predictions.

    Resumable; a fold may also be trained separately, on another machine. `config.data.fold` is
    ignored; `out` holds the runs ``fold_0``, ``fold_1`` … and the pooled results.

    Returns:
        Contents of ``metrics.json``.

    Raises:
        UserError: as `train_run` and `evaluate_run`, or the folds are of different divisions.
    """
    every = [RunFolder(fold_path(out, fold)) for fold in range(config.data.folds)]
    if not any(folder.exists() for folder in every):
        require_replaceable(out, _WRITTEN, "--workdir")
    for folder in every:
        if folder.exists():  # its images may have moved
            config = with_moved_places(folder.path, config)
    if not all(folder.exists() for folder in every):
        _require_no_leakage(resolve(config))
    for fold in range(config.data.folds):
        own_config = from_plain(to_plain(config))
        own_config.data.fold = fold
        folder = RunFolder(fold_path(out, fold))
        console.say(f"fold {fold} of {config.data.folds}: {folder.path}")
        if folder.exists():
            folder.require_same(own_config)
        # The report is a run's last file.
        if not folder.report.exists():
            train_run(own_config, folder.path)
        if not (folder.path / "test" / "metrics.json").exists():
            evaluate_run(str(folder.path), Selection("test"), out="")
    return write_folds(read_folds(out, "test"), out)


def _require_no_leakage(setup: Setup) -> None:
    weights = find_model_weights(setup.model)
    found = weights_ancestry(setup.model, weights)
    if not found.learnt:
        return
    photos = load_data(setup.source, setup.prepare, None)
    rows = split_rows(photos, np.full(len(photos), "test"))
    remedy = (
        "every photograph is a test photograph of one fold: use other weights, or train anyway "
        "with --config.data.on_leak=allow"
    )
    require_no_leakage(found, rows, setup.source, setup.split.on_leak, remedy)


def fold_path(out: Path, fold: int) -> Path:
    """Run directory of a fold."""
    return out / f"fold_{fold}"


def holds_folds(workdir: Path) -> bool:
    """True for a folder of `cross_validate`."""
    return RunFolder(fold_path(workdir, 0)).config.is_file()


def read_folds(out: Path, split: str) -> Folds:
    """Read every fold's predictions for its held-out images.

    Both splits, ``test`` and ``validation``, cover all images over the folds.

    Raises:
        UserError: a fold is missing, has no predictions, or is of another division.
    """
    first = RunFolder(fold_path(out, 0)).read_config()
    if not first.data.folds:
        raise UserError(f"{fold_path(out, 0)} is no cross-validation fold (config.data.folds)")
    runs = []
    for fold in range(first.data.folds):
        run = read_run(fold_path(out, fold), split)
        expected = from_plain(to_plain(first))
        expected.data.fold = fold
        if "made" in first and "made" in run.config:
            expected.made = run.config.made  # source runs and weights differ by fold
        if changed := differences(expected, run.config):
            raise UserError(
                f"{run.folder.path} is not fold {fold} of the division of {fold_path(out, 0)}; "
                "its configuration may differ in data.fold only:\n  " + "\n  ".join(changed)
            )
        runs.append(run)
    _require_one_division(runs)
    return Folds(tuple(runs))


def _require_one_division(runs: Sequence[RunPredictions]) -> None:
    facts = ("file", "label", "subject", "sha256")
    listed = [
        {tuple(row[name] for name in facts) for row in read_rows(run.folder.split)} for run in runs
    ]
    for run, rows in zip(runs, listed, strict=True):
        if other := rows ^ listed[0]:
            raise UserError(
                f"{run.folder.path} and {runs[0].folder.path} are not of the same photographs: "
                f"{_examples({row[0] for row in other})} differ; retrain one of them"
            )
    times = Counter(file for run in runs for file in run.predictions.files)
    wrong = {file: times[file] for file, *_ in listed[0] if times[file] != 1}
    if wrong:
        named = (f"{file} {counted(count, 'time')}" for file, count in wrong.items())
        raise UserError(
            f"the {len(runs)} folds must hold out every photograph once, and {_examples(named)}: "
            "their split.csv are not of one division; retrain them"
        )


def _examples(names: Iterable[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - _EXAMPLES:,} more" if len(names) > _EXAMPLES else ""
    return ", ".join(names[:_EXAMPLES]) + more


def write_folds(folds: Folds, out: Path) -> dict[str, Any]:
    """Write and print pooled predictions, metrics and confusion matrix.

    Returns:
        Contents of ``metrics.json``: ``pooled`` metrics with ``intervals``, and each fold's with
        their ``mean`` and ``sd`` (n - 1), None if undefined in a fold.
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
    """Function of a metric's values; None if undefined in any fold."""
    return None if None in values else float(function(values, **how))


def _show(folds: Folds, results: Results, metrics: dict[str, Any]) -> None:
    """Print each fold, mean and standard deviation, and pooled metrics, 80 columns wide.

    The calibration error is left out: its bias depends on the fold size.
    """
    names = [name for name in results.metrics if name != "expected_calibration_error"]
    rows = [
        [f"fold {fold}", *(number(own[name]) for name in names)]
        for fold, own in enumerate(metrics["folds"])
    ]
    rows += [
        [label, *(number(metrics[of][name]) for name in names)]
        for label, of in (("mean", "mean"), ("± sd", "sd"), ("pooled", "pooled"))
    ]
    intervals = (results.intervals.get(name) for name in names)
    rows.append(["95 %", *("{:.3f}\n{:.3f}".format(*i) if i else "–" for i in intervals)])
    title = f"test, {counted(len(folds.fold), 'photograph')}; {results.interval_note}"
    console.table(title, ["", *(name.replace("_", "\n") for name in names)], rows)
    undefined = [str(i) for i, own in enumerate(metrics["folds"]) if why_undefined(own)]
    if undefined:
        label = "folds" if len(undefined) > 1 else "fold"
        console.say(
            f"kappa is undefined where all are of one class: {label} {', '.join(undefined)}"
        )


def read_run_or_folds(workdir: Path, split: str) -> RunPredictions:
    """Predictions of a run, or of all folds as if they were one run."""
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
