"""Batch norm as torch has it, and its statistics through steps, parts, devices and freezing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx, traverse_util
from ml_collections import ConfigDict

import hairjax
from configs import top
from hairjax.builders.setup import resolve
from hairjax.data.augment import Amounts
from hairjax.data.inputs import InputSpecification
from hairjax.models import table as families
from hairjax.models.cnn import CNN
from hairjax.models.table import VARIANTS, Variant
from hairjax.optim.groups import GROUPS, frozen_parts, make_groups
from hairjax.optim.optimizer import make_optimizer
from hairjax.optim.parameter_table import make_parameter_table, write_groups_text
from hairjax.optim.parts import FROZEN, count_parameters, is_statistic, part_of
from hairjax.parallel.mesh import make_mesh, on_mesh
from hairjax.training.classification import Classification
from hairjax.training.learner import count_micro_batches
from hairjax.training.step import StepOptions, make_train_step
from hairjax.training.train_state import first_state
from hairjax.weights.names.resnet import TORCHVISION
from hairjax.weights.naming import our_path
from hairjax.weights.paths import dotted
from tests.models.example import options
from tests.models.test_backbones import CASES, reference_weights, relative, stored
from tests.reference.drawn import photographs

UNOPTIMIZED = {"xla_backend_optimization_level": 0}
SIDE, BATCH, CLASSES = 16, 24, 3
TASK = Classification(CLASSES, 0.0, None)
OFF = Amounts(**dict.fromkeys(Amounts._fields, 0.0) | {"crop_scale": 1.0})
PHOTOS = np.random.default_rng(0).integers(0, 256, (BATCH, SIDE, SIDE, 4), dtype=np.uint8)
LABELS = np.arange(BATCH, dtype=np.int32) % CLASSES


# --- one batch, as in torch


def test_a_batch_in_training_gives_torchs_logits_gradient_and_statistics(monkeypatch, tmp_path):
    monkeypatch.setitem(VARIANTS, "small", Variant(64, *CASES["resnet"]))
    model = hairjax.create_model(
        "small", num_classes=10, weights=reference_weights("resnet", tmp_path)
    )
    graphdef, parameters, before = nnx.split(model, nnx.Param, nnx.BatchStat)
    before = nnx.to_pure_dict(before)
    targets = jax.nn.one_hot(jnp.arange(4), 10)

    def loss(parameters, images):
        model = nnx.merge(graphdef, parameters, before)
        logits = model(images, train=True, rngs=nnx.Rngs(dropout=0))
        value, _ = TASK.loss(logits, targets)
        return value, (logits, nnx.to_pure_dict(nnx.state(model, nnx.BatchStat)))

    run = jax.jit(jax.grad(loss, has_aux=True), compiler_options=UNOPTIMIZED)
    grads, (logits, moved) = run(parameters, photographs("resnet", (40, 55), 4))
    theirs, moved = stored("resnet"), dotted(moved)
    assert relative(logits, theirs["trained.logits"]) < 1e-5
    ours = np.transpose(grads["stem"]["proj"]["kernel"][...], (3, 2, 0, 1))
    assert relative(ours, theirs["trained.gradient"]) < 1e-4
    names = [name for name in theirs if "running" in name]
    assert len(names) == len(moved)
    for name in names:
        path = our_path(TORCHVISION, name).replace("running_", "")
        assert relative(moved[path], theirs[name]) < 1e-5, name


# --- steps


def network(remat=False):
    return nnx.eval_shape(
        lambda: CNN(
            options(image_size=(SIDE, SIDE), num_classes=CLASSES, remat=remat),
            width=4,
            depths=(1, 2),
            rngs=nnx.Rngs(0),
        )
    )


@functools.cache
def start(remat=False):
    graphdef, state = nnx.split(network(remat))
    generator = np.random.default_rng(1)

    def draw(path, leaf):
        name = path[-1].key
        values = generator.normal(size=leaf.shape) * 0.3
        return np.float32(1 + np.abs(values) if name in ("var", "scale") else values)

    return graphdef, jax.tree_util.tree_map_with_path(draw, nnx.to_pure_dict(state))


@functools.cache
def after(steps=1, *, micro_batches=1, devices=1, finetune="full", remat=False, ema=0.0):
    """The state after some steps, on the host."""
    graphdef, params = start(remat)
    mesh = make_mesh(devices, 1)
    optim = top.get_config().optim
    optim.update(finetune=finetune, peak=ConfigDict(dict.fromkeys(GROUPS, 1e-2)))
    groups = make_groups(optim, 2, 1)
    schedules = {name: optax.constant_schedule(1e-2) for name in groups}
    tx = make_optimizer(optim, schedules, params, groups, 1)
    begin = functools.partial(first_state, tx=tx, averaged=ema > 0, sums=TASK.sums)
    shapes = on_mesh(jax.eval_shape(begin, params), mesh)
    places = jax.tree.map(lambda leaf: leaf.sharding, shapes)
    step = make_train_step(
        graphdef,
        tx,
        StepOptions(
            task=TASK,
            amounts=OFF,
            input_spec=InputSpecification(SIDE, (3,), ("imagenet",)),
            ema=ema,
            micro_batches=micro_batches,
            seed=0,
            mesh=mesh,
        ),
        shardings=places,
        frozen=frozen_parts(groups, 1),
        cached_stages=0,
    )
    state = jax.device_put(begin(params), places)
    compiled = step.lower(state, PHOTOS, LABELS).compile(UNOPTIMIZED)
    for _ in range(steps):
        state, _ = compiled(state, PHOTOS, LABELS)
    return jax.device_get(state)


def flat(tree):
    return traverse_util.flatten_dict(tree)


def statistics(tree):
    return {path: leaf for path, leaf in flat(tree).items() if is_statistic(path)}


def test_a_step_moves_statistics_and_keeps_no_moments_of_them():
    state, (_, params) = after(), start()
    moved, before = statistics(state.params), statistics(params)
    assert len(moved) == 8
    assert all(np.all(moved[path] != before[path]) for path in moved)
    moments = [leaf for leaf in jax.tree.leaves(state.opt_state) if np.ndim(leaf)]
    assert sum(leaf.size for leaf in moments) == 2 * count_parameters(params)


@pytest.mark.parametrize("micro_batches", [1, 3])
def test_statistics_of_frozen_parts_stay_to_the_bit(micro_batches):
    """Three do not divide evenly in binary: an average of three equal numbers is another."""
    state = after(2, micro_batches=micro_batches, finetune="last:1", ema=0.9)
    before, after_, averaged = flat(start()[1]), flat(state.params), flat(state.average)
    for path in before:
        frozen = part_of(path) in ("stem", "stages.0")
        assert np.array_equal(before[path], after_[path]) == frozen, path
        assert np.array_equal(before[path], averaged[path]) == frozen, path


def test_the_average_is_of_statistics_too():
    """As in timm's; its first step keeps (1 + 0) / (10 + 0)."""
    state, (_, params) = after(ema=0.9), start()
    before, now, averaged = map(statistics, (params, state.params, state.average))
    for path in before:
        expected = 0.1 * before[path] + 0.9 * now[path]
        np.testing.assert_allclose(averaged[path], expected, rtol=1e-5)


