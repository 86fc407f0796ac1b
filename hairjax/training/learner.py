"""Initial train state and jitted train steps of a run."""

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

MOST_ON_CPU = 8  # photographs per micro-batch on a CPU


@dataclass(frozen=True, eq=False)
class Learner:
    """Model graph, optimizer and options; builds the train state and the steps."""

    graphdef: nnx.GraphDef  # model without parameters
    tx: optax.GradientTransformation  # optimizer
    shapes: TrainState  # shapes and shardings of the train state
    options: StepOptions  # options of all steps

    def begin(self, params: dict) -> TrainState:
        """Initial train state."""
        begin = functools.partial(
            first_state,
            tx=self.tx,
            averaged=self.shapes.average is not None,
            sums=self.options.task.sums,
        )
        # From the host: every process holds all parameters and fills its devices.
        return jax.jit(begin, out_shardings=self._shardings())(jax.device_get(params))

    def step(self, *, frozen: tuple[str, ...], cached_stages: int) -> Step:
        """Train step of a phase; see `make_train_step`."""
        return make_train_step(
            self.graphdef,
            self.tx,
            self.options,
            shardings=self._shardings(),
            frozen=frozen,
            cached_stages=cached_stages,
        )

    def _shardings(self) -> TrainState:
        return jax.tree.map(lambda leaf: leaf.sharding, self.shapes)


def make_learner(
    graphdef: nnx.GraphDef,
    params: dict,
    tx: optax.GradientTransformation,
    options: StepOptions,
    *,
    averaged: bool,
) -> Learner:
    """Learner for parameters or their shapes; ``averaged``: the state holds an average of them."""
    begin = functools.partial(first_state, tx=tx, averaged=averaged, sums=options.task.sums)
    shapes = on_mesh(jax.eval_shape(begin, params), options.mesh)
    return Learner(graphdef, tx, shapes, options)


def classification_task(setup: Setup, classes: tuple[str, ...], labels: np.ndarray) -> Task:
    """Classification task of a run with training labels [n]; prints class weights if any."""
    weights = None
    if setup.training.balance == "loss":
        weights = class_weights(labels, len(classes))
        weights_text = (
            f"{name} {weight:.3g}" for name, weight in zip(classes, weights, strict=True)
        )
        console.say(f"class weights in the loss: {', '.join(weights_text)}")
    return Classification(len(classes), setup.training.label_smoothing, weights)


def step_options(setup: Setup, task: Task, mesh: Mesh) -> StepOptions:
    """Options of all steps of a run.

    Raises:
        UserError: the devices cannot share the micro-batches equally.
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
    """Number of micro-batches per batch (gradient accumulation).

    Raises:
        UserError: the devices cannot share the micro-batches equally.
    """
    batch, count = setup.training.batch_size, setup.training.accumulate
    if count == 0 and setup.model.batch_norm:
        count = 1  # batch norm depends on the micro-batches; results must not on the machine
    elif count == 0:
        # On a CPU, micro-batches of 8 need a quarter of the memory of 32 and no more time.
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
