"""How a run's parameters begin and what its steps do with them: the same in all of its phases."""

import functools
from dataclasses import dataclass

import jax
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh
from ml_collections import ConfigDict

from hairjax.builders.inputs import input_specification
from hairjax.config.streams import streams
from hairjax.data.augment import Amounts
from hairjax.data.balance import class_weights
from hairjax.models.table import VARIANTS
from hairjax.parallel.mesh import on_mesh
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.training.step import Step, StepOptions, make_train_step
from hairjax.training.train_state import TrainState, first_state


@dataclass(frozen=True, eq=False)
class Learner:
    """A model with what trains it.

    Attributes:
        graphdef: the model without its parameters.
        tx: from ``make_optimizer``.
        mesh: devices that share each batch.
        shapes: of a state of training, each with its sharding.
        options: what all steps have alike.
    """

    graphdef: nnx.GraphDef
    tx: optax.GradientTransformation
    mesh: Mesh
    shapes: TrainState
    options: StepOptions

    def begin(self, params: dict) -> TrainState:
        """The state before the first step."""
        begin = functools.partial(first_state, tx=self.tx, averaged=self.shapes.average is not None)
        # From the host: every process has all of them there, and gives each device its part.
        return jax.jit(begin, out_shardings=self._layout())(jax.device_get(params))

    def step(self, *, frozen: tuple[str, ...], kept: int) -> Step:
        """The step of a phase in which these parts are frozen, and so many stages' maps kept."""
        return make_train_step(
            self.graphdef,
            self.tx,
            self.mesh,
            self.options,
            layout=self._layout(),
            frozen=frozen,
            kept=kept,
        )

    def _layout(self) -> TrainState:
        return jax.tree.map(lambda leaf: leaf.sharding, self.shapes)


def make_learner(
    graphdef: nnx.GraphDef,
    params: dict,
    tx: optax.GradientTransformation,
    mesh: Mesh,
    options: StepOptions,
    *,
    averaged: bool,
) -> Learner:
    """A learner for parameters, or for their shapes; ``averaged``: whether it keeps an average."""
    begin = functools.partial(first_state, tx=tx, averaged=averaged)
    shapes = on_mesh(jax.eval_shape(begin, params), mesh)
    return Learner(graphdef, tx, mesh, shapes, options)


def step_options(
    config: ConfigDict, classes: tuple[str, ...], labels: np.ndarray, parts: int
) -> StepOptions:
    """What all steps of a run have alike.

    Args:
        config: of the run.
        classes: names of the classes.
        labels: of the photographs that train, int [n].
        parts: into how many a batch is cut, as `batch_parts` says.
    """
    weights = None
    if config.data.balance == "loss":
        weights = class_weights(labels, len(classes))
        said = (f"{name} {weight:.3g}" for name, weight in zip(classes, weights, strict=True))
        console.say(f"weights of the classes in the loss: {', '.join(said)}")
    return StepOptions(
        amounts=Amounts(**config.augment),
        input_spec=input_specification(config),
        classes=len(classes),
        smoothing=config.optim.label_smoothing,
        class_weights=weights,
        ema=config.optim.ema,
        parts=parts,
        seed=config.seed,
    )


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
