"""Dense layers, whose products in bfloat16 are made so that a CPU is fast at them."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import nnx


def dot_general(x: jax.Array, kernel: jax.Array, dimensions: Any, **options: Any) -> jax.Array:
    """`jax.lax.dot_general` of a dense layer: x [..., i] and kernel [i, o] → [..., o].

    XLA for CPUs multiplies bfloat16 in float32 where the result is to be bfloat16, and by the
    processor's own instructions, several times as fast, where it is to be float32. There the
    result is float32 and rounded afterwards, going backward too.
    """
    if x.dtype == jnp.bfloat16 and jax.default_backend() == "cpu":
        return _rounded(x, kernel)
    return jax.lax.dot_general(x, kernel, dimensions, **options)


Linear = functools.partial(nnx.Linear, dot_general=dot_general)


def _product(pattern: str, a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.einsum(pattern, a, b, preferred_element_type=jnp.float32).astype(jnp.bfloat16)


@jax.custom_vjp
def _rounded(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _product("...i,io->...o", x, kernel)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _rounded(x, kernel), (x, kernel)


def _backward(
    kept: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    rows, outputs = (rearrange(array, "... c -> (...) c") for array in (x, gradient))
    return _product("...o,io->...i", gradient, kernel), _product("ni,no->io", rows, outputs)


_rounded.defvjp(_forward, _backward)
