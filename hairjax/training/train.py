"""One training from configuration to report: read top to bottom."""

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax.builders.data_set import find_data, load_data, split_photos
from hairjax.builders.model import abstract_model, find_model_weights, pretrained_model
from hairjax.builders.setup import Setup, resolve
from hairjax.config.continued import continued_command
from hairjax.config.load import with_moved_places
from hairjax.config.places import places_of
from hairjax.config.schema import flatten
from hairjax.data.mask_checksums import require_same_masks, write_checksums
from hairjax.data.photoset import PhotoSet
from hairjax.data.quality.conflicts import require_one_label
from hairjax.data.quality.copies import require_no_copies
from hairjax.data.split import write_split
from hairjax.evaluation.inference import make_model_outputs
from hairjax.optim.groups import ParameterGroup, make_groups
from hairjax.optim.lora import require_matrices, with_pairs
from hairjax.optim.optimizer import make_optimizer
from hairjax.optim.parameter_table import make_parameter_table, write_groups_csv, write_groups_text
from hairjax.optim.parts import FROZEN
from hairjax.optim.schedules import make_schedules
from hairjax.parallel.compilation import compute_dtype, dispatch_inline, keep_compiled
from hairjax.parallel.lock import exclusive_lock
from hairjax.parallel.mesh import describe_mesh, make_mesh
from hairjax.parallel.processes import is_first, largest, leave_processes, lost, wait_for
from hairjax.runs.ancestry import Ancestry, write_ancestry
from hairjax.runs.environment import describe_start, to_line
from hairjax.runs.folder import RunFolder
from hairjax.runs.overlap import require_no_leakage_of_weights
from hairjax.runs.run import make_explainer
from hairjax.system import console
from hairjax.system.disk import FullDiskError, full_disk
from hairjax.system.errors import UserError
from hairjax.training.agreement import require_same_command, require_same_start
from hairjax.training.disk_space import full_disk_message, require_disk_space
from hairjax.training.learner import (
    Learner,
    classification_task,
    count_micro_batches,
    make_learner,
    step_options,
)
from hairjax.training.loop import Plan, patience_exhausted, run_epochs
from hairjax.training.phases import PhaseData, begin_phase, make_phases
from hairjax.training.train_state import TrainState
from hairjax.weights.checkpoint import Checkpoints, last_step


class Prepared(NamedTuple):
    """A run ready for its first step."""

    config: ConfigDict  # with the current locations of the photographs
    setup: Setup
    folder: RunFolder
    resumed: bool  # True if the directory already held the run
    mesh: Mesh
    photos: PhotoSet
    split: np.ndarray  # str [n]: train, validation or test
    given: str  # origin of a split that was not drawn; "" if drawn
    weights: Sequence[Path | None]  # file or run of pretrained weights per stream
    ancestry: Ancestry | None  # training data of these; None without weights
    graphdef: nnx.GraphDef
    params: dict  # shapes only, if restored from a checkpoint
    groups: dict[str, ParameterGroup]
    saved: bool  # True if there is a checkpoint


def train_run(config: ConfigDict, workdir: str | Path) -> dict[str, float]:
    """Train, keep the best epoch, report; resumes an unfinished run in ``workdir``.

    Returns:
        Validation metrics of the best epoch, as in ``metrics.json``.

    Raises:
        UserError: unusable input (nothing is written), or another command trains in ``workdir``.
        DivergedError: the loss is not finite; the last finite checkpoint is kept.
        StoppedError: SIGTERM or SIGINT; the state is saved.
        FullDiskError: a write failed; saved files are intact.
    """
    try:
        return _train(config, RunFolder(workdir))
    except FullDiskError:
        raise
    except Exception as error:
        if full := full_disk(error):
            raise FullDiskError(full_disk_message(full, Path(workdir))) from error
        raise


def _train(config: ConfigDict, folder: RunFolder) -> dict[str, float]:
    prepared = _prepare(config, folder)
    with exclusive_lock(folder.environment):
        _require_as_prepared(prepared)
        _begin(prepared)
        _write_start(prepared)
        plan, learner = _plan(prepared)
        with _closing(plan.checkpoints):
            require_disk_space(plan, learner)
            state, best = _start(plan, learner, prepared)
            best = run_epochs(plan, state, best)
            params = plan.checkpoints.restore_params(best["step"], learner.shapes.evaluated)
        return _end(plan, prepared, best, params)


