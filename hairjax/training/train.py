"""One run, from configuration to report: read top to bottom."""

import functools
from collections.abc import Iterator, Mapping, Sequence
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
from hairjax.config.load import at_its_places
from hairjax.config.places import places_of
from hairjax.config.schema import flatten
from hairjax.data.mask_checksums import require_same_masks, write_masks
from hairjax.data.photoset import PhotoSet
from hairjax.data.quality.conflicts import require_one_label
from hairjax.data.quality.copies import require_no_copies
from hairjax.data.sources.manifest import read_columns
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
from hairjax.parallel.processes import is_first, leave_processes, lost, wait_for
from hairjax.runs.ancestry import Ancestry, write_ancestry
from hairjax.runs.environment import describe_start, to_line
from hairjax.runs.folder import RunFolder
from hairjax.runs.overlap import require_no_leakage_of_weights
from hairjax.runs.run import make_explainer
from hairjax.system import console
from hairjax.system.disk import FullDiskError, full_disk
from hairjax.training.agreement import require_same_command, require_same_start
from hairjax.training.learner import (
    Learner,
    classification_task,
    count_micro_batches,
    make_learner,
    step_options,
)
from hairjax.training.loop import Plan, is_exhausted, run_epochs
from hairjax.training.phases import PhaseData, begin_phase, make_phases
from hairjax.training.room import require_room, told_of_full_disk
from hairjax.training.train_state import TrainState
from hairjax.weights.checkpoint import Checkpoints, last_step


class Prepared(NamedTuple):
    """Run prepared for its first step."""

    config: ConfigDict  # whose photographs lie where they are now
    setup: Setup
    folder: RunFolder
    resumed: bool  # whether the folder held the run
    mesh: Mesh
    photos: PhotoSet
    split: np.ndarray  # str [n], what each photograph is for
    columns: Mapping[str, Mapping[str, str]]  # what else a manifest says of them
    weights: Sequence[Path | None]  # files or runs that were read, for each stream
    ancestry: Ancestry | None  # from what these have learnt; None where none were read
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
        FullDiskError: something could not be written; what was saved is whole.
    """
    try:
        return _train(config, RunFolder(workdir))
    except FullDiskError:
        raise
    except Exception as error:
        if full := full_disk(error):
            raise FullDiskError(told_of_full_disk(full, Path(workdir))) from error
        raise


def _train(config: ConfigDict, folder: RunFolder) -> dict[str, float]:
    """As `train_run`; what the system raises is raised as it is."""
    prepared = _prepare(config, folder)
    with exclusive_lock(prepared.folder.environment):
        _write_start(prepared)
        plan, learner = _plan(prepared)
        with _closing(prepared.checkpoints):
            require_room(plan, learner)
            state, best = _start(plan, learner, prepared)
            best = run_epochs(plan, state, best)
            params = prepared.checkpoints.restore_params(best["step"], learner.shapes.evaluated)
        return _end(plan, prepared, best, params)


def _prepare(config: ConfigDict, folder: RunFolder) -> Prepared:
    """Read the photographs and the model, and begin the run's directory or go on with it."""
    resuming = folder.exists()
    if resuming:
        folder.require_same(config)
        config = _as_begun(at_its_places(folder.path, config), folder.read_config())
    dispatch_inline()
    setup = resolve(config)
    keep_compiled(setup.devices.compiled)
    require_same_command(config, resuming)
    mesh = make_mesh(setup.devices.mesh, setup.devices.shard)
    count_micro_batches(setup, mesh)  # refuses what the devices cannot share, before all else
    console.say(f"source: {setup.source.describe()}")
    console.say(f"devices: {describe_mesh(mesh)}, {compute_dtype(setup.model.dtype)}")
    last = last_step(folder.checkpoints) if resuming else None
    saved = last is not None
    photos, split, given, weights = _photographs(setup, folder, resuming, saved)
    columns = read_columns(setup.source.manifest, setup.source.views[0].photos)
    graphdef, params = initial_model(setup, len(photos.classes), weights, saved)
    ancestry = None
    if not saved:
        ancestry = require_no_leakage_of_weights(
            setup.model, weights, photos, split, setup.source, setup.split
        )
    groups = make_groups(setup.optim, len(params["stages"]), setup.training.epochs)
    params = with_pairs(params, groups, setup.optim.lora, setup.seed)
    require_same_start(photos, split, params, last)
    if not resuming:
        if is_first():
            _begin(folder, photos, split, given)
            table = make_parameter_table(params, groups, setup.optim)
            write_groups_text(table, (*groups, FROZEN), folder.groups_text)
            write_groups_csv(table, folder.groups_csv)
            folder.write_config(config)  # last: it makes the folder a run
        wait_for(folder.config)
    return Prepared(
        config=config,
        setup=setup,
        folder=folder,
        resumed=resuming,
        mesh=mesh,
        photos=photos,
        split=split,
        columns=columns,
        weights=weights,
        ancestry=ancestry,
        graphdef=graphdef,
        params=params,
        groups=groups,
        checkpoints=Checkpoints(folder.checkpoints),
        saved=saved,
    )


