"""EfficientNet (Tan and Le 2019, https://arxiv.org/abs/1905.11946).

Numbers agree with timm's ``efficientnet_b*``, and with ``tensorflow=True`` with its ``tf_*``:
weights that came from TensorFlow need its padding and its ε.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.convolution import ConvStem
from hairjax.models.inverted_residual import ConvHead, Shape, divisible, make_stages

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
        image_size: height and width of the photographs; any will do, then and later.
        in_channels: channels of the photographs.
        num_classes: width of the logits.
        width: B0's channels are multiplied by this.
        depth: B0's blocks of a stage are multiplied by this.
        tensorflow: pad as TensorFlow does, and ε = 1e-3 in batch norms.
        dropout: rate in the head.
        drop_path: stochastic-depth rate of the last block; it rises linearly from 0.
        hidden: sizes of hidden layers in the head.
        dtype: of the computation; parameters are float32.
        remat: recompute each block's activations in the backward pass instead of keeping them.
        rngs: draws the parameters.
    """

    def __init__(
        self,
        *,
        image_size: tuple[int, int],
        in_channels: int,
        num_classes: int,
        width: float,
        depth: float,
        tensorflow: bool,
        dropout: float,
        drop_path: float,
        hidden: Sequence[int],
        dtype: jnp.dtype,
        remat: bool,
        rngs: nnx.Rngs,
    ):
        self.image_size, self.in_channels, self.dtype = None, in_channels, dtype
        epsilon, padding = (1e-3, "same") if tensorflow else (1e-5, "torch")
        shapes = block_shapes(width, depth)
        self.stem = ConvStem(
            in_channels,
            divisible(32 * width),
            3,
            stride=2,
            padding=padding,
            epsilon=epsilon,
            activation=jax.nn.silu,
            dtype=dtype,
            rngs=rngs,
        )
        self.stages = make_stages(
            divisible(32 * width),
            shapes,
            drop_path=drop_path,
            remat=remat,
            padding=padding,
            epsilon=epsilon,
            dtype=dtype,
            rngs=rngs,
        )
        self.head = ConvHead(
            shapes[-1][-1].outputs,
            divisible(1280 * width),
            num_classes,
            dense=0,
            epsilon=epsilon,
            activation=jax.nn.silu,
            hidden=hidden,
            dropout=dropout,
            dtype=dtype,
            rngs=rngs,
        )

    @staticmethod
    def stage_count(options: Mapping[str, Any]) -> int:
        return len(STAGES)
