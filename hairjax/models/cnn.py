"""A small convolutional network, ours, for experiments that train many: seven convolutions."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.convolution import ConvNorm, ConvStem, refuse_drop_path
from hairjax.models.layers import PooledHead, Stage

EPSILON = 1e-5


class CNN(Backbone):
    """A plain convolutional network with the contract of every model here.

    Args:
        image_size: height and width of the photographs; any will do, then and later.
        in_channels: channels of the photographs.
        num_classes: width of the logits.
        width: channels of the stem; each stage doubles them.
        depths: convolutions per stage; the stem is one more.
        dropout: rate in the head.
        drop_path: must be 0: there are no residual connections.
        hidden: sizes of hidden layers in the head.
        dtype: of the computation; parameters are float32.
        remat: recompute each block's activations in the backward pass instead of keeping them.
        rngs: draws the parameters.

    Raises:
        UserError: drop-path is asked for.
    """

    def __init__(
        self,
        *,
        image_size: tuple[int, int],
        in_channels: int,
        num_classes: int,
        width: int,
        depths: Sequence[int],
        dropout: float,
        drop_path: float,
        hidden: Sequence[int],
        dtype: jnp.dtype,
        remat: bool,
        rngs: nnx.Rngs,
    ):
        refuse_drop_path("This network", drop_path)
        self.image_size, self.in_channels, self.dtype = None, in_channels, dtype
        self.stem = ConvStem(
            in_channels,
            width,
            3,
            stride=1,
            epsilon=EPSILON,
            activation=jax.nn.relu,
            dtype=dtype,
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
                    dtype=dtype,
                    rngs=rngs,
                )
                blocks.append(block)
            stages.append(Stage(blocks, remat=remat))
            inputs = outputs
        self.stages = nnx.List(stages)
        self.head = PooledHead(
            inputs,
            num_classes,
            hidden=hidden,
            dropout=dropout,
            dtype=dtype,
            rngs=rngs,
        )
