"""The jitted train step."""

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

# (state, photographs, labels) → (state, loss)
Step = jax.stages.Wrapped
# (loss, sums of the task, updated running statistics), gradients
Gradients = tuple[tuple[jax.Array, dict[str, jax.Array], dict], dict]


class Examples(NamedTuple):
    """Inputs and targets of a gradient."""

    inputs: jax.Array  # model inputs, or maps of cached stages
    targets: jax.Array  # targets of the task
    key: jax.Array  # random key of dropout and drop-path


def gradients(
    graphdef: nnx.GraphDef,
    params: dict,
    examples: Examples,
    task: Task,
    *,
    frozen: tuple[str, ...],
    cached_stages: int,
) -> Gradients:
    """(Loss, sums, running statistics) and the gradients, zero for frozen parameters.

    Frozen parameters are not differentiated, which saves their backward pass and activations.
    Running statistics of trained parts come in a tree like ``params``, None elsewhere. The inputs
    have passed ``cached_stages`` stages (0: photographs).
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
    """Options of all steps of a run."""

    task: Task  # targets and loss
    amounts: Amounts  # augmentation; all off with cached stages
    input_spec: InputSpecification
    ema: float  # decay of the EMA of the parameters; 0: off
    micro_batches: int  # number of micro-batches for gradient accumulation
    seed: int  # seed of all randomness
    mesh: Mesh  # devices that share each batch

    def inputs_and_targets(
        self, batch: Sequence[jax.Array], cached_stages: int
    ) -> tuple[jax.Array, jax.Array]:
        """Inputs and targets of (photographs or maps of cached stages, labels, keys)."""
        photos, labels, keys = batch
        targets = self.task.targets(photos, labels, keys)
        if cached_stages:
            return photos, targets
        return model_inputs(photos, keys, self.amounts, self.input_spec), targets

    def mixed_inputs_and_targets(
        self, batch: Sequence[jax.Array], cached_stages: int
    ) -> tuple[jax.Array, jax.Array]:
        """Inputs and targets; with three further arrays, mixed (mixup, CutMix) with theirs."""
        own = self.inputs_and_targets(batch[:3], cached_stages)
        if len(batch) == 3:
            return own
        mix = jax.vmap(lambda own, other, share: share * own + (1 - share) * other)
        shares = own_shares(batch[2], self.amounts, self.input_spec.side)
        inputs, targets = map(mix, own, self.inputs_and_targets(batch[3:], cached_stages), shares)
        if not cached_stages and batch[0].shape[-1] == 8:  # two views
            inputs = zero_missing_views(inputs, own[0], self.input_spec.channels[0])
        return inputs, targets


def make_train_step(
    graphdef: nnx.GraphDef,
    tx: optax.GradientTransformation,
    options: StepOptions,
    *,
    shardings: Any,
    frozen: tuple[str, ...],
    cached_stages: int,
) -> Step:
    """Jitted step (state, photographs, labels) → (state, loss); the state is donated.

    Photographs: uint8 [batch, stored, stored, 4], or maps of cached stages. Randomness is a
    function of (seed, step) and, for augmentation, of the position in the batch: independent of
    devices and micro-batches.

    Args:
        graphdef: model without parameters.
        tx: optimizer.
        options: options of all steps.
        shardings: sharding of every array of the state, or one for all.
        frozen: frozen parts of the model.
        cached_stages: number of leading stages with cached maps; 0: photographs.
    """
    how: dict[str, Any] = {"frozen": frozen, "cached_stages": cached_stages}

    def micro_batch_gradients(params: dict, *batch_and_key: jax.Array) -> Gradients:
        *batch, key = batch_and_key
        examples = Examples(*options.mixed_inputs_and_targets(batch, cached_stages), key)
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
            # Mixed with the next photograph of the whole batch, not of the micro-batch.
            batch += tuple(jnp.roll(array, -1, axis=0) for array in batch)
        # Replicated from here on, or the compiler may shard and send the activations.
        gathered = jax.lax.with_sharding_constraint(state.params, whole)
        (loss, sums, moved), grads = accumulate_gradients(
            micro_batch_gradients, gathered, batch, dropout_key, options.micro_batches
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
        in_shardings=(shardings, shared, shared),
        out_shardings=(shardings, whole),
        compiler_options=compiler_options(),
    )


def accumulate_gradients(
    function: Callable[..., Gradients],
    params: dict,
    batch: tuple[jax.Array, ...],
    key: jax.Array,
    micro_batches: int,
) -> Gradients:
    """Gradients of a batch, accumulated over equal micro-batches to save memory.

    Equals the mean over the batch. Batch norms use each micro-batch's statistics; their running
    statistics all start from the same values and are averaged, so that a step forgets equally.
    ``function``: (params, *arrays, key) → gradients of a micro-batch; ``batch``: arrays with the
    batch as first axis.
    """
    if micro_batches == 1:
        return function(params, *batch, key)
    # Interleaved, so that every micro-batch lies on all devices.
    cut = [rearrange(array, "(b n) ... -> n b ...", n=micro_batches) for array in batch]
    shapes = jax.eval_shape(function, params, *(array[0] for array in cut), key)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def add(total: Gradients, part: tuple[jax.Array, ...]) -> tuple[Gradients, None]:
        return jax.tree.map(jnp.add, total, function(params, *part)), None

    totals, _ = jax.lax.scan(add, zeros, (*cut, jax.random.split(key, micro_batches)))
    (loss, sums, moved), grads = totals
    loss, moved, grads = jax.tree.map(lambda total: total / micro_batches, (loss, moved, grads))
    return (loss, sums, moved), grads
