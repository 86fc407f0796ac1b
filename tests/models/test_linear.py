import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from hairjax.models.linear import Linear, dot_general

HALF = jnp.bfloat16


def layer_and_input(shape):
    layer = Linear(32, 5, dtype=HALF, rngs=nnx.Rngs(0))
    return layer, jax.random.normal(jax.random.key(1), (*shape, 32), HALF)


@pytest.mark.parametrize("shape", [(7,), (2, 3, 4), ()])
def test_bfloat16_is_the_float32_product_rounded_forward_and_back(shape):
    layer, x = layer_and_input(shape)
    kernel = layer.kernel[...].astype(HALF)

    def exact(x, kernel):
        return x @ kernel

    def ours(x, kernel):
        return dot_general(x, kernel, (((x.ndim - 1,), (0,)), ((), ())))

    wide = x.astype(jnp.float32), kernel.astype(jnp.float32)
    expected, pull_expected = jax.vjp(exact, *wide)
    found, pull = jax.vjp(ours, x, kernel)
    assert found.dtype == HALF
    gradient = jax.random.normal(jax.random.key(2), found.shape, HALF)
    pairs = [(found, expected)]
    pairs += zip(pull(gradient), pull_expected(gradient.astype(jnp.float32)), strict=True)
    for half, whole in pairs:
        assert half.dtype == HALF
        # Half a unit in the last of 8 places, and what sums of another order differ by.
        np.testing.assert_allclose(half.astype(np.float32), whole, rtol=2**-8, atol=1e-5)


def test_other_types_and_devices_multiply_as_flax_does(monkeypatch):
    layer, x = layer_and_input((3,))
    plain = nnx.Linear(32, 5, rngs=nnx.Rngs(0))
    whole = Linear(32, 5, rngs=nnx.Rngs(0))
    inputs = x.astype(jnp.float32)
    np.testing.assert_array_equal(whole(inputs), plain(inputs))

    def products():
        return str(jax.make_jaxpr(lambda x: layer(x))(x))

    assert "preferred_element_type=float32" in products()
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    assert "preferred_element_type=float32" not in products()
