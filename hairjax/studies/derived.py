"""Folders of derived runs, readable by ``compare`` and ``evaluate``.

``config.json`` is that of a source run with a section ``made``: verb, source runs (relative to the
folder), and parameters.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from hairjax.builders.setup import Setup, resolve
from hairjax.config.load import from_plain, to_plain
from hairjax.data.sources.manifest import read_columns
from hairjax.data.split import write_rows
from hairjax.evaluation.analysis import analyse
from hairjax.evaluation.predictions import Predictions
from hairjax.report.show_results import plot_results
from hairjax.runs.access import add_access, describe_access, new_access
from hairjax.runs.ancestry import run_ancestry
from hairjax.runs.folder import RunFolder
from hairjax.runs.overlap import require_no_leakage
from hairjax.runs.results import Results, measure, write_results
from hairjax.system import console


def derived_config(
    config: ConfigDict, by: str, runs: Sequence[Path], out: Path, **how: Any
) -> ConfigDict:
    """Configuration of a derived run in `out`: a source run's, with a section ``made``.

    `by` is the verb, `how` holds further keys of the section.
    """
    made = from_plain(to_plain(config))
    paths = tuple(os.path.relpath(run.resolve(), out.resolve()) for run in runs)
    made.made = ConfigDict({"by": by, "runs": paths, **how})
    return made


def require_no_leakage_of_runs(
    runs: Sequence[RunFolder], rows: Sequence[Mapping[str, str]]
) -> None:
    """Raise if source runs were trained on images to evaluate the derived run on (`rows`).

    Runs trained with ``data.on_leak=allow`` are reported only.

    Raises:
        UserError: a source run or its ancestor was trained on them.
    """
    setups = [resolve(run.read_config()) for run in runs]
    for run, setup in zip(runs, setups, strict=True):
        remedy = (
            f"leave out {run.path}, or retrain it with other weights, or with "
            "--config.data.on_leak=allow to evaluate it anyway"
        )
        found = run_ancestry(run.path)
        require_no_leakage(found, rows, setups[0].source, setup.split.on_leak, remedy)


def begin_derived(
    folder: RunFolder,
    config: ConfigDict,
    classes: Sequence[str],
    rows: Sequence[Mapping[str, str]],
) -> None:
    """Write the files of a derived run, or verify existing ones.

    `config` is from `derived_config`, `rows` are those of ``split.csv``.

    Raises:
        UserError: the folder holds a run, or a different derived run.
    """
    if folder.exists():
        folder.require_same(config)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write_json(folder.classes, list(classes))
    write_rows(folder.split, rows)
    folder.write_config(config)


def write_evaluation(
    target: RunFolder,
    epoch: int | list[int],
    predictions: Predictions,
    setup: Setup,
    validation: Predictions,
) -> Results:
    """Write ``predictions.csv``, ``metrics.json`` and figures; return the metrics.

    `target` is the folder, or a results folder of a split inside it, `epoch` that of the source
    runs; `validation` may be the predictions themselves.
    """
    results = measure(predictions)
    columns = read_columns(setup.source.manifest, setup.source.views[0].photos)
    analysis = analyse(predictions, results.sample, validation, columns)
    target.path.mkdir(parents=True, exist_ok=True)
    write_results(target, epoch, predictions, results, analysis, compared={})
    plot_results(predictions, analysis, target)
    return results


def record_test_access(folders: Sequence[RunFolder], photographs: int, accuracy: float) -> None:
    """Record a test-set access in a derived run and its source runs, before it is reported."""
    command = folders[0].read_config().made.by
    opened = []
    for folder in folders:
        record = new_access(
            folder.config, split="test", photographs=photographs, accuracy=accuracy, command=command
        )
        opened.append((add_access(folder.test_access, record), folder.test_access))
    for times, path in opened:
        console.say(describe_access(path, times))
