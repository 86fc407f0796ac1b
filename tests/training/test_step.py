import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx, traverse_util
from ml_collections import ConfigDict
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss

from hairjax.data.augment import Amounts
from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.data.mixing import own_shares
from hairjax.models.swin import Swin
from hairjax.optim.groups import GROUPS, frozen_parts, make_groups
from hairjax.optim.optimizer import make_optimizer
from hairjax.optim.parts import label_parameters
from hairjax.parallel.mesh import make_mesh, replicated
from hairjax.training.classification import Classification
from hairjax.training.step import StepOptions, make_train_step
from hairjax.training.train_state import TrainState, first_state, moving_average, zero_totals
from tests.models.example import options

OFF = Amounts(
    rotation=0.0,
    flip=0.0,
    brightness=0.0,
    contrast=0.0,
    saturation=0.0,
    hue=0.0,
    crop_scale=1.0,
    erase=0.0,
    mixup=0.0,
    cutmix=0.0,
    drop_view=0.0,
)
ON = OFF._replace(rotation=30.0, flip=0.5, brightness=0.3, crop_scale=0.5)
BATCH, CLASSES, STORED, SIDE = 8, 3, 36, 32
TASK = Classification(CLASSES, 0.0, None)
INPUT_SPEC = InputSpecification(SIDE, (6,), ("imagenet",))
PHOTOS = np.random.default_rng(0).integers(0, 256, (BATCH, STORED, STORED, 4), dtype=np.uint8)
LABELS = np.arange(BATCH, dtype=np.int32) % CLASSES

RATE, CLIP = 0.01, 0.1

# XLA's optimizations would take most of the time of these tests.
UNOPTIMIZED = {"xla_backend_optimization_level": 0}


class Toy(nnx.Module):
    """The smallest thing with a stem, stages and a head, for what does not depend on the model."""

    def __init__(self, rngs, dropout=0.0):
        self.dropout = dropout
        self.stem = nnx.Linear(SIDE * SIDE * 6, 8, rngs=rngs)
        self.stages = nnx.List([nnx.Linear(8, 8, rngs=rngs) for _ in range(3)])
        self.head = nnx.Linear(8, CLASSES, rngs=rngs)

    def __call__(self, images, *, train=False, rngs=None, frozen=()):
        x = jnp.tanh(self.stem(images.reshape(len(images), -1)))
        for stage in self.stages:
            x = x + jnp.tanh(stage(x))
        if train and "head" not in frozen:
            x = nnx.Dropout(self.dropout)(x, rngs=rngs.dropout())
        return self.head(x)


dropping_toy = functools.partial(Toy, dropout=0.5)


def small_swin(rngs):
    given = options(image_size=(SIDE, SIDE), in_channels=6, num_classes=CLASSES)
    return Swin(given, dim=8, depths=(1, 1), heads=(1, 2), window=4, rngs=rngs)


@functools.cache
def model(build):
    """A model's graph, and parameters of a size that matters, drawn without compiling."""
    graphdef, state = nnx.split(nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0))))
    generator = np.random.default_rng(1)

    def draw(path, leaf):
        values = generator.normal(size=leaf.shape) / math.sqrt(math.prod(leaf.shape[:-1]))
        return np.float32(values + ("scale" in jax.tree_util.keystr(path)))

    return graphdef, jax.tree_util.tree_map_with_path(draw, nnx.to_pure_dict(state))


# Changes nothing; its state is the gradient it was given.
record = optax.GradientTransformation(
    init=lambda params: jax.tree.map(jnp.zeros_like, params),
    update=lambda grads, state, params: (jax.tree.map(jnp.zeros_like, grads), grads),
)


