"""Phases of a run: epochs with the same trained parts, and their data.

Without augmentation the output of the leading frozen stages is constant within a phase; it is
computed once and cached if memory allows.
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
    """Data of the steps and validations of a phase."""

    photos: PhotoSet  # images are maps if stages are cached
    train: np.ndarray  # indices of the training photographs
    validation: PhotoSet
    predict: Callable[[dict, PhotoSet], Any]  # (params, photographs) → predictions of the task


@dataclass(frozen=True)
class Phase:
    """Epochs with the same trained parts."""

    first: int  # first epoch
    frozen: tuple[str, ...]  # frozen parts of the model
    cached_stages: int  # number of leading frozen stages with cached maps; 0: none
    train_step: Step  # train step of the phase


def make_phases(
    setup: Setup,
    graphdef: nnx.GraphDef,
    params: dict,
    groups: Mapping[str, ParameterGroup],
    photographs: int,
    train_step: Callable[..., Step],
) -> list[Phase]:
    """Phases of a run; reports stages that cannot be cached for lack of memory.

    ``params`` may be shapes; ``photographs``: number of training and validation photographs;
    ``train_step``: function (``frozen``, ``cached_stages``) → step.
    """
    phases = []
    for first in phase_starts(groups):
        frozen = frozen_parts(groups, first)
        cached = 0 if augments(setup.amounts) else frozen_stages(frozen)
        if cached:
            size = photographs * _map_bytes(setup.inputs, graphdef, params, cached)
            limit = memory_limit(setup.prepare.memory)
            if largest(int(size > limit)):  # the same decision in every process
                console.say(
                    f"from epoch {first}: the maps of the frozen stages.{cached - 1} are computed "
                    f"at every step; cached they would take {size / 2**30:.2f} of "
                    f"{limit / 2**30:.2f} GiB (config.data.memory)"
                )
                cached = 0
        phases.append(Phase(first, frozen, cached, train_step(frozen=frozen, cached_stages=cached)))
    return phases


def phase_of(phases: list[Phase], epoch: int) -> Phase:
    """Phase of an epoch."""
    return max((phase for phase in phases if phase.first <= epoch), key=lambda phase: phase.first)


def augments(amounts: Amounts) -> bool:
    """True if any augmentation is enabled."""
    return amounts != Amounts(**dict.fromkeys(Amounts._fields, 0.0) | {"crop_scale": 1.0})


def frozen_stages(frozen: tuple[str, ...]) -> int:
    """Number of leading frozen stages; 0 if the stem trains."""
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
    """Data of a phase that begins or resumes: photographs, or maps of its frozen stages."""
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
        f"stages.{phase.cached_stages - 1} and all before it are frozen: their maps of "
        f"{len(train) + len(validation):,} photographs are computed once ({size:.2f} GiB, "
        f"{duration(time.perf_counter() - start)})"
    )
    predict = options.task.predictor(make_outputs(graphdef, options.mesh, outputs, batch_size))
    return PhaseData(train, np.arange(len(train)), validation, predict)


def _trained(frozen: tuple[str, ...], params: dict) -> str:
    """E.g. ``stages.3, head train, 14,200,000 of 27,500,000 parameters``."""
    trainable, _ = split_trainable(params, frozen)
    part = sum(leaf.size for leaf in jax.tree.leaves(trainable))
    flat = traverse_util.flatten_dict(trainable)
    learning = {part_of(path) for path, leaf in flat.items() if leaf is not None}
    trained = [part for part in parts_of(len(params["stages"])) if part in learning]
    return f"{', '.join(trained)} train, {part:,} of {count_parameters(params):,} parameters"


def _map_bytes(
    how: InputSpecification, graphdef: nnx.GraphDef, params: dict, cached_stages: int
) -> int:
    """Bytes of the cached map of one photograph."""
    image = jax.ShapeDtypeStruct((1, how.side, how.side, sum(how.channels)), np.float32)

    def last_map(params: dict, image: jax.Array) -> jax.Array:
        return nnx.merge(graphdef, merged(params)).until(cached_stages, image)

    shape = jax.eval_shape(last_map, params, image)
    return shape.size * shape.dtype.itemsize


def _with_maps(
    photos: PhotoSet, chosen: np.ndarray, run: Outputs, params: dict, batch_size: int
) -> PhotoSet:
    """Photo set of the chosen photographs with maps in place of pixels."""
    maps = None
    for start in range(0, len(chosen), _CHUNK * batch_size):
        part = chosen[start : start + _CHUNK * batch_size]
        found = run(params, photos.subset(part))
        if maps is None:
            maps = np.empty((len(chosen), *found.shape[1:]), found.dtype)
        maps[start : start + len(part)] = found
    assert maps is not None, "a split has photographs"
    # Without pixels, or `subset` would copy them.
    bare = replace(photos, images=np.empty((len(photos), 0), np.uint8))
    return replace(bare.subset(chosen), images=maps)
