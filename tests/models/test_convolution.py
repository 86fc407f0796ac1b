"""A depthwise convolution is XLA's own, value and gradient, whatever it is computed as."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from hairjax.models.convolution import Depthwise, convolution

CHANNELS = 3


@pytest.mark.parametrize("padding", ["torch", "same", "keras", "valid"])
@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (5, 2)])
def test_depthwise_equals_the_general_convolution(size, stride, padding):
    ours = convolution(
        CHANNELS,
        CHANNELS,
        size,
        stride=stride,
        groups=CHANNELS,
        padding=padding,
        dtype=jnp.float32,
        rngs=nnx.Rngs(0),
    )
    assert isinstance(ours, Depthwise)
    images = jnp.asarray(np.random.default_rng(1).normal(size=(2, 9, 12, CHANNELS)), jnp.float32)
    graphdef, state = nnx.split(ours)

    def value(call, state, images):
        out = call(nnx.merge(graphdef, state), images)
        return jnp.sum(jnp.sin(out)), out

    both = [
        jax.jit(jax.value_and_grad(lambda *a, c=call: value(c, *a), argnums=(0, 1), has_aux=True))
        for call in (Depthwise.__call__, nnx.Conv.__call__)
    ]
    got, expected = (jax.tree.leaves(f(state, images)) for f in both)
    for ours, xlas in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, xlas, rtol=1e-5, atol=1e-5)