class Trainer:
    """A compiled training step and the state it begins with."""

    def __init__(self, build, amounts, *, recording, devices, micro_batches, seed, frozen, ema=0.0):
        graphdef, self.params = model(build)
        self.mesh = make_mesh(devices, 1)
        peak = ConfigDict({group: RATE * (group not in frozen) for group in GROUPS})
        optim = ConfigDict({"peak": peak, "weight_decay": 0.01, "clip": CLIP, "layer_decay": 1.0})
        optim.update(finetune="full", gradual=(1,))
        groups = make_groups(optim, len(self.params["stages"]), 1)
        self.groups = label_parameters(self.params, groups)
        schedules = {group: optax.constant_schedule(RATE) for group in GROUPS}
        tx = record if recording else make_optimizer(optim, schedules, self.params, groups, 1)
        self.shapes = jax.eval_shape(
            functools.partial(first_state, tx=tx, averaged=ema > 0, sums=TASK.sums), self.params
        )
        step = make_train_step(
            graphdef,
            tx,
            StepOptions(
                task=TASK,
                amounts=amounts,
                input_spec=INPUT_SPEC,
                ema=ema,
                micro_batches=micro_batches,
                seed=seed,
                mesh=self.mesh,
            ),
            shardings=replicated(self.mesh),
            frozen=frozen_parts(groups, 1),
            cached_stages=0,
        )
        self.compiled = step.lower(self.state(), PHOTOS, LABELS).compile(UNOPTIMIZED)

    def state(self, step=0) -> TrainState:
        """The state at a step, the optimizer's and the totals zero."""
        state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), self.shapes)
        average = None if state.average is None else self.params
        state = state._replace(step=np.int32(step), params=self.params, average=average)
        return jax.device_put(state, replicated(self.mesh))

    def __call__(self, state):
        return self.compiled(state, PHOTOS, LABELS)

    def record(self, step=0):
        """The loss and the gradient at a step, as one vector."""
        state, loss = self(self.state(step))
        return float(loss), np.concatenate([np.ravel(g) for g in jax.tree.leaves(state.opt_state)])


@functools.cache
def learner(build, *frozen, ema=0.0):
    """A trainer with AdamW, without augmentation."""
    return Trainer(
        build, OFF, recording=False, devices=1, micro_batches=1, seed=0, frozen=frozen, ema=ema
    )


@functools.cache
def recorder(build, amounts, *, micro_batches=1, devices=1, seed=0):
    """A trainer that records the gradients."""
    return Trainer(
        build,
        amounts,
        recording=True,
        devices=devices,
        micro_batches=micro_batches,
        seed=seed,
        frozen=(),
    )


def flat(tree):
    return traverse_util.flatten_dict(jax.device_get(tree))


@jax.jit
def evaluation(params):
    """The toy's logits for the photographs as they are."""
    return nnx.merge(model(Toy)[0], params)(model_inputs(PHOTOS, None, None, INPUT_SPEC))


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


# --- the loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_loss_is_cross_entropy_against_smoothed_labels(smoothing):
    logits = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32) * 3
    labels = np.random.default_rng(1).integers(0, 4, 20)
    targets = np.float32(np.eye(4)[labels] * (1 - smoothing) + smoothing / 4)
    loss, sums = Classification(4, 0.0, None).loss(logits, targets)
    expected = -(targets * log_softmax(logits, axis=1)).sum(axis=1).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert sums["correct"] == np.sum(logits.argmax(axis=1) == labels)


def test_the_loss_without_smoothing_is_scikit_learns():
    logits = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    labels = np.arange(20) % 4
    loss, _ = Classification(4, 0.0, None).loss(logits, np.eye(4, dtype=np.float32)[labels])
    np.testing.assert_allclose(loss, log_loss(labels, softmax(logits, axis=1)), rtol=1e-5)


def test_weights_of_classes_weigh_each_photographs_loss():
    logits = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32) * 3
    labels = np.random.default_rng(1).integers(0, 4, 20)
    weights, targets = np.float32([0.2, 3, 1, 0.7]), np.eye(4, dtype=np.float32)[labels]
    loss, sums = Classification(4, 0.0, weights).loss(logits, targets)
    own = {"sample_weight": weights[labels], "normalize": False}
    expected = log_loss(labels, softmax(logits, axis=1), **own) / 20
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert sums["correct"] == np.sum(logits.argmax(axis=1) == labels)
    mixed = 0.7 * targets + 0.3 * np.roll(targets, 1, axis=0)
    loss, _ = Classification(4, 0.0, weights).loss(logits, mixed)
    expected = -(mixed * weights * log_softmax(logits, axis=1)).sum(axis=1).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


# --- learning


def test_eight_photographs_are_learnt_by_heart():
    train, losses = learner(small_swin), []
    state = train.state()
    for _ in range(60):
        state, loss = train(state)
        losses.append(float(loss))
    assert losses[0] > 0.5
    assert max(losses[-5:]) < 0.1