def test_micro_batches_move_statistics_by_their_average_once():
    """The first norm's mean is that of the whole batch, however it is cut."""
    whole, cut = (statistics(after(micro_batches=n).params) for n in (1, 3))
    path = ("stem", "norm", "mean")
    np.testing.assert_allclose(cut[path], whole[path], rtol=1e-5, atol=1e-6)
    later = ("stages", 1, "blocks", 0, "norm", "mean")
    assert not np.allclose(cut[later], whole[later], rtol=1e-5, atol=1e-6)


def test_devices_share_one_batchs_statistics():
    one, many = statistics(after().params), statistics(after(devices=8).params)
    for path in one:
        np.testing.assert_allclose(many[path], one[path], rtol=1e-5, atol=1e-6)


def test_rematerialisation_changes_nothing():
    plain, again = (statistics(after(remat=remat).params) for remat in (False, True))
    for path in plain:
        np.testing.assert_allclose(again[path], plain[path], rtol=1e-5, atol=1e-6)


def test_works_in_tree_mode_and_rematerialised():
    """As with NNX_GRAPH_MODE=false, where no module may be shared or refer to its parent."""
    with nnx.set_graph_mode(False):
        graphdef, state = nnx.split(network(remat=True))

        def run(state, images):
            model = nnx.merge(graphdef, state)
            logits = model(images, train=True, rngs=nnx.Rngs(dropout=jax.random.key(0)))
            return logits, nnx.state(model)

        _, moved = jax.eval_shape(run, state, jnp.zeros((2, SIDE, SIDE, 3)))
    assert jax.tree.structure(moved) == jax.tree.structure(state)


def test_the_table_tells_statistics_from_what_is_learnt(tmp_path):
    optim = top.get_config().optim
    groups = make_groups(optim, 2, 1)
    write_groups_text(
        make_parameter_table(start()[1], groups, optim), (*groups, FROZEN), tmp_path / "groups.txt"
    )
    lines = (tmp_path / "groups.txt").read_text().splitlines()
    rows = [line.split() for line in lines if "statistics" in line]
    assert len(rows) == 8
    assert ["stem.norm.mean", "4", "statistics", "-", "-", "with", "its", "part"] in rows


def test_a_batch_is_not_cut_where_that_would_change_the_numbers():
    config = top.get_config()
    config.optim.accumulate = 0
    counts = {}
    for name in ("swin_mini_patch4_window4_64", "cnn7"):
        config.model.name = name
        counts[name] = count_micro_batches(resolve(config), make_mesh(1, 1))
    assert counts == {"swin_mini_patch4_window4_64": 4, "cnn7": 1}
    assert families.OWN.batch_norm