def _prepare(config: ConfigDict, folder: RunFolder) -> Prepared:
    """Load photographs and model to create or resume a run; writes nothing."""
    resuming = folder.exists()
    if resuming:
        folder.require_same(config)
        config = _with_resolved_names(with_moved_places(folder.path, config), folder.read_config())
    dispatch_inline()
    setup = resolve(config)
    keep_compiled(setup.devices.compiled)
    require_same_command(config, resuming)
    mesh = make_mesh(setup.devices.mesh, setup.devices.shard)
    count_micro_batches(setup, mesh)  # raises before anything expensive
    console.say(f"source: {setup.source.describe()}")
    console.say(f"devices: {describe_mesh(mesh)}, {compute_dtype(setup.model.dtype)}")
    last = last_step(folder.checkpoints) if resuming else None
    saved = last is not None
    photos, split, given, weights = _photographs(setup, folder, resuming, saved)
    graphdef, params = initial_model(setup, len(photos.classes), weights, saved)
    ancestry = None
    if not saved:
        ancestry = require_no_leakage_of_weights(
            setup.model, weights, photos, split, setup.source, setup.split
        )
    groups = make_groups(setup.optim, len(params["stages"]), setup.training.epochs)
    params = with_pairs(params, groups, setup.optim.lora, setup.seed)
    require_same_start(photos, split, params, last)
    return Prepared(
        config=config,
        setup=setup,
        folder=folder,
        resumed=resuming,
        mesh=mesh,
        photos=photos,
        split=split,
        given=given,
        weights=weights,
        ancestry=ancestry,
        graphdef=graphdef,
        params=params,
        groups=groups,
        saved=saved,
    )


def _require_as_prepared(prepared: Prepared) -> None:
    """Raise if another command has begun the run or saved its first state in the meantime."""
    folder = prepared.folder
    found = folder.config.is_file(), last_step(folder.checkpoints) is not None
    if largest(int(is_first() and found != (prepared.resumed, prepared.saved))):
        raise UserError(
            f"another command has trained in {folder.path} while this one read photographs: give "
            "the command again to resume that run, or give another --workdir"
        )


def _begin(prepared: Prepared) -> None:
    """Create the directory of a new run: classes, split, groups and configuration."""
    folder, photos = prepared.folder, prepared.photos
    if prepared.resumed:
        return
    if is_first():
        folder.write_json(folder.classes, list(photos.classes))
        folder.write_levels(photos)
        if photos.mask_sha256:
            write_checksums(folder.mask_files, photos)
        if prepared.given:
            folder.write_json(folder.division, {"by": prepared.given})
        write_split(folder.split, photos, prepared.split)
        groups = prepared.groups
        table = make_parameter_table(prepared.params, groups, prepared.setup.optim)
        write_groups_text(table, (*groups, FROZEN), folder.groups_text)
        write_groups_csv(table, folder.groups_csv)
        folder.write_config(prepared.config)  # last: it makes the folder a run
    wait_for(folder.config)


def _write_start(prepared: Prepared) -> None:
    """Record this start: environment, and changed locations or weights."""
    if not is_first():
        return
    folder = prepared.folder
    if prepared.resumed and not prepared.saved:
        folder.write_config(prepared.config)
    if prepared.resumed:
        folder.write_places(places_of(flatten(prepared.config)))
    if prepared.ancestry is not None:
        write_ancestry(folder, prepared.ancestry)
    start = describe_start(prepared.setup.model, prepared.mesh, prepared.params, prepared.weights)
    folder.append_line(folder.environment, to_line(start))


def _plan(prepared: Prepared) -> tuple[Plan, Learner]:
    """Constants of the loop, and the learner."""
    setup, photos, split, mesh = prepared.setup, prepared.photos, prepared.split, prepared.mesh
    graphdef, params, groups = prepared.graphdef, prepared.params, prepared.groups
    train, validation = (np.flatnonzero(split == name) for name in ("train", "validation"))
    steps = len(train) // setup.training.batch_size
    schedules = make_schedules(setup.optim, groups, setup.training.epochs, steps)
    tx = make_optimizer(setup.optim, schedules, params, groups, steps)
    options = step_options(
        setup, classification_task(setup, photos.classes, photos.labels[train]), mesh
    )
    averaged = setup.training.ema > 0 or setup.optim.lora > 0
    learner = make_learner(graphdef, params, tx, options, averaged=averaged)
    outputs = make_model_outputs(
        graphdef, mesh, input_spec=setup.inputs, batch_size=setup.training.batch_size
    )
    whole = PhaseData(
        photos=photos,
        train=train,
        validation=photos.subset(validation),
        predict=options.task.predictor(outputs),
    )
    count = len(train) + len(validation)
    plan = Plan(
        setup=setup,
        options=options,
        folder=prepared.folder,
        whole=whole,
        schedules=schedules,
        phases=make_phases(setup, graphdef, params, groups, count, learner.step),
        begin=functools.partial(
            begin_phase, setup=setup, graphdef=graphdef, options=options, whole=whole
        ),
        checkpoints=Checkpoints(prepared.folder.checkpoints),
    )
    return plan, learner


