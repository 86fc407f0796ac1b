"""Vision Transformer (Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929).

Equal to timm's ``vit_*_patch16_224`` (Steiner et al. 2021, "How to train your ViT?"). The blocks
are divided into four stages at one resolution.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from einops import rearrange, repeat
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.heads.pooled import PooledHead
from hairjax.models.layers.common import (
    Mlp,
    Stage,
    drop_path,
    layer_norm,
    materialised,
    split_key,
    truncated_normal,
)
from hairjax.models.layers.linear import Linear
from hairjax.models.options import ModelOptions, require_multiples

EPSILON = 1e-6


class Attention(nnx.Module):
    """Multi-head self-attention over all tokens."""

    def __init__(self, dim: int, heads: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.heads = heads
        self.qkv = Linear(dim, 3 * dim, dtype=dtype, kernel_init=truncated_normal, rngs=rngs)
        self.proj = Linear(dim, dim, dtype=dtype, kernel_init=truncated_normal, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        q, k, v = self._split(x)
        return self.proj(rearrange(jax.nn.dot_product_attention(q, k, v), "b n h d -> b n (h d)"))

    def weights(self, x: jax.Array) -> jax.Array:
        """Attention weights, for explanations only: float32 [batch, heads, queries, keys]."""
        q, k, _ = self._split(x)
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k, preferred_element_type=jnp.float32)
        return jax.nn.softmax(scores / math.sqrt(q.shape[-1]), axis=-1)

    def _split(self, x: jax.Array) -> list[jax.Array]:
        """Queries, keys and values, each [batch, tokens, heads, dim]."""
        split = jnp.split(self.qkv(x), 3, axis=-1)
        return [rearrange(one, "b n (h d) -> b n h d", h=self.heads) for one in split]


class ViTBlock(nnx.Module):
    """Attention and MLP, pre-norm with residual connections."""

    def __init__(self, dim: int, heads: int, *, drop_path: float, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.drop_path = drop_path
        self.norm1 = layer_norm(dim, epsilon=EPSILON, dtype=dtype, rngs=rngs)
        self.attention = Attention(dim, heads, dtype=dtype, rngs=rngs)
        self.norm2 = layer_norm(dim, epsilon=EPSILON, dtype=dtype, rngs=rngs)
        self.mlp = Mlp(dim, 4 * dim, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        key1, key2 = split_key(key, 2)
        x = materialised(x + drop_path(self.attention(self.norm1(x)), self.drop_path, key1))
        return materialised(x + drop_path(self.mlp(self.norm2(x)), self.drop_path, key2))


class ViTPatchEmbed(nnx.Module):
    """Stem: patch embedding, class token, position embedding."""

    def __init__(
        self,
        in_channels: int,
        dim: int,
        patch: int,
        grid: tuple[int, int],
        *,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        self.proj = nnx.Conv(
            in_channels,
            dim,
            (patch, patch),
            strides=patch,
            padding="VALID",
            dtype=dtype,
            rngs=rngs,
        )
        self.token = nnx.Param(truncated_normal(rngs.params(), (1, 1, dim)))
        shape = (1, 1 + grid[0] * grid[1], dim)
        self.position = nnx.Param(truncated_normal(rngs.params(), shape))

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        x = rearrange(self.proj(x), "b h w c -> b (h w) c")
        token = repeat(self.token[...].astype(x.dtype), "1 1 c -> b 1 c", b=len(x))
        position = repeat(self.position[...].astype(x.dtype), "1 n c -> b n c", b=len(x))
        return jnp.concatenate([token, x], axis=1) + position


class TokenHead(PooledHead):
    """Layer norm, then classification of the class token."""

    def __init__(self, dim: int, options: ModelOptions, *, rngs: nnx.Rngs):
        self.norm = layer_norm(dim, epsilon=EPSILON, dtype=options.dtype, rngs=rngs)
        super().__init__(dim, options, rngs=rngs)

    def embed(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        return self.norm(x[:, 0]).astype(jnp.float32)


class ViT(Backbone):
    """Vision Transformer; stages pass tokens [batch, 1 + n, dim], the class token first.

    Args:
        patch: side of a patch.
        dim: width.
        depths: blocks per stage.
        heads: attention heads per block.

    Raises:
        UserError: height or width is no multiple of ``patch``.
    """

    def __init__(
        self,
        options: ModelOptions,
        *,
        patch: int,
        dim: int,
        depths: Sequence[int],
        heads: int,
        rngs: nnx.Rngs,
    ):
        (height, width), dtype = options.image_size, options.dtype
        require_multiples("this ViT", (height, width), patch)
        self.image_size, self.in_channels, self.dtype = (height, width), options.in_channels, dtype
        grid = (height // patch, width // patch)
        self.grid = grid
        self.stem = ViTPatchEmbed(options.in_channels, dim, patch, grid, dtype=dtype, rngs=rngs)
        self.stages = nnx.List(
            [
                Stage(
                    [
                        ViTBlock(dim, heads, drop_path=rate, dtype=dtype, rngs=rngs)
                        for rate in stage
                    ],
                    remat=options.remat,
                )
                for stage in options.drop_rates(depths)
            ]
        )
        self.head = TokenHead(dim, options, rngs=rngs)

    def grids(self) -> dict[str, tuple[int, int]]:
        assert self.grid is not None
        return {"stem.position": self.grid}
