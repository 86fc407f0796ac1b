"""Verbs that train: ``train`` and ``folds``."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from hairjax.builders.validation import check_config
from hairjax.cli.configuration import (
    process_options,
    read_configuration,
    require_keys,
    weights_paths,
)
from hairjax.cli.places import beside, default_workdir, require_writable
from hairjax.config.load import RUN_CONFIG, split_source, with_moved_places
from hairjax.config.places import at_places
from hairjax.parallel.cluster import find_place
from hairjax.parallel.supervisor import follow_parent, is_child, supervise
from hairjax.system.errors import UserError
from hairjax.system.program import START


def run_train(given: Namespace) -> int:
    """Run ``train``; return its exit status."""
    config = read_configuration(given)
    place = find_place(process_options(config), os.environ)
    if place and given.moved:
        raise UserError(
            "--moved is told in one process, and then all know: evaluate --workdir=DIR --moved=…"
        )
    if place and not is_child():
        return supervise([*START, *given.arguments], str(place))
    workdir = Path(given.workdir or default_workdir(given.config)).expanduser()
    runs = _runs_of(given.config, [workdir])
    config = at_places(config, _moved(runs, given.moved))
    for run in runs:
        config = with_moved_places(run, config)
    check_config(config)
    require_writable("--workdir", workdir)
    for run in (workdir, *weights_paths(config)):
        require_keys(run)

    from hairjax.parallel.processes import join_processes, lost
    from hairjax.training.train import train_run

    if place:
        follow_parent()
        join_processes(place)
    try:
        return _status_of(lambda: train_run(config, workdir))
    except Exception as error:
        if not (place and (sentence := lost(error))):
            raise
        print(f"error: {sentence}", file=sys.stderr, flush=True)
        os._exit(1)  # to part from the others in good order would take as long as they are missed


def run_folds(given: Namespace) -> int:
    """Run ``folds``; return its exit status."""
    config = read_configuration(given)
    if not config.data.folds:
        raise UserError("folds needs how many, e.g. --config.data.folds=5")
    config.data.fold = 0
    workdir = Path(given.workdir or beside(given.config, "folds")).expanduser()
    runs = _runs_of(given.config, sorted(workdir.glob("fold_*")))
    config = at_places(config, _moved(runs, given.moved))
    for run in runs:
        config = with_moved_places(run, config)
    check_config(config)
    if find_place(process_options(config), os.environ):
        raise UserError(
            "folds trains in one process; with several, train each fold by itself "
            "(--config.data.fold=0 --workdir=DIR/fold_0, and on), then put them together with "
            "folds --workdir=DIR in one"
        )
    require_writable("--workdir", workdir)
    if (workdir / "config.json").exists():
        raise UserError(f"--workdir={workdir} is a run; give a folder to hold one for each fold")
    for run in (*sorted(workdir.glob("fold_*")), *weights_paths(config)):
        require_keys(run)

    from hairjax.studies.folds import cross_validate

    return _status_of(lambda: cross_validate(config, workdir))


def _runs_of(source: str, folders: list[Path]) -> list[Path]:
    """Runs in the folders; without any, the run whose configuration is given."""
    runs = [folder for folder in folders if (folder / RUN_CONFIG).is_file()]
    path, _ = split_source(source)
    return runs or ([path.parent] if path.name == RUN_CONFIG else [])


def _moved(runs: list[Path], moved: str) -> dict[str, str]:
    """New places of photographs by key, recorded in the runs; see `move_runs`."""
    if not moved:
        return {}
    if not runs:
        raise UserError(
            f"--moved={moved} tells a run that has begun where its photographs are now; for a new "
            "one give their places (--config.data.photos, --config.data.masks)"
        )
    from hairjax.runs.moved import move_runs

    return move_runs(runs, moved)


def _status_of(work: Callable[[], object]) -> int:
    """Train; returns the exit status.

    Raises:
        UserError: the loss was no longer finite.
    """
    from hairjax.parallel.processes import is_first
    from hairjax.training.loop import DivergedError
    from hairjax.training.stopping import StoppedError

    try:
        work()
    except DivergedError as error:
        raise UserError(str(error)) from error
    except StoppedError as stopped:
        if is_first():
            print(stopped, file=sys.stderr)
        return 143
    return 0
