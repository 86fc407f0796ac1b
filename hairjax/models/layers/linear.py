"""Dense layers, whose products are written so that XLA is fast at them on a CPU."""

from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import nnx


class Linear(nnx.Linear):
    """`flax.nnx.Linear`; on a CPU a product of two matrices, in bfloat16 with sums in float32.

    Of a product over several axes XLA for CPUs transposes whole maps going backward. Matrices of
    bfloat16 it multiplies by the processor's own instructions where the result is to be float32,
    and otherwise in float32, several times slower.
    """

    def __call__(self, inputs: jax.Array, out_sharding: Any = None) -> jax.Array:
        """Inputs [..., i] → [..., o]."""
        if jax.default_backend() != "cpu":
            return super().__call__(inputs, out_sharding)
        rows = rearrange(inputs, "... i -> (...) i")
        if self.dtype == jnp.bfloat16:
            bias = None if self.bias is None else self.bias[...]
            outputs = _dense(rows.astype(self.dtype), self.kernel[...], bias)
        else:
            outputs = super().__call__(rows, out_sharding)
        return outputs.reshape(*inputs.shape[:-1], -1)


def _product(pattern: str, a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.einsum(pattern, a, b, preferred_element_type=jnp.float32)


@jax.custom_vjp
def _dense(rows: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> jax.Array:
    """Rows [n, i] in bfloat16, kernel [i, o] and bias [o] → [n, o] in bfloat16, rounded once."""
    outputs = _product("ni,io->no", rows, kernel.astype(rows.dtype))
    return (outputs if bias is None else outputs + bias[None]).astype(rows.dtype)


def _forward(rows: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> tuple[jax.Array, tuple]:
    return _dense(rows, kernel, bias), (rows, kernel, bias)


def _backward(kept: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    rows, kernel, bias = kept
    (n, i), o = rows.shape, gradient.shape[1]
    rows_gradient = _product("no,io->ni", gradient, kernel.astype(rows.dtype)).astype(rows.dtype)
    # The processor's instructions take the left matrix in rows: one of the two has to be
    # transposed, and in the second case the result as well; the fewest numbers are moved.
    if n * i <= (n + i) * o:
        kernel_gradient = _product("in,no->io", _transposed(rows), gradient)
    else:
        turned = _product("on,ni->oi", _transposed(gradient), rows)
        # Without a barrier XLA moves the transposition into the product, for which it then has
        # no program in bfloat16.
        kernel_gradient = jax.lax.optimization_barrier(turned).T
    bias_gradient = None if bias is None else gradient.sum(0, dtype=bias.dtype)
    return rows_gradient, kernel_gradient.astype(kernel.dtype), bias_gradient


_dense.defvjp(_forward, _backward)


def _transposed(x: jax.Array) -> jax.Array:
    """A matrix [a, b] → [b, a], moved in memory: one axis alone has no order to be swapped."""
    flat = jax.lax.optimization_barrier(rearrange(x, "a b -> (b a)"))
    return flat.reshape(x.shape[::-1])
