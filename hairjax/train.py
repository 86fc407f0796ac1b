"""One run, from configuration to report: read top to bottom."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax import devices, optim, processes
from hairjax.agreement import require_same_command, require_same_start
from hairjax.build import abstract_model, pretrained_model
from hairjax.checkpoint import Checkpoints
from hairjax.config import from_plain, streams, to_plain
from hairjax.data.augment import Amounts
from hairjax.data.balance import class_weights
from hairjax.data.load import (
    describe_source,
    image_side,
    input_channels,
    load_data,
    normalisation,
    sees_masks,
    split_photos,
)
from hairjax.data.manifest import read_columns
from hairjax.data.pairs import sees_two_views
from hairjax.data.photos import find_photos
from hairjax.data.photoset import PhotoSet
from hairjax.data.split import write_split
from hairjax.display import Display
from hairjax.environment import describe_start, to_line
from hairjax.errors import UserError
from hairjax.evaluation.metrics import evaluate
from hairjax.groups import Group, make_groups
from hairjax.leak import require_no_copies
from hairjax.loop import Plan, run_epochs
from hairjax.lora import require_matrices, with_pairs
from hairjax.models import VARIANTS
from hairjax.phases import Material, begin_phase, make_phases
from hairjax.run import RunFolder, explainer, on_mesh, predictor
from hairjax.step import Step, TrainState, first_state, make_train_step
from hairjax.weights.load import find_weights


def train(config: ConfigDict, workdir: str | Path, display: Display) -> dict[str, float]:
    """Train, keep the best, report; on the directory of an unfinished run, go on with it.

    Args:
        config: checked by ``check_config``.
        workdir: where everything is written.
        display: what a person sees.

    Returns:
        The best epoch's validation metrics, as in ``metrics.json``.

    Raises:
        UserError: what was given cannot be used; nothing has been written.
        FloatingPointError: the loss is no longer finite; the last good checkpoint is kept.
        StoppedError: SIGTERM or SIGINT; the state is saved.
    """
    folder = RunFolder(workdir)
    resuming = folder.exists()
    if resuming:
        folder.require_same(config)
    devices.keep_compiled(config.devices.compiled)
    require_same_command(config, resuming)
    mesh = devices.make_mesh(config.devices.mesh, config.devices.shard)
    parts = batch_parts(config, mesh)
    display.say(f"source: {describe_source(config)}")
    display.say(f"devices: {devices.describe(mesh)}, {devices.compute_dtype(config.model.dtype)}")
    if not resuming:
        _look_ahead(config)
    photos, split = _photographs(config, folder, resuming, display)
    if not resuming:
        require_no_copies(config, photos, split, display)
    columns = read_columns(config.data.manifest, config.data.photos)
    checkpoints = Checkpoints(folder.checkpoints) if resuming else None
    saved = checkpoints is not None and checkpoints.last_step() is not None
    graphdef, params = begin_model(config, len(photos.classes), saved, display)
    groups = make_groups(config.optim, len(params["stages"]), config.train.epochs)
    params = with_pairs(config, params, groups)
    require_same_start(photos, split, params, checkpoints)
    if checkpoints is None:
        if processes.is_first():
            _begin(config, folder, photos, split, params, groups)
        processes.wait_for(folder.config)
        checkpoints = Checkpoints(folder.checkpoints)
    if processes.is_first():
        start = describe_start(config, mesh, params, reads_weights=not saved)
        folder.append_line(folder.environment, to_line(start))
    steps = int(np.sum(split == "train")) // config.train.batch_size
    schedules = optim.make_schedules(config.optim, groups, config.train.epochs, steps)
    tx = optim.make_optimizer(config.optim, schedules, params, groups, steps)
    averaged = config.optim.ema > 0 or config.optim.lora > 0
    begin = functools.partial(first_state, tx=tx, averaged=averaged)
    shapes = on_mesh(jax.eval_shape(begin, params), mesh)
    whole = Material(
        photos=photos,
        train=np.flatnonzero(split == "train"),
        validation=photos.subset(np.flatnonzero(split == "validation")),
        predict=predictor(config, graphdef, mesh),
    )
    plan = Plan(
        config=config,
        folder=folder,
        whole=whole,
        schedules=schedules,
        phases=make_phases(
            config,
            graphdef,
            params,
            groups,
            len(whole.train) + len(whole.validation),
            display,
            step_maker(
                config,
                graphdef,
                tx,
                shapes,
                mesh,
                photos.classes,
                photos.labels[whole.train],
                parts,
                display,
            ),
        ),
        begin=functools.partial(
            begin_phase, config=config, graphdef=graphdef, mesh=mesh, whole=whole, display=display
        ),
        mesh=mesh,
        checkpoints=checkpoints,
        display=display,
    )
    with _closing(checkpoints):
        state, best = _start(plan, params, tx, shapes, saved)
        best = run_epochs(plan, state, best)
        params = checkpoints.restore_params(best["step"], shapes.judged)
    predictions = whole.predict(params, whole.validation)

    # Figures and statistics take a second to start, which the first step need not wait for.
    from hairjax.finish import find_mistakes, finish

    explain = explainer(config, graphdef, mesh, stage=-1)
    # Two photographs have no place in common that a map could show.
    shown = 0 if sees_two_views(config) else config.report.gallery
    mistakes = find_mistakes(shown, explain, params, whole.validation, predictions)
    processes.leave()
    if not processes.is_first():
        return {
            "epoch": best["epoch"],
            **evaluate(predictions.labels, predictions.probabilities),
        }
    return finish(config, folder, photos, split, best, predictions, mistakes, columns, display)


@contextmanager
def _closing(checkpoints: Checkpoints) -> Iterator[None]:
    """Commit and close at the end, unless it comes from another process's, for which both wait."""
    try:
        yield
    except BaseException as error:
        if not processes.lost(error):
            checkpoints.close()
        raise
    checkpoints.close()


