"""The initial state of training and the compiled steps of its phases."""

import functools
from dataclasses import dataclass

import jax
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh

from hairjax.builders.setup import Setup
from hairjax.data.balance import class_weights
from hairjax.parallel.mesh import on_mesh
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.wording import counted
from hairjax.training.classification import Classification
from hairjax.training.step import Step, StepOptions, make_train_step
from hairjax.training.task import Task
from hairjax.training.train_state import TrainState, first_state

MOST_ON_CPU = 8  # photographs of a micro-batch that a CPU takes at a time


@dataclass(frozen=True, eq=False)
class Learner:
    """A model with its optimizer, steps and state.

    Attributes:
        graphdef: the model without its parameters.
        tx: from ``make_optimizer``.
        shapes: shapes of a state of training, each with its sharding.
        options: options of all steps.
    """

    graphdef: nnx.GraphDef
    tx: optax.GradientTransformation
    shapes: TrainState
    options: StepOptions

    def begin(self, params: dict) -> TrainState:
        """The state before the first step."""
        begin = functools.partial(
            first_state,
            tx=self.tx,
            averaged=self.shapes.average is not None,
            sums=self.options.task.sums,
        )
        # From the host: every process has all of them there, and gives each device its part.
        return jax.jit(begin, out_shardings=self._layout())(jax.device_get(params))

    def step(self, *, frozen: tuple[str, ...], cached_stages: int) -> Step:
        """The step of a phase, see `make_train_step`."""
        return make_train_step(
            self.graphdef,
            self.tx,
            self.options,
            layout=self._layout(),
            frozen=frozen,
            cached_stages=cached_stages,
        )

    def _layout(self) -> TrainState:
        return jax.tree.map(lambda leaf: leaf.sharding, self.shapes)


def make_learner(
    graphdef: nnx.GraphDef,
    params: dict,
    tx: optax.GradientTransformation,
    options: StepOptions,
    *,
    averaged: bool,
) -> Learner:
    """A learner for parameters, or for their shapes; ``averaged``: it keeps an average of them."""
    begin = functools.partial(first_state, tx=tx, averaged=averaged, sums=options.task.sums)
    shapes = on_mesh(jax.eval_shape(begin, params), options.mesh)
    return Learner(graphdef, tx, shapes, options)


def classification_task(setup: Setup, classes: tuple[str, ...], labels: np.ndarray) -> Task:
    """The task of a run; says the weights of the classes, where the loss has any.

    Args:
        setup: setup of the run.
        classes: their names.
        labels: labels of the photographs that train, int [n].
    """
    weights = None
    if setup.training.balance == "loss":
        weights = class_weights(labels, len(classes))
        said = (f"{name} {weight:.3g}" for name, weight in zip(classes, weights, strict=True))
        console.say(f"weights of the classes in the loss: {', '.join(said)}")
    return Classification(len(classes), setup.training.label_smoothing, weights)


def step_options(setup: Setup, task: Task, mesh: Mesh) -> StepOptions:
    """Options of all steps of a run.

    Raises:
        UserError: the micro-batches cannot be shared equally by the devices.
    """
    return StepOptions(
        task=task,
        amounts=setup.amounts,
        input_spec=setup.inputs,
        ema=setup.training.ema,
        micro_batches=count_micro_batches(setup, mesh),
        seed=setup.seed,
        mesh=mesh,
    )


def count_micro_batches(setup: Setup, mesh: Mesh) -> int:
    """Into how many micro-batches a batch is cut.

    Raises:
        UserError: they cannot be shared equally by the devices.
    """
    batch, count = setup.training.batch_size, setup.training.accumulate
    if count == 0 and setup.model.batch_norm:
        count = 1  # its numbers are other ones by the cut, and must not depend on the machine
    elif count == 0:
        # On a CPU 8 photographs at a time need a quarter of the memory of 32 and no more time.
        shares = {n: n * mesh.size for n in range(1, batch + 1)}
        fitting = (n for n, s in shares.items() if batch % s == 0 and batch // s <= MOST_ON_CPU)
        count = next(fitting, 1) if jax.default_backend() == "cpu" else 1
    if batch % (count * mesh.size):
        raise UserError(
            f"config.train.batch_size={batch} cannot be shared by "
            f"{counted(mesh.size, 'device')} in {counted(count, 'micro-batch', 'micro-batches')} "
            f"(config.optim.accumulate); take a multiple of {count * mesh.size}, or fewer devices "
            "with config.devices.mesh"
        )
    return count
