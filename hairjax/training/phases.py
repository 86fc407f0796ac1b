"""The phases of a run, in each of which other parts of the model train, and what each works on.

Without augmentation, what comes out of the frozen parts before the first that trains is the same
in every epoch of a phase: it is computed once and kept, where memory allows.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx, traverse_util
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax.builders.inputs import input_specification
from hairjax.data.augment import Amounts, model_inputs
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.load import memory_limit
from hairjax.evaluation.inference import Outputs, Predict, make_outputs, predict_from
from hairjax.optim.freezing import split_trainable
from hairjax.optim.groups import ParameterGroup, frozen_parts, parts_of, phase_starts
from hairjax.optim.lora import merged
from hairjax.optim.parts import count_parameters, part_of
from hairjax.parallel.processes import largest
from hairjax.system import console
from hairjax.system.console import duration
from hairjax.training.step import Step

_CHUNK = 16  # batches whose photographs are read together for the maps


class PhaseData(NamedTuple):
    """What the steps and the validations of a phase take."""

    photos: PhotoSet  # their images are maps where these are kept
    train: np.ndarray  # which of them train
    validation: PhotoSet
    predict: Predict


@dataclass(frozen=True)
class Phase:
    """Epochs in which the same parts train."""

    first: int  # epoch
    frozen: tuple[str, ...]  # parts
    kept: int  # stages whose output is computed once; 0: photographs are worked on
    train_step: Step


def make_phases(
    config: ConfigDict,
    graphdef: nnx.GraphDef,
    params: dict,
    groups: Mapping[str, ParameterGroup],
    photographs: int,
    train_step: Callable[..., Step],
) -> list[Phase]:
    """Every phase of a run; says which keep maps.

    Args:
        config: of the run.
        graphdef: the model without its parameters.
        params: these, or their shapes.
        groups: of the model's parts.
        photographs: how many train or are validated.
        train_step: makes the step of ``frozen`` parts and so many stages ``kept``.
    """
    phases = []
    for first in phase_starts(groups):
        frozen = frozen_parts(groups, first)
        kept = frozen_stages(frozen) if not augments(Amounts(**config.augment)) else 0
        if kept:
            size = photographs * _map_bytes(config, graphdef, params, kept)
            limit = memory_limit(config.data.memory)
            if largest(int(size > limit)):  # of several processes all do the same
                console.say(
                    f"from epoch {first}: the maps of stages.{kept - 1}, which is frozen, are "
                    f"computed at every step: they would take {size / 2**30:.2f} of "
                    f"{limit / 2**30:.2f} GiB (config.data.memory)"
                )
                kept = 0
        phases.append(Phase(first, frozen, kept, train_step(frozen=frozen, kept=kept)))
    return phases


def phase_of(phases: list[Phase], epoch: int) -> Phase:
    """The phase of an epoch."""
    return max((phase for phase in phases if phase.first <= epoch), key=lambda phase: phase.first)


def augments(amounts: Amounts) -> bool:
    """Whether training sees photographs otherwise than evaluation does."""
    return amounts != Amounts(**dict.fromkeys(Amounts._fields, 0.0) | {"crop_scale": 1.0})


def frozen_stages(frozen: tuple[str, ...]) -> int:
    """How many stages are frozen with all that comes before them."""
    stages = 0
    while "stem" in frozen and f"stages.{stages}" in frozen:
        stages += 1
    return stages


def begin_phase(
    phase: Phase,
    params: dict,
    *,
    config: ConfigDict,
    graphdef: nnx.GraphDef,
    mesh: Mesh,
    whole: PhaseData,
) -> PhaseData:
    """What a phase works on: the photographs, or the maps of its frozen stages, computed here.

    Args:
        phase: that begins, or is gone on with.
        params: of the model.
        config: of the run.
        graphdef: the model without its parameters.
        mesh: devices that share each batch.
        whole: the photographs.
    """
    if config.optim.finetune != "full" or config.optim.lora:
        console.say(f"from epoch {phase.first}: {_trained(phase.frozen, params)}")
    if not phase.kept:
        return whole
    params = merged(params)
    how = input_specification(config)

    def last_map(model: Any, photos: jax.Array) -> jax.Array:
        return model.until(phase.kept, model_inputs(photos, None, None, how))

    def logits(model: Any, maps: jax.Array) -> jax.Array:
        return model.continue_from(phase.kept, maps)

    batch_size, start = config.train.batch_size, time.perf_counter()
    run = make_outputs(graphdef, mesh, last_map, batch_size)
    train = _with_maps(whole.photos, whole.train, run, params, batch_size)
    every = np.arange(len(whole.validation))
    validation = _with_maps(whole.validation, every, run, params, batch_size)
    size = (train.images.nbytes + validation.images.nbytes) / 2**30
    console.say(
        f"nothing up to stages.{phase.kept - 1} trains or is augmented: its maps of "
        f"{len(train) + len(validation):,} photographs are computed once ({size:.2f} GiB, "
        f"{duration(time.perf_counter() - start)})"
    )
    predict = predict_from(make_outputs(graphdef, mesh, logits, batch_size))
    return PhaseData(train, np.arange(len(train)), validation, predict)


def _trained(frozen: tuple[str, ...], params: dict) -> str:
    """E.g. ``stages.3, head train (14.2 of 27.5 million parameters)``."""
    trainable, _ = split_trainable(params, frozen)
    part = sum(leaf.size for leaf in jax.tree.leaves(trainable))
    flat = traverse_util.flatten_dict(trainable)
    learning = {part_of(path) for path, leaf in flat.items() if leaf is not None}
    trained = [part for part in parts_of(len(params["stages"])) if part in learning]
    return f"{', '.join(trained)} train, {part:,} of {count_parameters(params):,} parameters"


def _map_bytes(config: ConfigDict, graphdef: nnx.GraphDef, params: dict, kept: int) -> int:
    """Bytes of the map of one photograph."""
    how = input_specification(config)
    image = jax.ShapeDtypeStruct((1, how.side, how.side, sum(how.channels)), np.float32)
    shape = jax.eval_shape(
        lambda params, image: nnx.merge(graphdef, merged(params)).until(kept, image), params, image
    )
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
