import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.models.layers.linear import Linear
from hairjax.parallel.compilation import compiler_options

HALF = jnp.bfloat16
WIDTHS = st.sampled_from([1, 2, 3, 8, 9, 32, 96])


def layer_of(i, o, *, use_bias=True):
    layer = Linear(i, o, dtype=HALF, use_bias=use_bias, rngs=nnx.Rngs(0))
    if use_bias:
        layer.bias[...] = jax.random.normal(jax.random.key(1), (o,))
    return layer


def exact(layer, x):
    """The result, and the gradients of inputs, kernel and bias, by NumPy in float64."""
    kernel = np.float64(layer.kernel[...].astype(HALF))
    bias = 0.0 if layer.bias is None else np.float64(layer.bias[...])
    rows = np.float64(x).reshape(-1, len(kernel))
    gradient = np.float64(gradient_of(x, kernel.shape[1])).reshape(-1, kernel.shape[1])
    found = (rows @ kernel + bias).reshape(*x.shape[:-1], -1)
    return found, (gradient @ kernel.T).reshape(x.shape), rows.T @ gradient, gradient.sum(0)


def gradient_of(x, o):
    return jax.random.normal(jax.random.key(2), (*x.shape[:-1], o), HALF)


def ours(layer, x, options):
    graphdef, params = nnx.split(layer)

    def run(params, x, gradient):
        found, pull = jax.vjp(lambda p, x: nnx.merge(graphdef, p)(x), params, x)
        return found, *pull(gradient)

    gradient = gradient_of(x, layer.out_features)
    found, params, x = jax.jit(run, compiler_options=options)(params, x, gradient)
    return found, x, params.kernel[...], params.bias[...] if "bias" in params else None


@pytest.mark.slow
@settings(max_examples=25)
@given(st.sampled_from([(), (1,), (7,), (2, 3, 4), (64,), (300,)]), WIDTHS, WIDTHS, st.booleans())
def test_any_bfloat16_is_summed_in_float32_and_rounded_once_forward_and_back(shape, i, o, use_bias):
    assert_rounded_once(shape, i, o, use_bias)


@pytest.mark.parametrize(
    ("shape", "i", "o", "use_bias"),
    [((), 1, 3, True), ((7,), 8, 9, False), ((2, 3, 4), 96, 32, True), ((300,), 32, 96, True)],
)
def test_bfloat16_is_summed_in_float32_and_rounded_once_forward_and_back(shape, i, o, use_bias):
    assert_rounded_once(shape, i, o, use_bias)


def assert_rounded_once(shape, i, o, use_bias):
    layer = layer_of(i, o, use_bias=use_bias)
    x = jax.random.normal(jax.random.key(3), (*shape, i), HALF)
    expected = exact(layer, x)
    # Half a unit in the last of 8 places, and what sums in float32 differ by.
    rounded, summed = (2**-8, 1e-4), (1e-4, 1e-4)
    tolerances = (rounded, rounded, summed, summed)
    # XLA undoes barriers where it is not told otherwise.
    for options in (None, compiler_options()):
        found = ours(layer, x, options)
        assert [array.dtype for array in found[:3]] == [HALF, HALF, jnp.float32]
        for array, whole, (rtol, atol) in zip(found, expected, tolerances, strict=True):
            if array is not None:
                np.testing.assert_allclose(np.float64(array), whole, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("i", "o"), [(96, 384), (384, 96)])
def test_xla_multiplies_bfloat16_as_it_is_going_backward(i, o):
    graphdef, params = nnx.split(layer_of(i, o))

    def loss(params, x):
        return nnx.merge(graphdef, params)(x).astype(jnp.float32).sum()

    gradients = jax.jit(jax.grad(loss, (0, 1)), compiler_options=compiler_options())
    program = gradients.lower(params, jnp.ones((4, 14, 14, i), HALF)).compile().as_text()
    products = re.findall(r" dot\(%([\w.]+), %([\w.]+)\)", program)
    assert len(products) == 2
    for name in itertools.chain(*products):
        assert f"%{name} = bf16[" in program


def test_xla_transposes_no_map_in_float32_going_backward():
    graphdef, params = nnx.split(Linear(96, 384, rngs=nnx.Rngs(0)))

    def loss(params, x):
        return jnp.square(nnx.merge(graphdef, params)(x)).sum()

    x = jnp.ones((4, 14, 14, 96))
    program = jax.jit(jax.grad(loss, (0, 1))).lower(params, x).compile().as_text()
    assert not re.findall(r"= (f32\[\S+) (?:copy|transpose)\(", program)


@pytest.mark.parametrize("shape", [(3,), (2, 5, 3)])
def test_float32_on_a_cpu_and_all_on_others_is_what_flax_computes(shape, monkeypatch):
    x = jax.random.normal(jax.random.key(3), (*shape, 32))
    plain = nnx.Linear(32, 5, rngs=nnx.Rngs(0))
    whole = Linear(32, 5, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(whole(x), plain(x), rtol=1e-6, atol=1e-6)
    half, plain_half = layer_of(32, 5), nnx.Linear(32, 5, dtype=HALF, rngs=nnx.Rngs(0))
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    assert str(jax.make_jaxpr(lambda x: half(x))(x)) == str(
        jax.make_jaxpr(lambda x: plain_half(x))(x)
    )
