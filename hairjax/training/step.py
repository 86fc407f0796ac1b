"""The state of training and the one compiled step that advances it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from einops import rearrange
from flax import nnx
from jax.sharding import Mesh

from hairjax.data.augment import Amounts, InputSpecification, model_inputs
from hairjax.data.mixing import own_shares, without_missing
from hairjax.optim.freezing import merge, moving_statistics, split_trainable
from hairjax.optim.lora import merged
from hairjax.parallel.compilation import compiler_options
from hairjax.parallel.mesh import batch_sharded, replicated
from hairjax.training.train_state import TrainState, next_average

# (State, photographs, labels) → (state, loss), compiled when it is first called, or before.
Step = jax.stages.Wrapped
# (Loss, how many were right, running statistics after the batch), gradient by parameter.
Gradients = tuple[tuple[jax.Array, jax.Array, dict], dict]


def classification_loss(
    logits: jax.Array, targets: jax.Array, class_weights: np.ndarray | None
) -> tuple[jax.Array, jax.Array]:
    """Mean cross-entropy, and how many were right.

    Args:
        logits: float32 [batch, classes].
        targets: float32 [batch, classes], rows summing to one, the largest where the label
            is (or that of which a mixed photograph shows most).
        class_weights: of the classes, float32 [classes], None for equal ones. The mean is over the
            photographs whatever these are (so does PyTorch for targets that are shares).
    """
    weighted = targets if class_weights is None else targets * jnp.expand_dims(class_weights, 0)
    loss = optax.softmax_cross_entropy(logits, weighted).mean()
    return loss, jnp.sum(logits.argmax(axis=1) == targets.argmax(axis=1))


def gradients(
    graphdef: nnx.GraphDef,
    params: dict,
    inputs: jax.Array,
    targets: jax.Array,
    key: jax.Array,
    *,
    frozen: tuple[str, ...],
    kept: int,
    class_weights: np.ndarray | None,
) -> Gradients:
    """(Loss, number right, running statistics) and the gradient; zeros for what is frozen.

    What is frozen is not differentiated: nothing is computed for it in the backward pass, nor kept
    for that where only frozen parts come before it. ``inputs`` are what the model sees, or the maps
    that its first ``kept`` stages make of it. The statistics are those of batch norms in parts that
    train, in a tree like ``params`` with None in all other places.
    """
    trainable, fixed = split_trainable(params, frozen)

    def loss(trainable: dict) -> tuple[jax.Array, tuple[jax.Array, dict]]:
        model = nnx.merge(graphdef, merged(merge(trainable, fixed)))
        rngs = nnx.Rngs(dropout=key)
        if kept:
            logits = model.continue_from(kept, inputs, train=True, rngs=rngs, frozen=frozen)
        else:
            logits = model(inputs, train=True, rngs=rngs, frozen=frozen)
        value, correct = classification_loss(logits, targets, class_weights)
        moved = moving_statistics(nnx.to_pure_dict(nnx.state(model)), params, frozen)
        return value, (correct, moved)

    (value, (correct, moved)), grads = jax.value_and_grad(loss, has_aux=True)(trainable)
    return (value, correct, moved), merge(grads, jax.tree.map(jnp.zeros_like, fixed))


@dataclass(frozen=True, eq=False)
class StepOptions:
    """What all steps of a run have alike.

    Attributes:
        amounts: of augmentation; none where maps come in.
        input_spec: how the model sees.
        classes: how many there are.
        smoothing: share of a label's weight that is spread over all classes.
        class_weights: of the classes in the loss; None for equal ones.
        ema: decay of the average of the parameters, where the state has one; 0: none is averaged.
        parts: the batch is cut into so many, whose gradients are averaged.
        seed: of all randomness.
    """

    amounts: Amounts
    input_spec: InputSpecification
    classes: int
    smoothing: float
    class_weights: np.ndarray | None
    ema: float
    parts: int
    seed: int

    def seen(self, batch: Sequence[jax.Array], kept: int) -> tuple[jax.Array, jax.Array]:
        """What the model sees of (photographs, labels, keys), or the maps kept, and its targets."""
        photos, labels, keys = batch
        targets = optax.smooth_labels(jax.nn.one_hot(labels, self.classes), self.smoothing)
        if kept:
            return photos, targets
        return model_inputs(photos, keys, self.amounts, self.input_spec), targets

    def mixed(self, batch: Sequence[jax.Array], kept: int) -> tuple[jax.Array, jax.Array]:
        """As `seen`; with another three behind them, of each photograph mixed with the other."""
        own = self.seen(batch[:3], kept)
        if len(batch) == 3:
            return own
        mix = jax.vmap(lambda own, other, share: share * own + (1 - share) * other)
        shares = own_shares(batch[2], self.amounts, self.input_spec.side)
        inputs, targets = map(mix, own, self.seen(batch[3:], kept), shares)
        if not kept and batch[0].shape[-1] == 8:  # two views
            inputs = without_missing(inputs, own[0], self.input_spec.channels[0])
        return inputs, targets


def make_train_step(
    graphdef: nnx.GraphDef,
    tx: optax.GradientTransformation,
    mesh: Mesh,
    options: StepOptions,
    *,
    layout: Any,
    frozen: tuple[str, ...],
    kept: int,
) -> Step:
    """Compile (state, photographs, labels) → (state, loss of the step); the state is donated.

    Photographs are uint8 [batch, stored, stored, 4], or where ``kept`` is not 0 the maps of so many
    stages. All randomness is a function of (seed, state.step), and each photograph's augmentation
    of its place in the batch besides, whatever the number of devices or parts.

    Args:
        graphdef: the model without its parameters.
        tx: from ``make_optimizer``.
        mesh: devices that share each batch.
        options: what all steps of a run have alike.
        layout: the sharding of every array of the state, or one for all.
        frozen: the parts of the model that are frozen.
        kept: how many stages were run before; 0: the stem was not either.
    """
    how: dict[str, Any] = {"frozen": frozen, "kept": kept, "class_weights": options.class_weights}

    def part_gradients(params: dict, *batch_and_key: jax.Array) -> Gradients:
        *batch, key = batch_and_key
        return gradients(graphdef, params, *options.mixed(batch, kept), key, **how)

    whole, shared = replicated(mesh), batch_sharded(mesh)

    def step(
        state: TrainState, photos: jax.Array, labels: jax.Array
    ) -> tuple[TrainState, jax.Array]:
        step_key = jax.random.fold_in(jax.random.key(options.seed), state.step)
        augment_key, dropout_key = jax.random.split(step_key)
        batch: tuple[jax.Array, ...]
        batch = (photos, labels, jax.random.split(augment_key, len(labels)))
        if options.amounts.mixup or options.amounts.cutmix:
            # Each with the next one of the batch, whatever the parts it is cut into.
            batch += tuple(jnp.roll(array, -1, axis=0) for array in batch)
        # Whole from here on: else the compiler may cut what they are multiplied with, and send it.
        gathered = jax.lax.with_sharding_constraint(state.params, whole)
        (loss, correct, moved), grads = average_over_parts(
            part_gradients, gathered, batch, dropout_key, options.parts
        )
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = merge(moved, optax.apply_updates(state.params, updates))
        new: dict[str, Any] = {"loss": loss * len(labels), "correct": correct, "count": len(labels)}
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


def average_over_parts(
    function: Callable[..., Gradients],
    params: dict,
    batch: tuple[jax.Array, ...],
    key: jax.Array,
    parts: int,
) -> Gradients:
    """Gradients of a batch cut into equal parts, one after the other: less memory, same mean.

    A batch norm goes by each part alone. All parts begin with the same running statistics, and what
    they make of them is averaged: one step forgets as much, whatever the number of parts.

    Args:
        function: (params, *arrays, key) → gradients of one part.
        params: of the model.
        batch: arrays whose first axis is the photograph.
        key: split between the parts.
        parts: how many; 1 is the batch as it is.
    """
    if parts == 1:
        return function(params, *batch, key)
    # Neighbours go to different parts, so that every part lies on every device.
    cut = [rearrange(array, "(b parts) ... -> parts b ...", parts=parts) for array in batch]
    shapes = jax.eval_shape(function, params, *(array[0] for array in cut), key)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def add(total: Gradients, part: tuple[jax.Array, ...]) -> tuple[Gradients, None]:
        return jax.tree.map(jnp.add, total, function(params, *part)), None

    totals, _ = jax.lax.scan(add, zeros, (*cut, jax.random.split(key, parts)))
    (loss, correct, moved), grads = totals
    loss, moved, grads = jax.tree.map(lambda total: total / parts, (loss, moved, grads))
    return (loss, correct, moved), grads
