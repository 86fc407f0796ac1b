"""The training step of a configuration, as training builds it, and the shapes it takes."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax import devices, optim
from hairjax.data.load import stored_side
from hairjax.groups import make_groups
from hairjax.run import abstract_model, on_mesh
from hairjax.step import Step, TrainState, first_state
from hairjax.train import _train_step, batch_parts

CLASSES = 4
STEPS = 80  # of an epoch; 3,200 photographs, of which 80 % train, in batches of 32


class TrainingStep(NamedTuple):
    """A step that is not compiled yet, with what it is lowered with: shapes, on their devices."""

    run: Step
    graphdef: nnx.GraphDef
    state: TrainState
    photos: jax.ShapeDtypeStruct
    labels: jax.ShapeDtypeStruct

    def lower(self) -> jax.stages.Lowered:
        """Trace the step and translate it for XLA."""
        return self.run.lower(self.state, self.photos, self.labels)  # type: ignore[attr-defined]


def training_step(config: ConfigDict, mesh: Mesh) -> TrainingStep:
    """The step of a configuration for batches of its size; nothing is allocated or compiled."""
    graphdef, params = abstract_model(config, CLASSES)
    groups = make_groups(config.optim, len(params["stages"]), config.train.epochs)
    schedules = optim.make_schedules(config.optim, groups, config.train.epochs, STEPS)
    tx = optim.make_optimizer(config.optim, schedules, params, groups, STEPS)
    begin = functools.partial(first_state, tx=tx, averaged=config.optim.ema > 0)
    shapes = on_mesh(jax.eval_shape(begin, params), mesh)
    parts = batch_parts(config, mesh)
    batch, side = config.train.batch_size, stored_side(config)
    shared = devices.batch_sharded(mesh)
    make = _train_step(config, graphdef, tx, shapes, mesh, CLASSES, parts)
    return TrainingStep(
        make(frozen=(), kept=0),
        graphdef,
        shapes,
        jax.ShapeDtypeStruct((batch, side, side, 4), jnp.uint8, sharding=shared),
        jax.ShapeDtypeStruct((batch,), jnp.int32, sharding=shared),
    )
