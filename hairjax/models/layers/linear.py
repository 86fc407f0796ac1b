"""Dense layers with matrix products fast in XLA on CPUs."""

from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import nnx


class Linear(nnx.Linear):
    """`flax.nnx.Linear`; on a CPU a 2-D product, for bfloat16 with float32 accumulation.

    XLA's CPU backend transposes whole maps in the backward pass of products over several axes, and
    uses bfloat16 instructions only for float32 results.
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
    """Rows [n, i] bfloat16, kernel [i, o], bias [o] → [n, o] bfloat16, rounded once."""
    outputs = _product("ni,io->no", rows, kernel.astype(rows.dtype))
    return (outputs if bias is None else outputs + bias[None]).astype(rows.dtype)


def _forward(rows: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> tuple[jax.Array, tuple]:
    return _dense(rows, kernel, bias), (rows, kernel, bias)


def _backward(
    residuals: tuple, gradient: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    rows, kernel, bias = residuals
    (n, i), o = rows.shape, gradient.shape[1]
    rows_gradient = _product("no,io->ni", gradient, kernel.astype(rows.dtype)).astype(rows.dtype)
    # The instructions need the left matrix row-major: transpose one operand, in the second case
    # also the result; choose the smaller copy.
    if n * i <= (n + i) * o:
        kernel_gradient = _product("in,no->io", _transposed(rows), gradient)
    else:
        turned = _product("on,ni->oi", _transposed(gradient), rows)
        # Without a barrier XLA fuses the transposition and leaves the bfloat16 path.
        kernel_gradient = jax.lax.optimization_barrier(turned).T
    bias_gradient = None if bias is None else gradient.sum(0, dtype=bias.dtype)
    return rows_gradient, kernel_gradient.astype(kernel.dtype), bias_gradient


_dense.defvjp(_forward, _backward)


def _transposed(x: jax.Array) -> jax.Array:
    """Transpose in memory; flattened, so that XLA cannot change a layout instead."""
    flat = jax.lax.optimization_barrier(rearrange(x, "a b -> (b a)"))
    return flat.reshape(x.shape[::-1])
