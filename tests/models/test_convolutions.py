"""What a CPU computes otherwise is XLA's own convolution, value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from hairjax.models.layers.convolutions import Dense, Depthwise, convolution

CHANNELS = 3


def assert_is_the_general_convolution(ours, images):
    """Value and gradients, for the images and for what is learnt, compiled."""
    graphdef, state = nnx.split(ours)

    def value(call, state, images):
        out = call(nnx.merge(graphdef, state), images)
        return jnp.sum(jnp.sin(out)), out

    both = [
        jax.jit(jax.value_and_grad(lambda *a, c=call: value(c, *a), argnums=(0, 1), has_aux=True))
        for call in (type(ours).__call__, nnx.Conv.__call__)
    ]
    got, expected = (jax.tree.leaves(f(state, images)) for f in both)
    for ours, xlas in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, xlas, rtol=1e-5, atol=1e-5)


def layer(outputs, size, stride, padding, **how):
    how |= {"stride": stride, "padding": padding, "dtype": jnp.float32, "rngs": nnx.Rngs(0)}
    return convolution(CHANNELS, outputs, size, **how)


def pixels(rows, columns):
    drawn = np.random.default_rng(1).normal(size=(2, rows, columns, CHANNELS))
    return jnp.asarray(drawn, jnp.float32)


@pytest.mark.parametrize("padding", ["torch", "same", "keras", "valid"])
@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (5, 2)])
def test_depthwise_equals_the_general_convolution(size, stride, padding):
    ours = layer(CHANNELS, size, stride, padding, groups=CHANNELS)
    assert isinstance(ours, Depthwise)
    assert_is_the_general_convolution(ours, pixels(9, 12))


@pytest.mark.parametrize("padding", ["torch", "same"])
@pytest.mark.parametrize(
    ("size", "stride", "sides", "product"),
    [
        (1, 1, (9, 12), True),
        (1, 2, (9, 12), True),
        (3, 1, (2, 2), True),
        (3, 2, (4, 4), True),
        (3, 2, (2, 1), True),
        ((1, 7), 1, (2, 3), True),
        (7, 2, (9, 12), True),
        (3, 1, (9, 12), False),
        ((1, 7), 1, (3, 4), False),
    ],
)
def test_a_product_equals_the_general_convolution(size, stride, sides, product, padding):
    """Kernels of one pixel, and maps smaller than the kernel; others are left to XLA."""
    ours = layer(5, size, stride, padding, use_bias=True)
    assert isinstance(ours, Dense)
    assert_is_the_general_convolution(ours, pixels(*sides))
    program = jax.jit(ours).lower(pixels(*sides)).as_text()
    assert ("stablehlo.convolution" not in program) == product
