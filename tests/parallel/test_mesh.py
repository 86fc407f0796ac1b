import functools
import math
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from configs import top
from hairjax.builders.setup import resolve
from hairjax.data.augment import Amounts
from hairjax.data.inputs import InputSpecification
from hairjax.models.swin import Swin
from hairjax.parallel import mesh as module
from hairjax.parallel.compilation import compute_dtype
from hairjax.parallel.mesh import (
    batch_sharded,
    describe_mesh,
    join_shares,
    make_mesh,
    on_mesh,
    replicated,
    shardings,
    share,
)
from hairjax.system.errors import UserError
from hairjax.training.classification import Classification
from hairjax.training.learner import count_micro_batches
from hairjax.training.step import Examples, StepOptions, gradients, make_train_step
from hairjax.training.train_state import TrainState, first_state
from hairjax.weights.checkpoint import Checkpoints
from tests.models.example import options

ROOT = Path(__file__).parents[2]
BATCH, SIDE = 16, 32
TASK = Classification(4, 0.1, None)
SMALL = 128  # below the size of the arrays that make up this model


@pytest.fixture(scope="module", autouse=True)
def even_a_small_model_is_cut():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SMALL", SMALL)
        yield


@functools.cache
def swin():
    """A small Swin: its graph, and parameters of a size that matters."""
    given = options(
        image_size=(SIDE, SIDE), in_channels=6, num_classes=4, dropout=0.2, drop_path=0.2
    )
    graphdef, state = nnx.split(
        nnx.eval_shape(
            lambda: Swin(given, dim=8, depths=(1, 1), heads=(1, 2), window=4, rngs=nnx.Rngs(0))
        )
    )
    generator = np.random.default_rng(0)

    def draw(path, leaf):
        values = generator.normal(size=leaf.shape) / math.sqrt(math.prod(leaf.shape[:-1]))
        return np.float32(values + ("scale" in jax.tree_util.keystr(path)))

    return graphdef, jax.tree_util.tree_map_with_path(draw, nnx.to_pure_dict(state))


@functools.cache
def on(devices, shard=1):
    """Loss, gradients and logits of one batch, shared by so many × ``shard`` devices."""
    graphdef, params = swin()
    mesh = make_mesh(devices, shard)
    generator = np.random.default_rng(1)
    images = generator.normal(size=(BATCH, SIDE, SIDE, 6)).astype(np.float32)
    labels = np.arange(BATCH, dtype=np.int32) % 4

    def run(params, images, labels):
        (loss, *_), grads = gradients(
            graphdef,
            params,
            Examples(images, TASK.targets(images, labels, None), jax.random.key(0)),
            TASK,
            frozen=(),
            cached_stages=0,
        )
        # A device holds its own photographs' logits alone.
        return loss, grads, nnx.merge(graphdef, params)(images)

    whole, shared, parts = replicated(mesh), batch_sharded(mesh), shardings(params, mesh)
    compiled = (
        jax.jit(run, in_shardings=(parts, shared, shared), out_shardings=(whole, parts, shared))
        .lower(params, images, labels)
        .compile({"xla_backend_optimization_level": 0})  # which takes half the time
    )
    return compiled(params, images, labels)


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "shard"), [(2, 1), (8, 1), (2, 4)])
def test_loss_gradients_and_logits_are_those_of_one_device(devices, shard):
    (loss, grads, logits), (expected_loss, expected, expected_logits) = on(devices, shard), on(1)
    assert len(logits.addressable_shards) == devices * shard
    assert logits.addressable_shards[0].data.shape == (BATCH // (devices * shard), 4)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-6)
    largest = np.abs(expected_logits).max()
    np.testing.assert_allclose(logits, expected_logits, rtol=0, atol=1e-6 * largest)
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected))
    for found, one in zip(jax.tree.leaves(grads), jax.tree.leaves(expected), strict=True):
        assert shard > 1 or found.sharding.is_fully_replicated
        np.testing.assert_allclose(found, one, rtol=0, atol=1e-6 * largest)


@pytest.mark.slow
def test_every_parameter_of_the_batch_has_a_gradient():
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(on(1)[1]))


def test_a_mesh_takes_the_first_devices_and_at_0_all():
    assert list(make_mesh(3, 1).devices.flat) == jax.devices()[:3]
    assert list(make_mesh(0, 1).devices.flat) == jax.devices()
    assert dict(make_mesh(0, 1).shape) == {"data": 8, "model": 1}
    assert dict(make_mesh(0, 4).shape) == {"data": 2, "model": 4}
    assert make_mesh(2, 3).devices.tolist() == [jax.devices()[:3], jax.devices()[3:6]]


def test_more_devices_than_there_are_is_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"config.devices.mesh is 9, but there are 8 devices \(cpu"):
        make_mesh(9, 1)
    with pytest.raises(UserError, match=r"mesh is 4 × config.devices.shard=3, but there are 8"):
        make_mesh(4, 3)


