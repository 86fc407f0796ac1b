"""Layers of convolutional networks: convolution, batch norm, stem, pooling."""

import functools
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import nnx

Activation = Callable[[jax.Array], jax.Array]

MOMENTUM = 0.1  # share of a new batch in the running statistics: torch's, timm's and torchvision's
# He et al. 2015: by what a kernel gives, as torchvision and timm draw; by what it takes where
# channels do not mix, of which each gives one.
_dense_init = jax.nn.initializers.variance_scaling(2.0, "fan_out", "normal")
_grouped_init = jax.nn.initializers.variance_scaling(2.0, "fan_in", "normal")


class BatchNorm(nnx.Module):
    """Batch norm (Ioffe and Szegedy 2015) over [batch, h, w, dim], with torch's running variance.

    That is the unbiased one, where `flax.nnx.BatchNorm` keeps the biased: on a last map of few
    pixels they differ by a tenth. Under ``jax.jit`` the batch is that of all devices.
    """

    def __init__(self, dim: int, *, epsilon: float, dtype: jnp.dtype):
        self.epsilon, self.dtype = epsilon, dtype
        self.scale, self.bias = nnx.Param(jnp.ones(dim)), nnx.Param(jnp.zeros(dim))
        self.mean, self.var = nnx.BatchStat(jnp.zeros(dim)), nnx.BatchStat(jnp.ones(dim))

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        """Normalise by the batch, or without a key (evaluation) by the running statistics."""
        wide = x.astype(jnp.float32)
        mean = self.mean[...] if key is None else wide.mean((0, 1, 2))
        centred = wide - _row(mean)
        if key is None:
            var = self.var[...]
        else:
            # `jnp.var` would centre once more: a seventh of a ResNet-50's step on a CPU.
            var = jnp.square(centred).mean((0, 1, 2))
            count = x.size // x.shape[-1]
            self._follow(mean, var * (count / max(count - 1, 1)))
        factor = self.scale[...] * jax.lax.rsqrt(var + self.epsilon)
        return (centred * _row(factor) + _row(self.bias[...])).astype(self.dtype)

    def _follow(self, mean: jax.Array, var: jax.Array) -> None:
        mean, var = jax.lax.stop_gradient((mean, var))
        self.mean[...] += MOMENTUM * (mean - self.mean[...])
        self.var[...] += MOMENTUM * (var - self.var[...])


def _row(values: jax.Array) -> jax.Array:
    return rearrange(values, "c -> 1 1 1 c")


class Depthwise(nnx.Conv):
    """A convolution of every channel by itself, without bias; on a CPU a sum of shifted maps.

    XLA's own takes ten times as long there, three times with its gradient.
    """

    def __call__(self, inputs: jax.Array, out_sharding: Any = None) -> jax.Array:
        if jax.default_backend() != "cpu":
            return super().__call__(inputs, out_sharding)
        kernel = self.kernel[...].astype(self.dtype)
        weights = rearrange(kernel, "i j 1 c -> (i j) c")
        shifted = _shifted(self, inputs)
        return functools.reduce(
            operator.add, (x * _row(own) for x, own in zip(shifted, weights, strict=True))
        )