def batch_parts(config: ConfigDict, mesh: Mesh) -> int:
    """Into how many parts a batch is cut.

    Raises:
        UserError: the parts cannot be shared equally by the devices.
    """
    batch, parts = config.train.batch_size, config.optim.accumulate
    if parts == 0 and any(VARIANTS[one.name].family.batch_norm for one in streams(config)):
        parts = 1  # its numbers are other ones by parts, and must not depend on the machine
    elif parts == 0:
        # On a CPU parts of 8 photographs need a quarter of the memory of 32 and no more time.
        shares = {p: p * mesh.size for p in range(1, batch + 1)}
        fitting = (p for p, n in shares.items() if batch % n == 0 and batch // n <= 8)
        parts = next(fitting, 1) if jax.default_backend() == "cpu" else 1
    if batch % (parts * mesh.size):
        raise UserError(
            f"config.train.batch_size={batch} cannot be shared by {mesh.size} devices in {parts} "
            f"parts (config.optim.accumulate); take a multiple of {parts * mesh.size}, or fewer "
            "devices with config.devices.mesh"
        )
    return parts


def _look_ahead(config: ConfigDict) -> None:
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
    config: ConfigDict, folder: RunFolder, resuming: bool, display: Display
) -> tuple[PhotoSet, np.ndarray]:
    """The photographs and what each is for: as before, as another run had it, or drawn anew."""
    photos = load_data(config, folder.read_classes() if resuming else None, display)
    split = split_photos(config, photos, folder.split if resuming else None, display)
    return photos, split


def begin_model(
    config: ConfigDict, num_classes: int, saved: bool, display: Display
) -> tuple[nnx.GraphDef, dict]:
    """The model's graph and parameters; shapes alone when a checkpoint has the parameters."""
    if saved:
        return abstract_model(config, num_classes)
    return pretrained_model(config, num_classes, display)


def _begin(
    config: ConfigDict,
    folder: RunFolder,
    photos: PhotoSet,
    split: np.ndarray,
    params: dict,
    groups: dict[str, Group],
) -> None:
    """Write what is known before the first step; the configuration last: it makes it a run."""
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write_json(folder.classes, list(photos.classes))
    write_split(folder.split, photos, split)
    optim.write_ledger(folder.groups, params, groups, config.optim)
    # Not which process wrote it, nor where the others were: the configuration runs it anywhere.
    alone = from_plain(to_plain(config))
    alone.devices.update(coordinator="", processes=0, process=-1)
    folder.write_config(alone)


def step_maker(
    config: ConfigDict,
    graphdef: nnx.GraphDef,
    tx: optax.GradientTransformation,
    shapes: TrainState,
    mesh: Mesh,
    classes: tuple[str, ...],
    labels: np.ndarray,
    parts: int,
    display: Display,
) -> Callable[..., Step]:
    """The step of a phase, but for what is frozen in it and how many stages are kept.

    ``labels`` are those of the photographs that train, int [n].
    """
    weights = None
    if config.data.balance == "loss":
        weights = class_weights(labels, len(classes))
        said = (f"{name} {weight:.3g}" for name, weight in zip(classes, weights, strict=True))
        display.say(f"weights of the classes in the loss: {', '.join(said)}")
    return functools.partial(
        make_train_step,
        graphdef,
        tx,
        mesh,
        layout=jax.tree.map(lambda leaf: leaf.sharding, shapes),
        amounts=Amounts(**config.augment),
        side=image_side(config),
        channels=input_channels(config),
        normalise=normalisation(config),
        classes=len(classes),
        smoothing=config.optim.label_smoothing,
        class_weights=weights,
        ema=config.optim.ema,
        parts=parts,
        seed=config.seed,
    )


def _start(
    plan: Plan, params: dict, tx: optax.GradientTransformation, shapes: TrainState, saved: bool
) -> tuple[TrainState, dict[str, Any] | None]:
    """The state to go on from, and the best epoch so far."""
    if not saved:
        plan.folder.cut_back(0)
        begin = functools.partial(first_state, tx=tx, averaged=shapes.average is not None)
        layout = jax.tree.map(lambda leaf: leaf.sharding, shapes)
        # From the host: every process has all of them there, and gives each device its part.
        return jax.jit(begin, out_shardings=layout)(jax.device_get(params)), None
    judged, rest, best = plan.checkpoints.restore_last(shapes.judged, shapes.rest())
    state = TrainState.restored(judged, rest)
    plan.folder.cut_back(int(state.step) // plan.steps)
    plan.display.say(f"going on with {plan.folder.path} after step {int(state.step):,}")
    return state, best
