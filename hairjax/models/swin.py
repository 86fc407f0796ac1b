"""Swin Transformer (Liu et al. 2021, https://arxiv.org/abs/2103.14030).

Equal to timm's ``swin_transformer.py``: patch merging opens a stage, maps are zero-padded to
multiples of the window (padding takes part in attention), and windows shrink to smaller maps.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.heads.pooled import NormedHead
from hairjax.models.layers.common import (
    Mlp,
    drop_path,
    layer_norm,
    materialised,
    split_key,
    truncated_normal,
)
from hairjax.models.layers.linear import Linear
from hairjax.models.layers.window_attention import WindowAttention, shift_mask
from hairjax.models.options import ModelOptions, require_multiples

PATCH = 4  # patch size of every published Swin


class SwinBlock(nnx.Module):
    """Window attention and MLP, pre-norm with residual connections."""

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        size: tuple[int, int],
        window: int,
        shifted: bool,
        mask_shifted: bool,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        self.window = (min(window, size[0]), min(window, size[1]))
        # No shift along an axis covered by a single window.
        self.shift = tuple(window // 2 if shifted and length > window else 0 for length in size)
        self.mask_shifted = mask_shifted
        self.norm1 = layer_norm(dim, dtype=dtype, rngs=rngs)
        self.attention = WindowAttention(dim, heads, self.window, dtype=dtype, rngs=rngs)
        self.norm2 = layer_norm(dim, dtype=dtype, rngs=rngs)
        self.mlp = Mlp(dim, 4 * dim, dtype=dtype, rngs=rngs)

    def attend(self, x: jax.Array) -> jax.Array:
        """Attention in (shifted) windows over a map [batch, h, w, dim]."""
        (_, h, w, _), (wh, ww) = x.shape, self.window
        back = self.shift
        if any(back):
            x = jnp.roll(x, (-back[0], -back[1]), axis=(1, 2))
        pad_h, pad_w = -h % wh, -w % ww
        if pad_h or pad_w:
            x = jnp.pad(x, ((0, 0), (0, pad_h), (0, pad_w), (0, 0)))
        rows = (h + pad_h) // wh
        mask = None
        if self.mask_shifted:
            mask = shift_mask((h + pad_h, w + pad_w), self.window, self.shift)
        x = rearrange(x, "b (nh wh) (nw ww) c -> b (nh nw) (wh ww) c", wh=wh, ww=ww)
        x = self.attention(x, mask)
        x = rearrange(x, "b (nh nw) (wh ww) c -> b (nh wh) (nw ww) c", nh=rows, wh=wh)
        x = x[:, :h, :w]
        return jnp.roll(x, back, axis=(1, 2)) if any(back) else x

    def __call__(self, x: jax.Array, key: jax.Array | None, rate: float | jax.Array) -> jax.Array:
        key1, key2 = split_key(key, 2)
        # Store only the input of a norm for the backward pass.
        norm1, norm2 = (jax.checkpoint(norm.__call__) for norm in (self.norm1, self.norm2))
        x = materialised(x + drop_path(self.attend(norm1(x)), rate, key1))
        return materialised(x + drop_path(self.mlp(norm2(x)), rate, key2))


@jax.jit
def run_block(
    block: SwinBlock, x: jax.Array, key: jax.Array | None, rate: float | jax.Array
) -> jax.Array:
    """Jitted block on a map [batch, h, w, dim]: equal blocks are traced and lowered once."""
    return block(x, key, rate)


class SwinPatchEmbed(nnx.Module):
    """Stem: 4 × 4 patch embedding and norm."""

    def __init__(self, in_channels: int, dim: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.proj = nnx.Conv(
            in_channels,
            dim,
            (PATCH, PATCH),
            strides=PATCH,
            padding="VALID",
            dtype=dtype,
            rngs=rngs,
        )
        self.norm = layer_norm(dim, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        return self.norm(self.proj(x))


class PatchMerging(nnx.Module):
    """Patch merging: concatenate 2 × 2 neighbours, norm, dense; half the size, twice the width."""

    def __init__(self, dim: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.norm = layer_norm(4 * dim, dtype=dtype, rngs=rngs)
        self.reduction = Linear(
            4 * dim,
            2 * dim,
            use_bias=False,
            dtype=dtype,
            kernel_init=truncated_normal,
            rngs=rngs,
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        x = jnp.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)))
        # Column-major: the order of the published weights.
        x = rearrange(x, "b (h i) (w j) c -> b h w (j i c)", i=2, j=2)
        return self.reduction(self.norm(x))


class SwinStage(nnx.Module):
    """Patch merging (except in the first stage) and blocks, every second one shifted."""

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        merge: bool,
        size: tuple[int, int],
        window: int,
        mask_shifted: bool,
        drop_path: Sequence[float],
        dtype: jnp.dtype,
        remat: bool,
        rngs: nnx.Rngs,
    ):
        self.remat = remat
        self.drop_path = tuple(drop_path)
        self.merge = PatchMerging(dim // 2, dtype=dtype, rngs=rngs) if merge else None
        self.blocks = nnx.List(
            [
                SwinBlock(
                    dim,
                    heads,
                    size=size,
                    window=window,
                    shifted=i % 2 == 1,
                    mask_shifted=mask_shifted,
                    dtype=dtype,
                    rngs=rngs,
                )
                for i in range(len(drop_path))
            ]
        )

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        if self.merge is not None:
            x = self.merge(x)
        # Rematerialised by block, as in timm and Microsoft's code.
        run = jax.checkpoint(run_block) if self.remat else run_block
        keys = split_key(key, len(self.blocks))
        for block, block_key, rate in zip(self.blocks, keys, self.drop_path, strict=True):
            x = run(block, x, block_key if rate else None, rate)
        return x


class Swin(Backbone):
    """Swin Transformer.

    Args:
        dim: width of the first stage; doubled by every stage.
        depths: blocks per stage.
        heads: attention heads per stage.
        window: side of the attention windows.
    """

    def __init__(
        self,
        options: ModelOptions,
        *,
        dim: int,
        depths: Sequence[int],
        heads: Sequence[int],
        window: int,
        rngs: nnx.Rngs,
    ):
        size, dtype = options.image_size, options.dtype
        require_multiples("a Swin", size, PATCH)
        self.image_size, self.in_channels, self.dtype = size, options.in_channels, dtype
        self.stem = SwinPatchEmbed(options.in_channels, dim, dtype=dtype, rngs=rngs)
        self.stages = nnx.List(
            [
                SwinStage(
                    dim * 2**i,
                    heads[i],
                    merge=i > 0,
                    size=tuple(math.ceil(side / PATCH / 2**i) for side in size),
                    window=window,
                    mask_shifted=options.mask_shifted,
                    drop_path=rates,
                    dtype=dtype,
                    remat=options.remat,
                    rngs=rngs,
                )
                for i, rates in enumerate(options.drop_rates(depths))
            ]
        )
        self.head = NormedHead(dim * 2 ** (len(depths) - 1), options, rngs=rngs)

    def windows(self) -> dict[str, tuple[int, int]]:
        return {
            f"stages.{i}.blocks.{j}.attention.bias_table": block.window
            for i, stage in enumerate(self.stages)
            for j, block in enumerate(stage.blocks)
        }
