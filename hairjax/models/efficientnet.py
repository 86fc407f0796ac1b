"""EfficientNet (Tan and Le 2019, https://arxiv.org/abs/1905.11946).

Numbers agree with timm's ``efficientnet_b*``, and with ``tensorflow=True`` with its ``tf_*``:
weights that came from TensorFlow need its padding and its ε.
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

# (blocks, side of the kernel, stride, expansion, channels) of every stage of B0.
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
    """The blocks of every stage when B0's widths and depths are multiplied so."""
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
    """EfficientNet with the contract of every model here.

    Args:
        options: options of every model; other sizes of photographs will do later.
        width: B0's channels are multiplied by this.
        depth: B0's blocks of a stage are multiplied by this.
        tensorflow: pad as TensorFlow does, and ε = 1e-3 in batch norms.
        rngs: draws the parameters.
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
