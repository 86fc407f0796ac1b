"""Phases of a run, each with its own trainable parts of the model, and their photographs.

Without augmentation, what comes out of the frozen parts before the first that trains is the same
in every epoch of a phase: it is computed once and cached, where memory allows.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx, traverse_util

from hairjax.builders.setup import Setup
from hairjax.data.augment import Amounts
from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.load import memory_limit
from hairjax.evaluation.inference import Outputs, make_outputs
from hairjax.optim.freezing import split_trainable
from hairjax.optim.groups import ParameterGroup, frozen_parts, parts_of, phase_starts
from hairjax.optim.lora import merged
from hairjax.optim.parts import count_parameters, part_of
from hairjax.parallel.processes import largest
from hairjax.system import console
from hairjax.system.console import duration
from hairjax.training.step import Step, StepOptions

_CHUNK = 16  # batches whose photographs are read together for the maps


class PhaseData(NamedTuple):
    """Data for the steps and the validations of a phase."""

    photos: PhotoSet  # their images are maps where stages are cached
    train: np.ndarray  # which of them train
    validation: PhotoSet
    predict: Callable[[dict, PhotoSet], Any]  # (params, photographs) → predictions of the task


@dataclass(frozen=True)
class Phase:
    """Epochs in which the same parts train.

    Attributes:
        first: epoch of the phase.
        frozen: parts of the model.
        cached_stages: number of leading frozen stages whose maps are computed once; 0: none.
        train_step: train step of the phase.
    """

    first: int
    frozen: tuple[str, ...]
    cached_stages: int
    train_step: Step


def make_phases(
    setup: Setup,
    graphdef: nnx.GraphDef,
    params: dict,
    groups: Mapping[str, ParameterGroup],
    photographs: int,
    train_step: Callable[..., Step],
) -> list[Phase]:
    """Every phase of a run; says where stages cannot be cached.

    Args:
        setup: setup of the run.
        graphdef: the model without its parameters.
        params: these, or their shapes.
        groups: groups of the model's parts.
        photographs: number of photographs that train or are validated.
        train_step: makes the step of ``frozen`` parts and so many ``cached_stages``.
    """
    phases = []
    for first in phase_starts(groups):
        frozen = frozen_parts(groups, first)
        cached = 0 if augments(setup.amounts) else frozen_stages(frozen)
        if cached:
            size = photographs * _map_bytes(setup.inputs, graphdef, params, cached)
            limit = memory_limit(setup.prepare.memory)
            if largest(int(size > limit)):  # of several processes all do the same
                console.say(
                    f"from epoch {first}: the maps of stages.{cached - 1}, which is frozen, are "
                    f"computed at every step: they would take {size / 2**30:.2f} of "
                    f"{limit / 2**30:.2f} GiB (config.data.memory)"
                )
                cached = 0
        phases.append(Phase(first, frozen, cached, train_step(frozen=frozen, cached_stages=cached)))
    return phases


def phase_of(phases: list[Phase], epoch: int) -> Phase:
    """The phase of an epoch."""
    return max((phase for phase in phases if phase.first <= epoch), key=lambda phase: phase.first)


def augments(amounts: Amounts) -> bool:
    """True if any augmentation is enabled."""
    return amounts != Amounts(**dict.fromkeys(Amounts._fields, 0.0) | {"crop_scale": 1.0})


def frozen_stages(frozen: tuple[str, ...]) -> int:
    """Number of leading stages that are frozen together with the stem."""
    stages = 0
    while "stem" in frozen and f"stages.{stages}" in frozen:
        stages += 1
    return stages


def begin_phase(
    phase: Phase,
    params: dict,
    *,
    setup: Setup,
    graphdef: nnx.GraphDef,
    options: StepOptions,
    whole: PhaseData,
) -> PhaseData:
    """The photographs of a phase, or the maps of its frozen stages, computed here.

    Args:
        phase: phase that begins or is resumed.
        params: parameters of the model.
        setup: setup of the run.
        graphdef: the model without its parameters.
        options: task and mesh of its steps.
        whole: the photographs.
    """
    if setup.optim.finetune != "full" or setup.optim.lora:
        console.say(f"from epoch {phase.first}: {_trained(phase.frozen, params)}")
    if not phase.cached_stages:
        return whole
    params = merged(params)

    def last_map(model: Any, photos: jax.Array) -> jax.Array:
        return model.until(phase.cached_stages, model_inputs(photos, None, None, setup.inputs))

    def outputs(model: Any, maps: jax.Array) -> jax.Array:
        return model.continue_from(phase.cached_stages, maps)

    batch_size, start = setup.training.batch_size, time.perf_counter()
    run = make_outputs(graphdef, options.mesh, last_map, batch_size)
    train = _with_maps(whole.photos, whole.train, run, params, batch_size)
    every = np.arange(len(whole.validation))
    validation = _with_maps(whole.validation, every, run, params, batch_size)
    size = (train.images.nbytes + validation.images.nbytes) / 2**30
    console.say(
        f"nothing up to stages.{phase.cached_stages - 1} trains or is augmented: its maps of "
        f"{len(train) + len(validation):,} photographs are computed once ({size:.2f} GiB, "
        f"{duration(time.perf_counter() - start)})"
    )
    predict = options.task.predictor(make_outputs(graphdef, options.mesh, outputs, batch_size))
    return PhaseData(train, np.arange(len(train)), validation, predict)


def _trained(frozen: tuple[str, ...], params: dict) -> str:
    """E.g. ``stages.3, head train (14.2 of 27.5 million parameters)``."""
    trainable, _ = split_trainable(params, frozen)
    part = sum(leaf.size for leaf in jax.tree.leaves(trainable))
    flat = traverse_util.flatten_dict(trainable)
    learning = {part_of(path) for path, leaf in flat.items() if leaf is not None}
    trained = [part for part in parts_of(len(params["stages"])) if part in learning]
    return f"{', '.join(trained)} train, {part:,} of {count_parameters(params):,} parameters"


def _map_bytes(
    how: InputSpecification, graphdef: nnx.GraphDef, params: dict, cached_stages: int
) -> int:
    """Bytes of the map of one photograph."""
    image = jax.ShapeDtypeStruct((1, how.side, how.side, sum(how.channels)), np.float32)

    def last_map(params: dict, image: jax.Array) -> jax.Array:
        return nnx.merge(graphdef, merged(params)).until(cached_stages, image)

    shape = jax.eval_shape(last_map, params, image)
    return shape.size * shape.dtype.itemsize


def _with_maps(
    photos: PhotoSet, chosen: np.ndarray, run: Outputs, params: dict, batch_size: int
) -> PhotoSet:
    """The chosen photographs with their maps in place of their pixels."""
    maps = None
    for start in range(0, len(chosen), _CHUNK * batch_size):
        part = chosen[start : start + _CHUNK * batch_size]
        found = run(params, photos.subset(part))
        if maps is None:
            maps = np.empty((len(chosen), *found.shape[1:]), found.dtype)
        maps[start : start + len(part)] = found
    assert maps is not None, "a split has photographs"
    # Without pixels, of which `subset` would make a copy.
    bare = replace(photos, images=np.empty((len(photos), 0), np.uint8))
    return replace(bare.subset(chosen), images=maps)
