"""Training step of a configuration, as built by training, with its shapes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax.builders.model import abstract_model
from hairjax.builders.setup import resolve
from hairjax.optim.groups import frozen_parts, make_groups
from hairjax.optim.optimizer import make_optimizer
from hairjax.optim.schedules import make_schedules
from hairjax.parallel.mesh import batch_sharded
from hairjax.training.learner import Learner, classification_task, make_learner, step_options
from hairjax.training.step import Step
from hairjax.training.train_state import TrainState

CLASSES = 4
STEPS = 80  # per epoch: 3,200 images, 80 % for training, in batches of 32


class TrainingStep(NamedTuple):
    """Training step before compilation, with the shapes and shardings of its arguments."""

    run: Step
    learner: Learner
    frozen: tuple[str, ...]
    photos: jax.ShapeDtypeStruct
    labels: jax.ShapeDtypeStruct

    @property
    def state(self) -> TrainState:
        """Shapes of the state."""
        return self.learner.shapes

    def lower(self) -> jax.stages.Lowered:
        """Lower the step for XLA."""
        return self.run.lower(self.state, self.photos, self.labels)

    def begin(self) -> TrainState:
        """State on the devices, with values of realistic cost."""
        rng = np.random.default_rng(0)

        def initial(path: tuple, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
            is_scale = path[-1].key in ("scale", "var")
            return rng.normal(float(is_scale), 0.02, leaf.shape).astype(np.float32)

        nothing = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), self.state)
        params = jax.tree_util.tree_map_with_path(initial, self.state.params)
        places = jax.tree.map(lambda leaf: leaf.sharding, self.state)
        return jax.device_put(nothing._replace(params=params), places)

    def batch(self) -> tuple[jax.Array, jax.Array]:
        """Noise images and labels on the devices."""
        photos = noise(*self.photos.shape[:2])
        labels = np.arange(len(photos), dtype=np.int32) % CLASSES
        return jax.device_put((photos, labels), (self.photos.sharding, self.labels.sharding))


def temporary_bytes(program: jax.stages.Compiled) -> int:
    """Temporary memory of a program, from XLA."""
    planned = program.memory_analysis()
    assert planned, "XLA plans the memory of its programs"
    return planned.temp_size_in_bytes


def noise(count: int, side: int) -> np.ndarray:
    """Noise images with noise masks: uint8 [count, side, side, 4]."""
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 4), np.uint8)


def training_step(config: ConfigDict, mesh: Mesh) -> TrainingStep:
    """Training step of a configuration at its batch size; allocates and compiles nothing."""
    setup = resolve(config)
    graphdef, params = abstract_model(setup.model, CLASSES)
    groups = make_groups(setup.optim, len(params["stages"]), setup.training.epochs)
    schedules = make_schedules(setup.optim, groups, setup.training.epochs, STEPS)
    tx = make_optimizer(setup.optim, schedules, params, groups, STEPS)
    batch, side = setup.training.batch_size, setup.prepare.side
    shared = batch_sharded(mesh)
    names, labels = tuple(map(str, range(CLASSES))), np.arange(CLASSES)
    options = step_options(setup, classification_task(setup, names, labels), mesh)
    averaged = setup.training.ema > 0
    learner = make_learner(graphdef, params, tx, options, averaged=averaged)
    frozen = frozen_parts(groups, 1)
    return TrainingStep(
        learner.step(frozen=frozen, cached_stages=0),
        learner,
        frozen,
        jax.ShapeDtypeStruct((batch, side, side, 4), jnp.uint8, sharding=shared),
        jax.ShapeDtypeStruct((batch,), jnp.int32, sharding=shared),
    )
