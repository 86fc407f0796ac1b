"""EfficientNet (Tan and Le 2019, https://arxiv.org/abs/1905.11946).

Equal to timm's ``efficientnet_b*``, with ``tensorflow=True`` to its ``tf_*`` (TensorFlow's padding
and ε).
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.layers.convolutions import ConvStem
from hairjax.models.layers.inverted_residual import ConvHead, Shape, divisible, make_stages
from hairjax.models.options import ModelOptions

# (blocks, kernel size, stride, expansion, channels) of every stage of B0.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def block_shapes(width: float, depth: float) -> list[list[Shape]]:
    """Block shapes of every stage, B0's scaled in width and depth."""
    inputs, stages = divisible(32 * width), []
    for blocks, size, stride, expansion, channels in STAGES:
        stage = []
        for i in range(math.ceil(blocks * depth)):
            shape = Shape(
                outputs=divisible(channels * width),
                size=size,
                stride=1 if i else stride,
                hidden=divisible(inputs * expansion),
                squeezed=round(inputs / 4),
                activation=jax.nn.silu,
                gate=jax.nn.sigmoid,
                last=None,
                residual=True,
            )
            stage.append(shape)
            inputs = shape.outputs
        stages.append(stage)
    return stages


class EfficientNet(Backbone):
    """EfficientNet.

    Args:
        width: multiplier of B0's channels.
        depth: multiplier of B0's blocks per stage.
        tensorflow: True for TensorFlow's padding and ε = 1e-3 in batch norms.
    """

    def __init__(
        self,
        options: ModelOptions,
        *,
        width: float,
        depth: float,
        tensorflow: bool,
        rngs: nnx.Rngs,
    ):
        self.image_size, self.in_channels, self.dtype = None, options.in_channels, options.dtype
        epsilon, padding = (1e-3, "same") if tensorflow else (1e-5, "torch")
        shapes = block_shapes(width, depth)
        self.stem = ConvStem(
            options.in_channels,
            divisible(32 * width),
            3,
            stride=2,
            padding=padding,
            epsilon=epsilon,
            activation=jax.nn.silu,
            dtype=options.dtype,
            rngs=rngs,
        )
        self.stages = make_stages(
            divisible(32 * width),
            shapes,
            options,
            padding=padding,
            epsilon=epsilon,
            dtype=options.dtype,
            rngs=rngs,
        )
        self.head = ConvHead(
            shapes[-1][-1].outputs,
            divisible(1280 * width),
            options,
            dense=0,
            epsilon=epsilon,
            activation=jax.nn.silu,
            rngs=rngs,
        )

    @staticmethod
    def stage_count(options: Mapping[str, Any]) -> int:
        return len(STAGES)