def test_devices_that_cannot_be_shared_equally_are_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"config.devices.shard is 3, but there are 8 devices"):
        make_mesh(0, 3)
    with pytest.raises(UserError, match=r"config.devices.shard is 9"):
        make_mesh(0, 9)


def test_several_processes_use_all_their_devices_of_which_each_has_as_many(monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(UserError, match=r"mesh=4 × config.devices.shard=1 leaves out some of"):
        make_mesh(4, 1)
    with pytest.raises(UserError, match="this process has 8 of the 8 devices of 2 processes"):
        make_mesh(0, 1)


def test_layouts():
    mesh = make_mesh(2, 2)
    batch = jax.device_put(np.arange(8), batch_sharded(mesh))
    held = {shard.device.id: shard.data.tolist() for shard in batch.addressable_shards}
    assert held == {i: [2 * i, 2 * i + 1] for i in range(4)}
    copies = jax.device_put(np.arange(8), replicated(mesh)).addressable_shards
    assert [copy.data.tolist() for copy in copies] == [list(range(8))] * 4


def test_the_dtype_is_what_is_asked_or_what_the_hardware_is_made_for(monkeypatch):
    assert compute_dtype("float32") == jnp.float32
    assert compute_dtype("bfloat16") == jnp.bfloat16
    for backend, dtype in [("cpu", jnp.float32), ("gpu", jnp.bfloat16), ("tpu", jnp.bfloat16)]:
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        assert compute_dtype("auto") == dtype


def test_devices_are_described():
    assert describe_mesh(make_mesh(2, 1)) == "2 × cpu"
    assert describe_mesh(make_mesh(2, 4)) == "8 × cpu, parameters sharded over 4"


def test_large_arrays_are_cut_along_their_longest_divisible_axis():
    mesh = make_mesh(2, 4)
    shapes = {
        "first of equals": ((64, 64), (16, 64)),
        "longest": ((64, 128), (64, 32)),
        "longest divisible": ((64, 130), (16, 130)),
        "small": ((SMALL - 4,), (SMALL - 4,)),
        "large enough": ((SMALL,), (SMALL // 4,)),
        "indivisible": ((81, 101), (81, 101)),
        "number": ((), ()),
    }
    tree = {name: jax.ShapeDtypeStruct(whole, "float32") for name, (whole, _) in shapes.items()}
    for name, sharding in shardings(tree, mesh).items():
        assert sharding.shard_shape(shapes[name][0]) == shapes[name][1], name
    for sharding in shardings(tree, make_mesh(8, 1)).values():
        assert sharding.is_fully_replicated


def test_every_process_reads_its_rows_of_a_batch(monkeypatch):
    assert share(16) == slice(0, 16)
    monkeypatch.setattr(jax, "process_count", lambda: 4)
    rows = []
    for process in range(4):
        monkeypatch.setattr(jax, "process_index", lambda process=process: process)
        rows += list(range(16))[share(16)]
    assert rows == list(range(16))


def test_a_batch_of_shares_lies_on_all_devices():
    rows = np.arange(16, dtype=np.uint8).reshape(8, 2)
    batch = join_shares(rows, make_mesh(2, 2))
    assert {shard.data.shape for shard in batch.addressable_shards} == {(2, 2)}
    np.testing.assert_array_equal(batch, rows)


# --- a state of training, cut


@functools.cache
def stepper(devices, shard):
    """A training step with momentum on so many × ``shard`` devices, and the state it begins with.

    Momentum rather than Adam, which turns rounding into whole steps where a gradient is nothing.
    """
    graphdef, params = swin()
    mesh = make_mesh(devices, shard)
    tx = optax.sgd(0.1, momentum=0.9)
    first = jax.jit(functools.partial(first_state, tx=tx, averaged=True, sums=TASK.sums))(params)
    places = shardings(first, mesh)
    step = make_train_step(
        graphdef,
        tx,
        StepOptions(
            task=TASK,
            amounts=Amounts(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.4, 1.0, 0.0),
            input_spec=InputSpecification(SIDE, (6,), ("imagenet",)),
            ema=0.9,
            micro_batches=1,
            seed=0,
            mesh=mesh,
        ),
        shardings=places,
        frozen=(),
        cached_stages=0,
    )
    return step, jax.device_put(first, places)


def trained(devices, shard, steps, state=None):
    """The state some steps after another one, or after the first."""
    step, first = stepper(devices, shard)
    generator = np.random.default_rng(2)
    photos = generator.integers(0, 256, (BATCH, SIDE, SIDE, 4), np.uint8)
    labels = np.arange(BATCH, dtype=np.int32) % 4
    state = jax.tree.map(jnp.copy, first if state is None else state)  # a step takes its memory
    for _ in range(steps):
        state, _ = step(state, photos, labels)
    return state


def assert_close(found, expected):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-6 * max(np.abs(b).max(), 1))


@pytest.fixture(scope="module")
def cut():
    return trained(2, 4, steps=2)


def test_a_step_with_cut_parameters_is_that_of_one_device(cut):
    assert_close(cut, trained(1, 1, steps=2))


def test_a_device_holds_its_part_of_parameters_and_momentum(cut):
    for tree in (cut.params, cut.average, cut.opt_state):
        whole = sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
        held = [0] * 8
        for leaf in jax.tree.leaves(tree):
            for shard in leaf.addressable_shards:
                held[shard.device.id] += shard.data.nbytes
        large = sum(leaf.nbytes for leaf in jax.tree.leaves(tree) if leaf.size >= SMALL)
        assert large > whole * 0.85
        assert held == [whole - large * 3 // 4] * 8


@pytest.mark.parametrize(
    ("saved", "restored"),
    [((2, 4), (1, 1)), pytest.param((1, 1), (4, 2), marks=pytest.mark.slow)],
)
def test_a_checkpoint_goes_from_one_mesh_to_another(saved, restored, cut, tmp_path):
    state = jax.device_put(cut, jax.tree.map(lambda leaf: leaf.sharding, abstract(cut, *saved)))
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(2, state.evaluated, state.rest(), None)
    checkpoints.wait()
    shapes = abstract(cut, *restored)
    judged, rest, _ = checkpoints.restore_last(shapes.evaluated, shapes.rest())
    checkpoints.close()
    found = TrainState.restored(judged, rest)
    for a, b, shape in zip(*map(jax.tree.leaves, (found, state, shapes)), strict=True):
        assert a.sharding == shape.sharding
        np.testing.assert_array_equal(a, b)
    assert_close(trained(*restored, 1, found), trained(2, 4, 1, cut))


def abstract(state, devices, shard):
    return on_mesh(state, make_mesh(devices, shard))


# --- micro-batches


@pytest.mark.parametrize(
    ("batch", "devices", "count"), [(32, 1, 4), (32, 8, 1), (56, 2, 4), (72, 2, 6), (6, 2, 1)]
)
def test_a_batch_is_cut_into_micro_batches_that_devices_can_share(batch, devices, count):
    config = top.get_config()
    config.train.batch_size = batch
    assert count_micro_batches(resolve(config), make_mesh(devices, 1)) == count


def test_a_batch_that_devices_cannot_share_is_refused():
    config = top.get_config()
    config.train.batch_size = 15
    with pytest.raises(UserError, match="batch_size=15 cannot be shared by 2 devices"):
        count_micro_batches(resolve(config), make_mesh(2, 1))


# --- dispatch


@pytest.mark.parametrize(("said", "done"), [("compilation.dispatch_inline()", True), ("", False)])
def test_inline_a_program_has_ended_when_its_outputs_are_given(said, done):
    """In processes of their own: JAX looks only once, and the other tests have many devices."""
    code = (
        "import jax, numpy\n"
        "from hairjax.parallel import compilation, mesh as devices\n"
        f"{said}\n"
        "rows, mesh = numpy.ones((64, 256, 256, 4), numpy.uint8), devices.make_mesh(1, 1)\n"
        "add = jax.jit(lambda x: jax.lax.fori_loop(0, 5, lambda _, y: y + x.sum(), 0))\n"
        "add(devices.join_shares(rows, mesh)).block_until_ready()\n"
        "print(all(add(devices.join_shares(rows, mesh)).is_ready() for _ in range(40)))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout == f"{done}\n", ended.stderr


# --- compiled programs


@pytest.mark.slow
def test_programs_are_kept_where_jax_was_not_told_otherwise(tmp_path):
    """In processes of their own: the second start of a program finds it."""
    code = (
        "import jax, sys\n"
        "from hairjax.parallel import compilation\n"
        "compilation.COMPILED_SECONDS = 0\n"
        "compilation.keep_compiled(sys.argv[1])\n"
        "hits = []\n"
        "jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))\n"
        "jax.jit(lambda x: x * 3 + 1)(jax.numpy.arange(5))\n"
        "print(sum('cache_hits' in event for event in hits))"
    )

    def start(folder, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMPILATION")}
        return subprocess.run(
            [sys.executable, "-c", code, folder],
            env={**clean, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
        )

    kept, own = tmp_path / "kept", tmp_path / "own"
    assert start(kept).stdout == "0\n"
    assert list(kept.iterdir())
    assert int(start(kept).stdout) >= 1
    assert start("").stdout == "0\n"
    start(tmp_path / "ignored", JAX_COMPILATION_CACHE_DIR=str(own))
    assert not (tmp_path / "ignored").exists()
    (tmp_path / "file").touch()
    assert "config.devices.compiled=" in start(tmp_path / "file").stderr
