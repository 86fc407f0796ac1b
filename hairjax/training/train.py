"""One run, from configuration to report: read top to bottom."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax.builders.data_set import describe_source, load_data, split_photos
from hairjax.builders.inputs import sees_masks, sees_two_views
from hairjax.builders.model import abstract_model, pretrained_model
from hairjax.config.load import from_plain, to_plain
from hairjax.config.streams import streams
from hairjax.data.photoset import PhotoSet
from hairjax.data.quality.copies import require_no_copies
from hairjax.data.sources.manifest import read_columns
from hairjax.data.sources.photos import find_photos
from hairjax.data.split import write_split
from hairjax.evaluation.metrics.classification import evaluate
from hairjax.optim.groups import ParameterGroup, make_groups
from hairjax.optim.lora import require_matrices, with_pairs
from hairjax.optim.optimizer import make_optimizer
from hairjax.optim.parameter_table import write_parameter_table
from hairjax.optim.schedules import make_schedules
from hairjax.parallel.compilation import compute_dtype, dispatch_inline, keep_compiled
from hairjax.parallel.lock import exclusive_lock
from hairjax.parallel.mesh import describe_mesh, make_mesh
from hairjax.parallel.processes import is_first, leave_processes, lost, wait_for
from hairjax.runs.environment import describe_start, to_line
from hairjax.runs.folder import RunFolder
from hairjax.runs.run import make_explainer, make_predictor
from hairjax.system import console
from hairjax.training.agreement import require_same_command, require_same_start
from hairjax.training.learner import Learner, batch_parts, make_learner, step_options
from hairjax.training.loop import Plan, run_epochs
from hairjax.training.phases import PhaseData, begin_phase, make_phases
from hairjax.training.train_state import TrainState
from hairjax.weights.checkpoint import Checkpoints
from hairjax.weights.load import find_weights


class Prepared(NamedTuple):
    """What a run has before its first step."""

    folder: RunFolder
    mesh: Mesh
    parts: int  # into which a batch is cut
    photos: PhotoSet
    split: np.ndarray  # str [n], what each photograph is for
    columns: Mapping[str, Mapping[str, str]]  # what else a manifest says of them
    graphdef: nnx.GraphDef
    params: dict  # shapes alone where a checkpoint has the numbers
    groups: dict[str, ParameterGroup]
    checkpoints: Checkpoints
    saved: bool  # whether there is a checkpoint


def train_run(config: ConfigDict, workdir: str | Path) -> dict[str, float]:
    """Train, keep the best, report; on the directory of an unfinished run, go on with it.

    Args:
        config: checked by ``check_config``.
        workdir: where everything is written.

    Returns:
        The best epoch's validation metrics, as in ``metrics.json``.

    Raises:
        UserError: what was given cannot be used, and nothing has been written; or another command
            trains there.
        FloatingPointError: the loss is no longer finite; the last good checkpoint is kept.
        StoppedError: SIGTERM or SIGINT; the state is saved.
    """
    prepared = _prepare(config, RunFolder(workdir))
    with exclusive_lock(prepared.folder.environment):
        _write_start(config, prepared)
        plan, learner = _plan(config, prepared)
        with _closing(prepared.checkpoints):
            state, best = _start(plan, learner, prepared)
            best = run_epochs(plan, state, best)
            params = prepared.checkpoints.restore_params(best["step"], learner.shapes.evaluated)
        return _end(plan, prepared, best, params)


def _prepare(config: ConfigDict, folder: RunFolder) -> Prepared:
    """Read the photographs and the model, and begin the run's directory or go on with it."""
    resuming = folder.exists()
    if resuming:
        folder.require_same(config)
    dispatch_inline()
    keep_compiled(config.devices.compiled)
    require_same_command(config, resuming)
    mesh = make_mesh(config.devices.mesh, config.devices.shard)
    parts = batch_parts(config, mesh)
    console.say(f"source: {describe_source(config)}")
    console.say(f"devices: {describe_mesh(mesh)}, {compute_dtype(config.model.dtype)}")
    photos, split = _photographs(config, folder, resuming)
    columns = read_columns(config.data.manifest, config.data.photos)
    checkpoints = Checkpoints(folder.checkpoints) if resuming else None
    saved = checkpoints is not None and checkpoints.last_step() is not None
    graphdef, params = initial_model(config, len(photos.classes), saved)
    groups = make_groups(config.optim, len(params["stages"]), config.train.epochs)
    params = with_pairs(config, params, groups)
    require_same_start(photos, split, params, checkpoints)
    if checkpoints is None:
        if is_first():
            _begin(config, folder, photos, split, params, groups)
        wait_for(folder.config)
        checkpoints = Checkpoints(folder.checkpoints)
    return Prepared(
        folder, mesh, parts, photos, split, columns, graphdef, params, groups, checkpoints, saved
    )


def _write_start(config: ConfigDict, prepared: Prepared) -> None:
    """Write what the run is started with; begun anew it may be with other weights or masks."""
    if not is_first():
        return
    folder, anew = prepared.folder, not prepared.saved
    if anew:
        _write_config(config, folder)
    start = describe_start(config, prepared.mesh, prepared.params, reads_weights=anew)
    folder.append_line(folder.environment, to_line(start))