def test_totals_add_up():
    train = learner(dropping_toy, "late")  # its head is frozen and drops nothing
    before = np.asarray(evaluation(train.params))
    state, loss = train(train.state())
    totals = jax.device_get(state.totals)
    assert totals["correct"] == np.sum(before.argmax(axis=1) == LABELS)
    np.testing.assert_allclose(loss, log_loss(LABELS, softmax(before, axis=1)), rtol=1e-4)
    losses = [float(loss)]
    for _ in range(3):
        state, loss = train(state)
        losses.append(float(loss))
    assert state.step == 4
    assert state.totals["count"] == 4 * BATCH
    assert totals["correct"] <= state.totals["correct"] <= 4 * BATCH
    np.testing.assert_allclose(state.totals["loss"], sum(losses) * BATCH, rtol=1e-5)
    assert state.totals.keys() == zero_totals(TASK.sums).keys()


def test_the_state_is_given_away():
    train = learner(small_swin)
    before = train.state()
    train(before)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before.params))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before.opt_state))


# --- freezing


@pytest.mark.parametrize(
    ("build", "frozen"),
    [(small_swin, ("early",)), (Toy, ("early", "middle")), (dropping_toy, ("late",))],
)
def test_what_is_frozen_stays_bit_equal_and_the_rest_learns(build, frozen):
    train = learner(build, *frozen)
    state = train.state()
    for _ in range(4):
        state, _ = train(state)
    before, after = flat(train.params), flat(state.params)
    for path, group in flat(train.groups).items():
        assert np.array_equal(before[path], after[path]) == (group in frozen), path


def test_what_is_frozen_is_not_differentiated():
    def flops(*frozen):
        return learner(small_swin, *frozen).compiled.cost_analysis()["flops"]

    # Forward one part, backward two; of the backward, the first of two equal stages is spared.
    assert flops("early") < 0.8 * flops()


def test_what_is_frozen_does_not_count_in_the_clipped_norm():
    train = learner(small_swin, "early")
    state, _ = train(train.state())
    moments = optax.tree.get_all_with_path(jax.device_get(state.opt_state), "mu")
    squares = [np.sum(moment**2) for moment in jax.tree.leaves([tree for _, tree in moments])]
    # The first moment is a tenth of the clipped gradient.
    assert np.sqrt(sum(squares)) == pytest.approx(0.1 * CLIP, rel=1e-5)


def test_a_frozen_head_drops_nothing():
    train = learner(dropping_toy, "late")
    _, loss = train(train.state())
    logits = np.asarray(evaluation(train.params))
    np.testing.assert_allclose(loss, log_loss(LABELS, softmax(logits, axis=1)), rtol=1e-4)


# --- averaged weights


def test_the_average_is_kept_beside_the_parameters_and_changes_nothing_else():
    plain, train = learner(Toy, "middle"), learner(Toy, "middle", ema=0.5)
    state, other, expected = train.state(), plain.state(), flat(train.params)
    for step in range(5):
        (state, _), (other, _) = train(state), plain(other)
        kept = min(0.5, (1 + step) / (10 + step))
        expected = {p: kept * a + (1 - kept) * flat(state.params)[p] for p, a in expected.items()}
    before, average = flat(train.params), flat(state.average)
    for path, group in flat(train.groups).items():
        np.testing.assert_array_equal(flat(state.params)[path], flat(other.params)[path])
        np.testing.assert_allclose(average[path], expected[path], rtol=1e-5, atol=1e-6)
        assert np.array_equal(average[path], before[path]) == (group == "middle")
    assert state.evaluated is state.average
    assert other.evaluated is other.params


def test_an_average_of_constants_is_that_constant_to_the_bit():
    values = {"a": np.float32(np.random.default_rng(0).normal(size=1000))}
    for step in (0, 3, 10_000):
        found = jax.jit(moving_average)(values, values, 0.999, step)
        np.testing.assert_array_equal(found["a"], values["a"])


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_state_is_restored_from_what_a_checkpoint_keeps(ema):
    state, _ = learner(Toy, "middle", ema=ema)(learner(Toy, "middle", ema=ema).state())
    restored = TrainState.restored(state.evaluated, state.rest())
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(state), strict=True):
        assert a is b


# --- mixing