def _write_start(prepared: Prepared) -> None:
    """Write what the run is started with; begun anew it may be with other weights or masks."""
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
    """Plan of the epochs (photographs, schedules), and the learner with its compiled step."""
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
        checkpoints=prepared.checkpoints,
    )
    return plan, learner


def _end(plan: Plan, prepared: Prepared, best: dict[str, Any], params: dict) -> dict[str, float]:
    """Predict the validation photographs by the best epoch, report, and part from the others."""
    # Figures and statistics take a second to start, which the first step need not wait for.
    from hairjax.training.finish import Trained, find_mistakes, finish_run

    setup, validation = prepared.setup, plan.whole.validation
    predictions = plan.whole.predict(params, validation)
    explain = make_explainer(setup, prepared.graphdef, prepared.mesh, stage=-1)
    # Two photographs have no place in common that a map could show.
    shown = 0 if setup.source.two_views else setup.training.gallery
    mistakes = find_mistakes(shown, explain, params, validation, predictions)
    leave_processes()
    if not is_first():
        return {"epoch": best["epoch"], **plan.options.task.evaluate(predictions)}
    return finish_run(
        prepared.folder,
        prepared.photos,
        prepared.split,
        prepared.columns,
        Trained(best, predictions, mistakes),
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


def _as_begun(config: ConfigDict, began: ConfigDict) -> ConfigDict:
    """The configuration that a run goes on with: names and columns as the run has read them."""
    config = ConfigDict(config)
    config.data.spelling = began.data.spelling
    for key in ("columns", "mask_name"):
        config.data[key] = config.data[key] or began.data[key]
    return config


def _photographs(
    setup: Setup, folder: RunFolder, resuming: bool, saved: bool
) -> tuple[PhotoSet, np.ndarray, str, Sequence[Path | None]]:
    """Photographs, the split of each, what gave it, and the weights that will be read.

    What is quick to refuse is refused before photographs are decoded: missing photographs, a model
    that cannot take their size, weights that are not there.
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
        require_same_masks(folder.read_masks(), photos)
    if not resuming:
        require_one_label(photos, source)
        require_no_copies(photos, split, source, setup.split)
    return photos, split, given, weights


def initial_model(
    setup: Setup, num_classes: int, weights: Sequence[Path | None], saved: bool
) -> tuple[nnx.GraphDef, dict]:
    """The model's graph and parameters; shapes alone when a checkpoint has the parameters."""
    if saved:
        return abstract_model(setup.model, num_classes)
    return pretrained_model(setup.model, num_classes, weights)


def _begin(folder: RunFolder, photos: PhotoSet, split: np.ndarray, given: str) -> None:
    """Make the run's directory and write the classes, the split and what gave it."""
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write_json(folder.classes, list(photos.classes))
    folder.write_levels(photos)
    if photos.mask_sha256:
        write_masks(folder.mask_files, photos)
    if given:
        folder.write_json(folder.division, {"by": given})
    write_split(folder.split, photos, split)


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
    epoch, epochs = int(state.step) // plan.steps, plan.setup.training.epochs
    if epoch < epochs and not is_exhausted(plan, epoch, best):
        console.say(f"going on with {plan.folder.path} after step {int(state.step):,}")
    else:
        path = plan.folder.path
        longer = continued_command(path, epochs)
        console.say(
            f"{path} has ended: nothing is left to train; to train it anew, give another "
            f"--workdir, or remove it; to train as many epochs more from its best weights: {longer}"
        )
    return state, best
