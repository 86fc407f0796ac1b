"""VGG (Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556), plain and with batch norm.

Equal to torchvision's; adaptive pooling to 7 × 7 before the dense layers.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.heads.pooled import PooledHead
from hairjax.models.layers.common import dropout, run_blocks, truncated_normal
from hairjax.models.layers.convolutions import BatchNorm, convolution, max_pool
from hairjax.models.layers.linear import Linear
from hairjax.models.options import ModelOptions, refuse_drop_path, require_minimum_size

GRID = 7  # side of the map before the dense layers
LEAST = 32  # pixels a side, halved five times


class VGGConv(nnx.Module):
    """3 × 3 convolution, optional batch norm, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, *, batch_norm: bool, dtype: jnp.dtype, rngs: nnx.Rngs
    ):
        self.proj = convolution(inputs, outputs, 3, use_bias=True, dtype=dtype, rngs=rngs)
        self.norm = BatchNorm(outputs, epsilon=1e-5, dtype=dtype) if batch_norm else None

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        x = self.proj(x)
        return jax.nn.relu(x if self.norm is None else self.norm(x, key))


class VGGStage(nnx.Module):
    """Max-pooling (except in the first stage) and convolutions."""

    def __init__(self, blocks: Sequence[VGGConv], *, pool: bool, remat: bool):
        self.pool, self.remat = pool, remat
        self.blocks = nnx.List(blocks)

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        x = max_pool(x, 2, 2) if self.pool else x
        return run_blocks(self.blocks, x, key, remat=self.remat)


def adaptive_mean(x: jax.Array, side: int) -> jax.Array:
    """Adaptive average pooling to ``side`` × ``side``, as in torch."""

    def weights(length: int) -> np.ndarray:
        matrix = np.zeros((side, length), np.float32)
        for i in range(side):
            window = slice(i * length // side, -(-(i + 1) * length // side))
            matrix[i, window] = 1 / (window.stop - window.start)
        return matrix

    rows, columns = (jnp.asarray(weights(length), x.dtype) for length in x.shape[1:3])
    return jnp.einsum("ih,jw,bhwc->bijc", rows, columns, x, precision="highest")


class DenseHead(PooledHead):
    """Max-pooling, adaptive pooling to 7 × 7, two wide dense layers, classifier."""

    def __init__(self, inputs: int, width: int, options: ModelOptions, *, rngs: nnx.Rngs):
        dense = functools.partial(
            Linear, dtype=options.dtype, kernel_init=truncated_normal, rngs=rngs
        )
        self.dense1 = dense(GRID**2 * inputs, width)
        self.dense2 = dense(width, width)
        super().__init__(width, options, rngs=rngs)
        # The call splits the same key for its dropouts, and `split(key, n)[i]` is
        # `fold_in(key, i)`: take the next index.
        self.own_key = max(1, len(options.hidden))

    def embed(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        x = adaptive_mean(max_pool(x, 2, 2), GRID)
        x = jax.nn.relu(self.dense1(rearrange(x, "b h w c -> b (c h w)")))
        first = None if key is None else jax.random.fold_in(key, self.own_key)
        return jax.nn.relu(self.dense2(dropout(x, self.dropout, first))).astype(jnp.float32)


class VGG(Backbone):
    """VGG; the stem is its first convolution.

    Args:
        depths: convolutions per stage, the stem included in the first.
        widths: channels per stage.
        dense: width of the two dense layers.
        batch_norm: True for batch norm after every convolution.

    Raises:
        UserError: images too small, or drop-path above 0.
    """

    def __init__(
        self,
        options: ModelOptions,
        *,
        depths: Sequence[int],
        widths: Sequence[int],
        dense: int,
        batch_norm: bool,
        rngs: nnx.Rngs,
    ):
        require_minimum_size("VGG", options.image_size, LEAST)
        refuse_drop_path("VGG", options.drop_path)
        self.image_size, self.in_channels, self.dtype = None, options.in_channels, options.dtype
        settings: dict[str, Any] = {"batch_norm": batch_norm, "dtype": options.dtype, "rngs": rngs}
        self.stem = VGGConv(options.in_channels, widths[0], **settings)
        inputs, stages = widths[0], []
        for i, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            blocks = []
            for _ in range(depth if i else depth - 1):
                blocks.append(VGGConv(inputs, width, **settings))
                inputs = width
            stages.append(VGGStage(blocks, pool=i > 0, remat=options.remat))
        self.stages = nnx.List(stages)
        self.head = DenseHead(inputs, dense, options, rngs=rngs)