@pytest.mark.parametrize(
    "alphas",
    [
        pytest.param({"mixup": 0.4}, marks=pytest.mark.slow),
        {"cutmix": 1.0},
        pytest.param({"mixup": 0.4, "cutmix": 1.0}, marks=pytest.mark.slow),
    ],
)
def test_what_the_model_sees_and_the_targets_are_mixed_alike(alphas):
    """The step's loss, computed from its parts by NumPy."""
    amounts = OFF._replace(**alphas)
    train = recorder(Toy, amounts)
    loss, _ = train.record(step=3)
    step_key = jax.random.fold_in(jax.random.key(0), 3)
    keys = jax.random.split(jax.random.split(step_key)[0], BATCH)
    drawn = jax.jit(own_shares, static_argnums=(1, 2))(keys, amounts, SIDE)
    pixels, shares = map(np.asarray, drawn)
    assert np.ptp(shares) > 0.05
    seen = np.asarray(model_inputs(PHOTOS, None, None, INPUT_SPEC))
    own = pixels.reshape(BATCH, *(pixels.shape[1:] or (1, 1, 1)))
    blended = own * seen + (1 - own) * np.roll(seen, -1, axis=0)
    logits = np.asarray(nnx.merge(model(Toy)[0], train.params)(blended))
    own, labels = shares[:, None], np.eye(CLASSES)[LABELS]
    targets = own * labels + (1 - own) * np.roll(labels, -1, axis=0)
    expected = -(targets * log_softmax(logits, axis=1)).sum(axis=1).mean()
    assert loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "alphas", [{"mixup": 1.0}, pytest.param({"cutmix": 1.0}, marks=pytest.mark.slow)]
)
def test_a_view_that_is_missing_is_so_when_mixed_too(alphas):
    photos = np.concatenate([PHOTOS, PHOTOS], axis=-1)
    photos[::2, ..., 4:] = 0
    how = {"task": TASK, "ema": 0.0, "micro_batches": 1, "mesh": make_mesh(1, 1)}
    sees = InputSpecification(SIDE, (3, 6), ("imagenet", "half"))
    pairs = StepOptions(amounts=OFF._replace(**alphas), input_spec=sees, seed=0, **how)
    batch = (photos, LABELS, jax.random.split(jax.random.key(0), BATCH))
    batch += tuple(jnp.roll(array, -1, axis=0) for array in batch)
    inputs, targets = jax.jit(lambda batch: pairs.mixed_inputs_and_targets(batch, 0))(batch)
    assert np.any(inputs[..., :3], axis=(1, 2, 3)).all()
    assert np.any(inputs[..., 3:], axis=(1, 2, 3)).tolist() == [False, True] * (BATCH // 2)
    # The view that all have is mixed as it would be alone.
    alone = StepOptions(
        amounts=OFF._replace(**alphas),
        input_spec=InputSpecification(SIDE, (3,), ("imagenet",)),
        seed=0,
        **how,
    )
    batch = (batch[0][..., :4], *batch[1:3], batch[3][..., :4], *batch[4:])
    expected, same = jax.jit(lambda batch: alone.mixed_inputs_and_targets(batch, 0))(batch)
    np.testing.assert_allclose(inputs[..., :3], expected, atol=1e-6)
    np.testing.assert_array_equal(targets, same)


# --- micro-batches, devices


@pytest.mark.parametrize(("micro_batches", "devices"), [(4, 1), (2, 4)])
@pytest.mark.parametrize(
    "amounts",
    [ON, pytest.param(ON._replace(erase=0.5, mixup=1.0, cutmix=1.0), marks=pytest.mark.slow)],
)
def test_micro_batches_and_devices_change_no_gradient(amounts, micro_batches, devices):
    loss, gradient = recorder(Toy, amounts).record()
    other_loss, other = recorder(
        Toy, amounts, micro_batches=micro_batches, devices=devices
    ).record()
    assert other_loss == pytest.approx(loss, rel=1e-5)
    assert relative(other, gradient) < 1e-5


# --- randomness


def test_a_step_is_a_function_of_seed_and_step():
    train = recorder(Toy, ON)
    loss, gradient = train.record(step=5)
    again, same = train.record(step=5)
    assert again == loss
    np.testing.assert_array_equal(same, gradient)
    for other in (train.record(step=6), recorder(Toy, ON, seed=1).record(step=5)):
        assert relative(other[1], gradient) > 0.01


def test_dropout_is_drawn_anew_at_every_step():
    train = recorder(dropping_toy, OFF)
    (_, gradient), (_, same), (_, other) = (train.record(step) for step in (5, 5, 6))
    np.testing.assert_array_equal(same, gradient)
    assert relative(other, gradient) > 0.01
