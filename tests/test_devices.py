import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from ml_collections import ConfigDict

from hairjax.devices import batch_sharded, compute_dtype, describe, make_mesh, replicated
from hairjax.errors import UserError
from hairjax.models.swin import Swin
from hairjax.optim import label_parameters
from hairjax.step import gradients

BATCH, SIDE = 16, 32


@functools.cache
def swin():
    """A small Swin: its graph, and parameters of a size that matters."""
    graphdef, state = nnx.split(
        nnx.eval_shape(
            lambda: Swin(
                image_size=(SIDE, SIDE),
                in_channels=6,
                num_classes=4,
                dim=8,
                depths=(1, 1),
                heads=(1, 2),
                window=4,
                dropout=0.2,
                drop_path=0.2,
                hidden=(),
                mask_shifted=True,
                dtype=jnp.float32,
                remat=False,
                rngs=nnx.Rngs(0),
            )
        )
    )
    generator = np.random.default_rng(0)

    def draw(path, leaf):
        values = generator.normal(size=leaf.shape) / math.sqrt(math.prod(leaf.shape[:-1]))
        return np.float32(values + ("scale" in jax.tree_util.keystr(path)))

    return graphdef, jax.tree_util.tree_map_with_path(draw, nnx.to_pure_dict(state))


@functools.cache
def on(devices):
    """Loss, gradients and logits of one batch, shared by so many devices."""
    graphdef, params = swin()
    mesh = make_mesh(devices)
    generator = np.random.default_rng(1)
    images = generator.normal(size=(BATCH, SIDE, SIDE, 6)).astype(np.float32)
    labels = np.arange(BATCH, dtype=np.int32) % 4

    def run(params, images, labels):
        (loss, _), grads = gradients(
            graphdef,
            params,
            images,
            labels,
            jax.random.key(0),
            groups=label_parameters(params),
            peak=ConfigDict({"early": 1.0, "middle": 1.0, "late": 1.0}),
            frozen=(),
            smoothing=0.1,
        )
        # A device holds its own photographs' logits alone.
        return loss, grads, nnx.merge(graphdef, params)(images)

    whole, shared = replicated(mesh), batch_sharded(mesh)
    compiled = (
        jax.jit(run, in_shardings=(whole, shared, shared), out_shardings=(whole, whole, shared))
        .lower(params, images, labels)
        .compile({"xla_backend_optimization_level": 0})  # which takes half the time
    )
    return compiled(params, images, labels)


@pytest.mark.parametrize("devices", [2, 8])
def test_loss_gradients_and_logits_are_those_of_one_device(devices):
    (loss, grads, logits), (expected_loss, expected, expected_logits) = on(devices), on(1)
    assert len(logits.addressable_shards) == devices
    assert logits.addressable_shards[0].data.shape == (BATCH // devices, 4)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-6)
    largest = np.abs(expected_logits).max()
    np.testing.assert_allclose(logits, expected_logits, rtol=0, atol=1e-6 * largest)
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected))
    for found, one in zip(jax.tree.leaves(grads), jax.tree.leaves(expected), strict=True):
        assert found.sharding.is_fully_replicated
        np.testing.assert_allclose(found, one, rtol=0, atol=1e-6 * largest)


def test_every_parameter_of_the_batch_has_a_gradient():
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(on(8)[1]))


def test_a_mesh_takes_the_first_devices_and_at_0_all():
    assert list(make_mesh(3).devices) == jax.devices()[:3]
    assert list(make_mesh(0).devices) == jax.devices()
    assert make_mesh(0).axis_names == ("data",)


def test_more_devices_than_there_are_is_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"config.devices.mesh is 9, but there are 8 devices \(cpu"):
        make_mesh(9)


def test_layouts():
    mesh = make_mesh(4)
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
    assert describe(make_mesh(2)) == "2 × cpu"
