"""The one compiled step that advances the state of training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from einops import rearrange
from flax import nnx
from jax.sharding import Mesh

from hairjax.data.augment import Amounts
from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.data.mixing import own_shares, zero_missing_views
from hairjax.optim.freezing import merge, moving_statistics, split_trainable
from hairjax.optim.lora import merged
from hairjax.parallel.compilation import compiler_options
from hairjax.parallel.mesh import batch_sharded, replicated
from hairjax.training.task import Task
from hairjax.training.train_state import TrainState, next_average

# (State, photographs, labels) → (state, loss), compiled when it is first called, or before.
Step = jax.stages.Wrapped
# (Loss, sums of the task, running statistics after the batch), gradient by parameter.
Gradients = tuple[tuple[jax.Array, dict[str, jax.Array], dict], dict]


class Examples(NamedTuple):
    """Examples to compute a gradient of.

    Attributes:
        inputs: model inputs, or the maps of its cached stages.
        targets: targets of the task.
        key: random key of dropout and drop-path.
    """

    inputs: jax.Array
    targets: jax.Array
    key: jax.Array


def gradients(
    graphdef: nnx.GraphDef,
    params: dict,
    examples: Examples,
    task: Task,
    *,
    frozen: tuple[str, ...],
    cached_stages: int,
) -> Gradients:
    """(Loss, sums, running statistics) and the gradient, which is zero for frozen parameters.

    What is frozen is not differentiated: nothing is computed for it in the backward pass, nor kept
    for that where only frozen parts come before it. The statistics are those of batch norms in
    parts that train, in a tree like ``params`` with None in all other places.

    Args:
        graphdef: the model without its parameters.
        params: parameters of the model.
        examples: inputs and targets.
        task: its loss.
        frozen: the parts of the model that are frozen.
        cached_stages: the inputs are the maps of so many leading stages; 0: photographs.
    """
    trainable, fixed = split_trainable(params, frozen)

    def loss(trainable: dict) -> tuple[jax.Array, tuple[dict, dict]]:
        model = nnx.merge(graphdef, merged(merge(trainable, fixed)))
        rngs = nnx.Rngs(dropout=examples.key)
        how: dict[str, Any] = {"train": True, "rngs": rngs, "frozen": frozen}
        if cached_stages:
            outputs = model.continue_from(cached_stages, examples.inputs, **how)
        else:
            outputs = model(examples.inputs, **how)
        value, sums = task.loss(outputs, examples.targets)
        moved = moving_statistics(nnx.to_pure_dict(nnx.state(model)), params, frozen)
        return value, (sums, moved)

    (value, (sums, moved)), grads = jax.value_and_grad(loss, has_aux=True)(trainable)
    return (value, sums, moved), merge(grads, jax.tree.map(jnp.zeros_like, fixed))


@dataclass(frozen=True, eq=False)
class StepOptions:
    """Options of all steps of a run.

    Attributes:
        task: targets and loss.
        amounts: amounts of augmentation; all off where stages are cached.
        input_spec: input specification of the model.
        ema: decay of the EMA of the parameters; 0: off.
        micro_batches: number of micro-batches of a batch, whose gradients are averaged.
        seed: seed of all randomness.
        mesh: devices that share each batch.
    """

    task: Task
    amounts: Amounts
    input_spec: InputSpecification
    ema: float
    micro_batches: int
    seed: int
    mesh: Mesh

    def seen(self, batch: Sequence[jax.Array], cached_stages: int) -> tuple[jax.Array, jax.Array]:
        """Inputs and targets of (photographs, or the maps of cached stages; labels; keys)."""
        photos, labels, keys = batch
        targets = self.task.targets(photos, labels, keys)
        if cached_stages:
            return photos, targets
        return model_inputs(photos, keys, self.amounts, self.input_spec), targets

    def mixed(self, batch: Sequence[jax.Array], cached_stages: int) -> tuple[jax.Array, jax.Array]:
        """Inputs and targets as `seen` gives them; with three further arrays, mixed with theirs."""
        own = self.seen(batch[:3], cached_stages)
        if len(batch) == 3:
            return own
        mix = jax.vmap(lambda own, other, share: share * own + (1 - share) * other)
        shares = own_shares(batch[2], self.amounts, self.input_spec.side)
        inputs, targets = map(mix, own, self.seen(batch[3:], cached_stages), shares)
        if not cached_stages and batch[0].shape[-1] == 8:  # two views
            inputs = zero_missing_views(inputs, own[0], self.input_spec.channels[0])
        return inputs, targets


def make_train_step(
    graphdef: nnx.GraphDef,
    tx: optax.GradientTransformation,
    options: StepOptions,
    *,
    layout: Any,
    frozen: tuple[str, ...],
    cached_stages: int,
) -> Step:
    """Compile (state, photographs, labels) → (state, loss of the step); the state is donated.

    Photographs are uint8 [batch, stored, stored, 4], or the maps of cached stages. All randomness
    is a function of (seed, state.step), and each photograph's augmentation of its place in the
    batch besides, whatever the number of devices or micro-batches.

    Args:
        graphdef: the model without its parameters.
        tx: from ``make_optimizer``.
        options: options of all steps of a run.
        layout: the sharding of every array of the state, or one for all.
        frozen: the parts of the model that are frozen.
        cached_stages: leading stages whose maps are given in place of photographs; 0: none.
    """
    how: dict[str, Any] = {"frozen": frozen, "cached_stages": cached_stages}

    def part_gradients(params: dict, *batch_and_key: jax.Array) -> Gradients:
        *batch, key = batch_and_key
        examples = Examples(*options.mixed(batch, cached_stages), key)
        return gradients(graphdef, params, examples, options.task, **how)

    whole, shared = replicated(options.mesh), batch_sharded(options.mesh)

    def step(
        state: TrainState, photos: jax.Array, labels: jax.Array
    ) -> tuple[TrainState, jax.Array]:
        step_key = jax.random.fold_in(jax.random.key(options.seed), state.step)
        augment_key, dropout_key = jax.random.split(step_key)
        batch: tuple[jax.Array, ...]
        batch = (photos, labels, jax.random.split(augment_key, len(labels)))
        if options.amounts.mixup or options.amounts.cutmix:
            # Each with the next one of the batch, whatever the micro-batches it is cut into.
            batch += tuple(jnp.roll(array, -1, axis=0) for array in batch)
        # Whole from here on: else the compiler may cut what they are multiplied with, and send it.
        gathered = jax.lax.with_sharding_constraint(state.params, whole)
        (loss, sums, moved), grads = accumulate_gradients(
            part_gradients, gathered, batch, dropout_key, options.micro_batches
        )
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = merge(moved, optax.apply_updates(state.params, updates))
        new: dict[str, Any] = {"loss": loss * len(labels), **sums, "count": len(labels)}
        totals = {name: state.totals[name] + new[name] for name in new}
        average = next_average(state, params, options.ema)
        return TrainState(state.step + 1, params, average, opt_state, totals), loss

    return jax.jit(
        step,
        donate_argnums=0,
        in_shardings=(layout, shared, shared),
        out_shardings=(layout, whole),
        compiler_options=compiler_options(),
    )


def accumulate_gradients(
    function: Callable[..., Gradients],
    params: dict,
    batch: tuple[jax.Array, ...],
    key: jax.Array,
    micro_batches: int,
) -> Gradients:
    """Gradients of a batch cut into equal micro-batches, one after the other: less memory.

    The mean is that of the whole batch. A batch norm goes by each micro-batch alone; all begin with
    the same running statistics, and what they make of them is averaged: one step forgets as much,
    whatever the number of micro-batches.

    Args:
        function: (params, *arrays, key) → gradients of one micro-batch.
        params: parameters of the model.
        batch: arrays whose first axis is the photograph.
        key: split between the micro-batches.
        micro_batches: number of micro-batches; 1: the batch as it is.
    """
    if micro_batches == 1:
        return function(params, *batch, key)
    # Neighbours go to different micro-batches, so that every one of them lies on every device.
    cut = [rearrange(array, "(b n) ... -> n b ...", n=micro_batches) for array in batch]
    shapes = jax.eval_shape(function, params, *(array[0] for array in cut), key)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def add(total: Gradients, part: tuple[jax.Array, ...]) -> tuple[Gradients, None]:
        return jax.tree.map(jnp.add, total, function(params, *part)), None

    totals, _ = jax.lax.scan(add, zeros, (*cut, jax.random.split(key, micro_batches)))
    (loss, sums, moved), grads = totals
    loss, moved, grads = jax.tree.map(lambda total: total / micro_batches, (loss, moved, grads))
    return (loss, sums, moved), grads
