"""The folder of what was made of finished runs: read as a run's by ``compare`` and ``evaluate``.

Its ``config.json`` is that of a run it was made of, with one more section, ``made``: by which verb,
of which runs (relative to the folder), and how.
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
from hairjax.runs.overlap import require_unlearnt
from hairjax.runs.results import Results, measure, write_results
from hairjax.system import console


def derived_config(
    config: ConfigDict, by: str, runs: Sequence[Path], out: Path, **how: Any
) -> ConfigDict:
    """Configuration of a folder derived from runs: one run's, with a section ``made``.

    Args:
        config: configuration of one of the runs.
        by: the verb.
        runs: runs it is derived from.
        out: the folder of what is made.
        how: further keys of the section ``made``.
    """
    made = from_plain(to_plain(config))
    paths = tuple(os.path.relpath(run.resolve(), out.resolve()) for run in runs)
    made.made = ConfigDict({"by": by, "runs": paths, **how})
    return made


def require_unlearnt_runs(runs: Sequence[RunFolder], rows: Sequence[Mapping[str, str]]) -> None:
    """Refuse runs that have learnt from photographs on which what is made of them is judged.

    A run that was trained with ``data.on_leak=allow`` is let pass, and told of.

    Args:
        runs: the runs of which something is made.
        rows: rows of ``split.csv`` for it.

    Raises:
        UserError: such a run, or one before it, has trained on them.
    """
    setups = [resolve(run.read_config()) for run in runs]
    for run, setup in zip(runs, setups, strict=True):
        remedy = (
            f"leave out {run.path}, or train it anew with other weights, or with "
            "--config.data.on_leak=allow if it may be judged nevertheless"
        )
        found = run_ancestry(run.path)
        require_unlearnt(found, rows, setups[0].source, setup.split.on_leak, remedy)


def begin_derived(
    folder: RunFolder,
    config: ConfigDict,
    classes: Sequence[str],
    rows: Sequence[Mapping[str, str]],
) -> None:
    """Write the files that make a folder readable as a run, or find them there.

    Args:
        folder: folder of what is made.
        config: as `derived_config` returns it.
        classes: names of the classes.
        rows: rows of ``split.csv``.

    Raises:
        UserError: the folder holds a run, or something made otherwise.
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
    """Write ``predictions.csv``, ``metrics.json`` and figures, as evaluation does.

    Args:
        target: where: the folder, or one inside it named like the split.
        epoch: epoch of the runs' best models.
        predictions: predictions of the photographs judged.
        setup: setup of the derived configuration.
        validation: predictions of the validation photographs; may be the same object.
    """
    results = measure(predictions)
    columns = read_columns(setup.source.manifest, setup.source.views[0].photos)
    analysis = analyse(predictions, results.sample, validation, columns)
    target.path.mkdir(parents=True, exist_ok=True)
    write_results(target, epoch, predictions, results, analysis, compared={})
    plot_results(predictions, analysis, target)
    return results


def record_test_access(folders: Sequence[RunFolder], photographs: int, accuracy: float) -> None:
    """Record an access before anything of it is shown: in the folder and in its runs'.

    Args:
        folders: folder of the derived predictions, and those of the runs behind them.
        photographs: number of photographs evaluated.
        accuracy: accuracy that the access shows.
    """
    command = folders[0].read_config().made.by
    opened = []
    for folder in folders:
        record = new_access(
            folder.config, split="test", photographs=photographs, accuracy=accuracy, command=command
        )
        opened.append((add_access(folder.test_access, record), folder.test_access))
    for times, path in opened:
        console.say(describe_access(path, times))