class Dense(nnx.Conv):
    """A convolution that mixes all channels; on a CPU a matrix product where that is faster.

    XLA's own takes a hundred times as long there where a map is smaller than the kernel, and twice
    as long where the kernel is one pixel.
    """

    def __call__(self, inputs: jax.Array, out_sharding: Any = None) -> jax.Array:
        if jax.default_backend() != "cpu" or not self._better_as_product(inputs):
            return super().__call__(inputs, out_sharding)
        kernel = rearrange(self.kernel[...].astype(self.dtype), "i j c d -> (i j c) d")
        outputs = jnp.concatenate(_shifted(self, inputs), axis=-1) @ kernel
        return outputs if self.bias is None else outputs + _row(self.bias[...].astype(self.dtype))

    def _better_as_product(self, inputs: jax.Array) -> bool:
        kernel, (rows, columns) = math.prod(self.kernel_size), inputs.shape[1:3]
        step: Any = self.strides
        # The map that is given counts: its gradient is convolved with the kernel on the way back.
        return kernel == 1 or kernel > (rows // step) * (columns // step)


def _shifted(conv: nnx.Conv, inputs: jax.Array) -> list[jax.Array]:
    """Shifted input for each pixel of the kernel, row by row: [batch, h, w, inputs]."""
    rows, columns = conv.kernel_size
    step: Any = conv.strides
    around: Any = conv.padding
    if isinstance(around, str):
        around = jax.lax.padtype_to_pads(inputs.shape[1:3], (rows, columns), (step, step), around)
    x = jnp.pad(inputs.astype(conv.dtype), ((0, 0), *around, (0, 0)))
    last_row, last_column = x.shape[1] - rows + 1, x.shape[2] - columns + 1
    return [
        x[:, i : i + last_row : step, j : j + last_column : step]
        for i, j in itertools.product(range(rows), range(columns))
    ]


def convolution(
    inputs: int,
    outputs: int,
    size: int | tuple[int, int],
    *,
    stride: int = 1,
    groups: int = 1,
    padding: str = "torch",
    use_bias: bool = False,
    dtype: jnp.dtype,
    rngs: nnx.Rngs,
) -> nnx.Conv:
    """A convolution.

    Args:
        inputs: channels it takes.
        outputs: channels it gives.
        size: size of the kernel, one side or height and width.
        stride: along both axes.
        groups: groups of channels that do not mix.
        padding: ``torch`` (as much on either side), ``same`` (TensorFlow's, which with a stride
            may be one more on the far side), ``keras`` (with a stride on the far side alone) or
            ``valid`` (none).
        use_bias: True if a constant is added.
        dtype: dtype of the computation.
        rngs: draws the kernel.
    """
    sides = (size, size) if isinstance(size, int) else size
    around = tuple(((side - 1) // 2, (side - 1) // 2) for side in sides)
    if padding == "keras" and stride > 1:
        around = tuple((0, side - stride) for side in sides)
    make: type[nnx.Conv] = Dense if groups == 1 else nnx.Conv
    if 1 < groups == inputs == outputs and not use_bias:
        make = Depthwise
    return make(
        inputs,
        outputs,
        sides,
        strides=stride,
        padding=around if padding in ("torch", "keras") else padding.upper(),
        feature_group_count=groups,
        use_bias=use_bias,
        kernel_init=_dense_init if groups == 1 else _grouped_init,
        dtype=dtype,
        rngs=rngs,
    )


class ConvNorm(nnx.Module):
    """Convolution without bias, batch norm, activation (or None)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int | tuple[int, int],
        *,
        stride: int = 1,
        groups: int = 1,
        padding: str = "torch",
        epsilon: float,
        activation: Activation | None,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        self.activation = activation
        self.conv = convolution(
            inputs,
            outputs,
            size,
            stride=stride,
            groups=groups,
            padding=padding,
            dtype=dtype,
            rngs=rngs,
        )
        self.norm = BatchNorm(outputs, epsilon=epsilon, dtype=dtype)

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        x = self.norm(self.conv(x), key)
        return x if self.activation is None else self.activation(x)


class ConvStem(nnx.Module):
    """Stem of a convolutional network: convolution, batch norm, activation, some max-pooling."""

    def __init__(
        self,
        in_channels: int,
        dim: int,
        size: int,
        *,
        stride: int,
        padding: str = "torch",
        epsilon: float,
        activation: Activation,
        pool: bool = False,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        self.activation, self.pool = activation, pool
        self.proj = convolution(
            in_channels, dim, size, stride=stride, padding=padding, dtype=dtype, rngs=rngs
        )
        self.norm = BatchNorm(dim, epsilon=epsilon, dtype=dtype)

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        x = self.activation(self.norm(self.proj(x), key))
        return max_pool(x, 3, 2, padding=1) if self.pool else x


def max_pool(x: jax.Array, size: int, stride: int, *, padding: int = 0) -> jax.Array:
    """The largest of each ``size`` × ``size`` places."""
    around = [(padding, padding)] * 2
    return nnx.max_pool(x, (size, size), (stride, stride), around)
