"""Inverted-residual blocks and heads of MobileNets and EfficientNets.

Sandler et al. 2018 (MobileNetV2), https://arxiv.org/abs/1801.04381.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange, reduce
from flax import nnx

from hairjax.models.heads.pooled import PooledHead
from hairjax.models.layers.common import Stage, drop_path, materialised
from hairjax.models.layers.convolutions import Activation, ConvNorm, convolution
from hairjax.models.options import ModelOptions


def divisible(channels: float, divisor: int = 8) -> int:
    """Nearest multiple of ``divisor``, at least 0.9 × ``channels`` (TensorFlow's rule)."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


class Shape(NamedTuple):
    """Shape of one block."""

    outputs: int  # channels
    size: int  # of the depthwise kernel
    stride: int
    hidden: int  # channels of the depthwise convolution; equal to the input: no expansion
    squeezed: int  # channels inside the squeeze-and-excitation; 0: none
    activation: Activation
    gate: Activation  # of the squeeze-and-excitation
    last: Activation | None  # after the last convolution
    residual: bool  # add the input if it has the output's shape


class SqueezeExcite(nnx.Module):
    """Squeeze-and-excitation: channel weights from the pooled map (Hu et al. 2017)."""

    def __init__(
        self,
        channels: int,
        squeezed: int,
        *,
        activation: Activation,
        gate: Activation,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        self.activation, self.gate = activation, gate
        self.reduce = convolution(channels, squeezed, 1, use_bias=True, dtype=dtype, rngs=rngs)
        self.expand = convolution(squeezed, channels, 1, use_bias=True, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        mean = reduce(x.astype(jnp.float32), "b h w c -> b 1 1 c", "mean").astype(x.dtype)
        return x * self.gate(self.expand(self.activation(self.reduce(mean))))


class InvertedResidual(nnx.Module):
    """Optional expansion, depthwise convolution, optional squeeze-and-excitation, projection."""

    def __init__(
        self,
        inputs: int,
        shape: Shape,
        *,
        padding: str,
        epsilon: float,
        drop_path: float,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        def conv_norm(inputs: int, outputs: int, size: int, **rest: Any) -> ConvNorm:
            return ConvNorm(
                inputs,
                outputs,
                size,
                **{"activation": shape.activation} | rest,
                padding=padding,
                epsilon=epsilon,
                dtype=dtype,
                rngs=rngs,
            )

        hidden, stride = shape.hidden, shape.stride
        self.drop_path = drop_path
        self.residual = shape.residual and stride == 1 and inputs == shape.outputs
        self.expand = conv_norm(inputs, hidden, 1) if hidden != inputs else None
        self.depthwise = conv_norm(hidden, hidden, shape.size, stride=stride, groups=hidden)
        self.squeeze = (
            SqueezeExcite(
                hidden,
                shape.squeezed,
                # Always ReLU in MobileNetV3.
                activation=jax.nn.relu if shape.gate is jax.nn.hard_sigmoid else shape.activation,
                gate=shape.gate,
                dtype=dtype,
                rngs=rngs,
            )
            if shape.squeezed
            else None
        )
        self.project = conv_norm(hidden, shape.outputs, 1, activation=shape.last)

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        branch = x if self.expand is None else self.expand(x, key)
        branch = self.depthwise(branch, key)
        if self.squeeze is not None:
            branch = self.squeeze(branch)
        branch = self.project(branch, key)
        return materialised(x + drop_path(branch, self.drop_path, key) if self.residual else branch)


def make_stages(
    inputs: int, shapes: Sequence[Sequence[Shape]], options: ModelOptions, **settings: Any
) -> nnx.List:
    """Stages of inverted-residual blocks of these shapes."""
    stages = []
    for stage, rates in zip(shapes, options.drop_rates([*map(len, shapes)]), strict=True):
        blocks = []
        for shape, rate in zip(stage, rates, strict=True):
            blocks.append(InvertedResidual(inputs, shape, drop_path=rate, **settings))
            inputs = shape.outputs
        stages.append(Stage(blocks, remat=options.remat))
    return nnx.List(stages)


class ConvHead(PooledHead):
    """1 × 1 convolution before the pooling, and an optional layer of width ``dense`` after it."""

    def __init__(
        self,
        inputs: int,
        width: int,
        options: ModelOptions,
        *,
        dense: int,
        epsilon: float,
        activation: Activation,
        rngs: nnx.Rngs,
    ):
        self.activation, dtype = activation, options.dtype
        self.widen = ConvNorm(
            inputs, width, 1, epsilon=epsilon, activation=activation, dtype=dtype, rngs=rngs
        )
        self.dense = (
            convolution(width, dense, 1, use_bias=True, dtype=dtype, rngs=rngs) if dense else None
        )
        super().__init__(dense or width, options, rngs=rngs)

    def embed(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        x = super().embed(self.widen(x, key), key)
        if self.dense is None:
            return x
        x = self.dense(rearrange(x, "b c -> b 1 1 c"))
        return rearrange(self.activation(x), "b 1 1 c -> b c").astype(jnp.float32)
