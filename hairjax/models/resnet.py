"""ResNet (He et al. 2015, https://arxiv.org/abs/1512.03385), for ImageNet and CIFAR-10.

Equal to torchvision's and timm's (stride in the 3 × 3 convolution), for CIFAR-10 to Idelbayev's
(parameter-free shortcuts, option A of the paper).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.heads.pooled import PooledHead
from hairjax.models.layers.common import Stage, drop_path, materialised
from hairjax.models.layers.convolutions import BatchNorm, ConvNorm, ConvStem, convolution
from hairjax.models.options import ModelOptions

EPSILON = 1e-5


class ResNetBlock(nnx.Module):
    """Residual block: two 3 × 3 convolutions, or a bottleneck (1 × 1, 3 × 3, 1 × 1)."""

    def __init__(
        self,
        inputs: int,
        width: int,
        *,
        stride: int,
        bottleneck: bool,
        padded: bool,
        drop_path: float,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        self.stride, self.drop_path = stride, drop_path
        outputs = 4 * width if bottleneck else width
        sizes = [inputs, width, width, outputs] if bottleneck else [inputs, width, width]
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        self.convs = nnx.List(
            [
                convolution(sizes[i], sizes[i + 1], k, stride=s, dtype=dtype, rngs=rngs)
                for i, (k, s) in enumerate(zip(kernels, strides, strict=True))
            ]
        )
        self.norms = nnx.List([BatchNorm(size, epsilon=EPSILON, dtype=dtype) for size in sizes[1:]])
        self.added = outputs - inputs if padded else 0
        self.shortcut = (
            ConvNorm(
                inputs,
                outputs,
                1,
                stride=stride,
                epsilon=EPSILON,
                activation=None,
                dtype=dtype,
                rngs=rngs,
            )
            if not padded and (stride > 1 or inputs != outputs)
            else None
        )

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        branch = x
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            branch = norm(conv(jax.nn.relu(branch) if i else branch), key)
        branch = drop_path(branch, self.drop_path, key)
        return materialised(jax.nn.relu(self.apply_shortcut(x, key) + branch))

    def apply_shortcut(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        """Shortcut: the input at the branch's output shape."""
        if self.shortcut is not None:
            return self.shortcut(x, key)
        half = self.added // 2
        around = [(0, 0), (0, 0), (0, 0), (half, self.added - half)]
        return jnp.pad(x[:, :: self.stride, :: self.stride], around)


class ResNet(Backbone):
    """ResNet.

    Args:
        depths: blocks per stage.
        width: width of the first stage; doubled by every stage.
        bottleneck: True for bottleneck blocks (four times the width).
        cifar: True for a 3 × 3 stem without stride and pooling, and parameter-free shortcuts.
    """

    def __init__(
        self,
        options: ModelOptions,
        *,
        depths: Sequence[int],
        width: int,
        bottleneck: bool,
        cifar: bool,
        rngs: nnx.Rngs,
    ):
        self.image_size, self.in_channels, self.dtype = None, options.in_channels, options.dtype
        self.stem = ConvStem(
            options.in_channels,
            width,
            3 if cifar else 7,
            stride=1 if cifar else 2,
            epsilon=EPSILON,
            activation=jax.nn.relu,
            pool=not cifar,
            dtype=options.dtype,
            rngs=rngs,
        )
        inputs, stages = width, []
        for i, rates in enumerate(options.drop_rates(depths)):
            blocks = []
            for j, rate in enumerate(rates):
                block = ResNetBlock(
                    inputs,
                    width * 2**i,
                    stride=2 if i and not j else 1,
                    bottleneck=bottleneck,
                    padded=cifar,
                    drop_path=rate,
                    dtype=options.dtype,
                    rngs=rngs,
                )
                inputs = width * 2**i * (4 if bottleneck else 1)
                blocks.append(block)
            stages.append(Stage(blocks, remat=options.remat))
        self.stages = nnx.List(stages)
        self.head = PooledHead(inputs, options, rngs=rngs)