def _plan(config: ConfigDict, prepared: Prepared) -> tuple[Plan, Learner]:
    """What every epoch does: which photographs, at what rates, by which compiled step."""
    photos, split, mesh = prepared.photos, prepared.split, prepared.mesh
    graphdef, params, groups = prepared.graphdef, prepared.params, prepared.groups
    train, validation = (np.flatnonzero(split == name) for name in ("train", "validation"))
    steps = len(train) // config.train.batch_size
    schedules = make_schedules(config.optim, groups, config.train.epochs, steps)
    tx = make_optimizer(config.optim, schedules, params, groups, steps)
    options = step_options(config, photos.classes, photos.labels[train], prepared.parts)
    averaged = config.optim.ema > 0 or config.optim.lora > 0
    learner = make_learner(graphdef, params, tx, mesh, options, averaged=averaged)
    whole = PhaseData(
        photos=photos,
        train=train,
        validation=photos.subset(validation),
        predict=make_predictor(config, graphdef, mesh),
    )
    count = len(train) + len(validation)
    plan = Plan(
        config=config,
        folder=prepared.folder,
        whole=whole,
        schedules=schedules,
        phases=make_phases(config, graphdef, params, groups, count, learner.step),
        begin=functools.partial(
            begin_phase, config=config, graphdef=graphdef, mesh=mesh, whole=whole
        ),
        mesh=mesh,
        checkpoints=prepared.checkpoints,
    )
    return plan, learner


def _end(plan: Plan, prepared: Prepared, best: dict[str, Any], params: dict) -> dict[str, float]:
    """Judge the validation photographs by the best epoch, report, and part from other processes."""
    # Figures and statistics take a second to start, which the first step need not wait for.
    from hairjax.training.finish import find_mistakes, finish_run

    config, validation = plan.config, plan.whole.validation
    predictions = plan.whole.predict(params, validation)
    explain = make_explainer(config, prepared.graphdef, prepared.mesh, stage=-1)
    # Two photographs have no place in common that a map could show.
    shown = 0 if sees_two_views(config) else config.report.gallery
    mistakes = find_mistakes(shown, explain, params, validation, predictions)
    leave_processes()
    if not is_first():
        return {"epoch": best["epoch"], **evaluate(predictions.labels, predictions.probabilities)}
    return finish_run(
        config,
        prepared.folder,
        prepared.photos,
        prepared.split,
        best,
        predictions,
        mistakes,
        prepared.columns,
    )


@contextmanager
def _closing(checkpoints: Checkpoints) -> Iterator[None]:
    """Commit and close at the end, unless it comes from another process's, for which both wait."""
    try:
        yield
    except BaseException as error:
        if not lost(error):
            checkpoints.close()
        raise
    checkpoints.close()


def _check_early(config: ConfigDict) -> None:
    """Refuse, before photographs are decoded, what would be refused after; the quick first.

    Raises:
        UserError: the folders of photographs are not as they should be, the model cannot take
            photographs of this size, or the weights are not there.
    """
    data = config.data
    views = [(data.photos, data.masks), (data.second_photos, data.second_masks)]
    for photos, masks in views[: 1 + sees_two_views(config)] if data.source == "photos" else []:
        find_photos(
            photos=photos,
            masks=masks,
            manifest=data.manifest,
            subject=data.subject,
            classes=None,
            need_masks=sees_masks(config),
        )
    _, shapes = abstract_model(config, num_classes=2)
    require_matrices(config, shapes)
    for stream in streams(config):
        if stream.source != "none":
            find_weights(stream.source)


def _photographs(
    config: ConfigDict, folder: RunFolder, resuming: bool
) -> tuple[PhotoSet, np.ndarray]:
    """The photographs and what each is for: as before, as another run had it, or drawn anew."""
    if not resuming:
        _check_early(config)
    photos = load_data(config, folder.read_classes() if resuming else None)
    split = split_photos(config, photos, folder.split if resuming else None)
    if not resuming:
        require_no_copies(config, photos, split)
    return photos, split


def initial_model(config: ConfigDict, num_classes: int, saved: bool) -> tuple[nnx.GraphDef, dict]:
    """The model's graph and parameters; shapes alone when a checkpoint has the parameters."""
    if saved:
        return abstract_model(config, num_classes)
    return pretrained_model(config, num_classes)


def _begin(
    config: ConfigDict,
    folder: RunFolder,
    photos: PhotoSet,
    split: np.ndarray,
    params: dict,
    groups: dict[str, ParameterGroup],
) -> None:
    """Write what is known before the first step; the configuration last: it makes it a run."""
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write_json(folder.classes, list(photos.classes))
    write_split(folder.split, photos, split)
    write_parameter_table(folder.groups, params, groups, config.optim)
    _write_config(config, folder)


def _write_config(config: ConfigDict, folder: RunFolder) -> None:
    # Not which process wrote it, nor where the others were: the configuration runs it anywhere.
    portable = from_plain(to_plain(config))
    portable.devices.update(coordinator="", processes=0, process=-1)
    folder.write_config(portable)


def _start(
    plan: Plan, learner: Learner, prepared: Prepared
) -> tuple[TrainState, dict[str, Any] | None]:
    """The state to go on from, and the best epoch so far."""
    if not prepared.saved:
        plan.folder.cut_back(0)
        return learner.begin(prepared.params), None
    shapes = learner.shapes
    evaluated, rest, best = plan.checkpoints.restore_last(shapes.evaluated, shapes.rest())
    state = TrainState.restored(evaluated, rest)
    plan.folder.cut_back(int(state.step) // plan.steps)
    if int(state.step) < plan.config.train.epochs * plan.steps:
        console.say(f"going on with {plan.folder.path} after step {int(state.step):,}")
    else:
        said = f"{plan.folder.path} has ended: nothing is left to train; to train it anew, give "
        console.say(f"{said}another --workdir, or remove it")
    return state, best