def _end(plan: Plan, prepared: Prepared, best: dict[str, Any], params: dict) -> dict[str, float]:
    """Predict validation with the best epoch, leave the other processes, report."""
    # Imported late: figures and statistics take a second, which need not delay the first step.
    from hairjax.training.finish import Trained, find_mistakes, finish_run

    setup, validation = prepared.setup, plan.whole.validation
    predictions = plan.whole.predict(params, validation)
    explain = make_explainer(setup, prepared.graphdef, prepared.mesh, stage=-1)
    # Maps of two views share no coordinates, so they are not shown.
    shown = 0 if setup.source.two_views else setup.training.gallery
    mistakes = find_mistakes(shown, explain, params, validation, predictions)
    leave_processes()
    if not is_first():
        return {"epoch": best["epoch"], **plan.options.task.evaluate(predictions)}
    return finish_run(
        prepared.folder,
        prepared.photos,
        prepared.split,
        Trained(best, predictions, mistakes),
    )


@contextmanager
def _closing(checkpoints: Checkpoints) -> Iterator[None]:
    """Commit and close the checkpoints, unless another process is lost (both would wait)."""
    try:
        yield
    except BaseException as error:
        if not lost(error):
            checkpoints.close()
        raise
    checkpoints.close()


def _with_resolved_names(config: ConfigDict, began: ConfigDict) -> ConfigDict:
    """Configuration with the names and columns resolved at the first start."""
    config = ConfigDict(config)
    config.data.spelling = began.data.spelling
    for key in ("columns", "mask_name"):
        config.data[key] = config.data[key] or began.data[key]
    return config


def _photographs(
    setup: Setup, folder: RunFolder, resuming: bool, saved: bool
) -> tuple[PhotoSet, np.ndarray, str, Sequence[Path | None]]:
    """Photographs, split, origin of the split, and paths of the pretrained weights.

    Cheap checks (missing files, image size, absent weights) come before decoding.
    """
    source, classes = setup.source, folder.read_classes() if resuming else None
    if resuming:
        source = source.holding(folder.read_mask_facts())
    found = find_data(source, classes) if source.kind == "photos" else None
    if not resuming:
        _, shapes = abstract_model(setup.model, num_classes=2)
        require_matrices(setup.optim.lora, setup.model.names, shapes)
    none = [None] * len(setup.model.streams)
    weights: Sequence[Path | None] = none if saved else find_model_weights(setup.model)
    coding, white = folder.read_levels() if resuming else ("", 0)
    prepare = replace(setup.prepare, mask_coding=coding, white=white)
    photos = load_data(source, prepare, classes, found)
    split, given = split_photos(photos, source, setup.split, folder.split if resuming else None)
    if resuming:
        require_same_masks(folder.read_mask_checksums(), photos)
    if not resuming:
        require_one_label(photos, source)
        require_no_copies(photos, split, source, setup.split, setup.prepare.hair)
    return photos, split, given, weights


def initial_model(
    setup: Setup, num_classes: int, weights: Sequence[Path | None], saved: bool
) -> tuple[nnx.GraphDef, dict]:
    """Graph and initial parameters; shapes only if ``saved`` (restored from a checkpoint)."""
    if saved:
        return abstract_model(setup.model, num_classes)
    return pretrained_model(setup.model, num_classes, weights)


def _start(
    plan: Plan, learner: Learner, prepared: Prepared
) -> tuple[TrainState, dict[str, Any] | None]:
    """Initial or restored state, and the best epoch so far."""
    if not prepared.saved:
        plan.folder.cut_back(0)
        return learner.begin(prepared.params), None
    shapes = learner.shapes
    evaluated, rest, best = plan.checkpoints.restore_last(shapes.evaluated, shapes.rest())
    state = TrainState.restored(evaluated, rest)
    plan.folder.cut_back(int(state.step) // plan.steps)
    epoch, epochs = int(state.step) // plan.steps, plan.setup.training.epochs
    if epoch < epochs and not patience_exhausted(plan, epoch, best):
        console.say(f"resuming {plan.folder.path} after step {int(state.step):,}")
    else:
        path = plan.folder.path
        longer = continued_command(path, epochs)
        console.say(
            f"{path} has ended: nothing is left to train; to train it anew, give another "
            f"--workdir, or remove it; to train as many epochs more from its best weights: {longer}"
        )
    return state, best
