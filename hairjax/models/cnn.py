"""Small convolutional network of seven convolutions (our own), for experiments with many runs."""

from collections.abc import Sequence

import jax
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.heads.pooled import PooledHead
from hairjax.models.layers.common import Stage
from hairjax.models.layers.convolutions import ConvNorm, ConvStem
from hairjax.models.options import ModelOptions, refuse_drop_path

EPSILON = 1e-5


class CNN(Backbone):
    """Plain convolutional network.

    Args:
        width: channels of the stem; doubled by every stage.
        depths: convolutions per stage, in addition to the stem.

    Raises:
        UserError: drop-path is above 0.
    """

    def __init__(self, options: ModelOptions, *, width: int, depths: Sequence[int], rngs: nnx.Rngs):
        refuse_drop_path("This network", options.drop_path)
        self.image_size, self.in_channels, self.dtype = None, options.in_channels, options.dtype
        self.stem = ConvStem(
            options.in_channels,
            width,
            3,
            stride=1,
            epsilon=EPSILON,
            activation=jax.nn.relu,
            dtype=options.dtype,
            rngs=rngs,
        )
        inputs, stages = width, []
        for depth in depths:
            outputs, blocks = 2 * inputs, []
            for i in range(depth):
                block = ConvNorm(
                    outputs if i else inputs,
                    outputs,
                    3,
                    stride=1 if i else 2,
                    epsilon=EPSILON,
                    activation=jax.nn.relu,
                    dtype=options.dtype,
                    rngs=rngs,
                )
                blocks.append(block)
            stages.append(Stage(blocks, remat=options.remat))
            inputs = outputs
        self.stages = nnx.List(stages)
        self.head = PooledHead(inputs, options, rngs=rngs)
