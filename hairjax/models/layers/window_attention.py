"""Self-attention in (shifted) windows (Liu et al. 2021)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from flax import nnx

from hairjax.models.layers.common import truncated_normal
from hairjax.models.layers.linear import Linear


@functools.cache
def relative_position_index(height: int, width: int) -> np.ndarray:
    """Row of the bias table for each pair of window positions: int [h·w, h·w]."""
    places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"))
    places = rearrange(places, "yx h w -> yx (h w)")
    dy, dx = places[:, :, None] - places[:, None, :]
    return (dy + height - 1) * (2 * width - 1) + dx + width - 1


@functools.cache
def shift_mask(
    size: tuple[int, int], window: tuple[int, int], shift: tuple[int, int]
) -> np.ndarray | None:
    """Attention mask of shifted windows: float32 [windows, n, n]; None without shift.

    −100 between positions from opposite borders, which rolling brings into one window. ``size``:
    (height, width) of the padded map.
    """
    if not any(shift):
        return None

    def regions(length: int, window: int, shift: int) -> np.ndarray:
        place = np.arange(length)
        if not shift:
            return np.zeros_like(place)
        return (place >= length - window).astype(int) + (place >= length - shift)

    rows, columns = (regions(*axis) for axis in zip(size, window, shift, strict=True))
    region = rows[:, None] * 3 + columns[None, :]
    region = rearrange(region, "(nh wh) (nw ww) -> (nh nw) (wh ww)", wh=window[0], ww=window[1])
    return np.where(region[:, :, None] == region[:, None, :], 0.0, -100.0).astype(np.float32)


class WindowAttention(nnx.Module):
    """Multi-head self-attention in windows with relative-position bias."""

    def __init__(
        self, dim: int, heads: int, window: tuple[int, int], *, dtype: jnp.dtype, rngs: nnx.Rngs
    ):
        self.heads = heads
        self.window = window
        rows = (2 * window[0] - 1) * (2 * window[1] - 1)
        self.bias_table = nnx.Param(truncated_normal(rngs.params(), (rows, heads)))
        dense = functools.partial(Linear, dtype=dtype, kernel_init=truncated_normal, rngs=rngs)
        self.qkv = dense(dim, 3 * dim)
        self.proj = dense(dim, dim)

    def bias(self) -> jax.Array:
        """Relative-position bias: float32 [heads, n, n]."""
        index = relative_position_index(*self.window)
        return rearrange(self.bias_table[...][index], "n m heads -> heads n m")

    def __call__(self, x: jax.Array, mask: np.ndarray | None) -> jax.Array:
        """Attention output; ``x``: [batch, windows, n, dim], ``mask``: [windows, n, n] or None."""
        # Split before moving the heads: the backward pass is then one concatenation.
        split = jnp.split(self.qkv(x), 3, axis=-1)
        q, k, v = (rearrange(one, "b w n (h d) -> b w h n d", h=self.heads) for one in split)
        scale = q.shape[-1] ** -0.5
        scores = jnp.einsum("bwhnd,bwhmd->bwhnm", q * scale, k, preferred_element_type=jnp.float32)
        bias = rearrange(self.bias(), "h n m -> 1 1 h n m")
        scores += bias if mask is None else bias + rearrange(mask, "w n m -> 1 w 1 n m")
        weights = jax.nn.softmax(scores).astype(v.dtype)
        out = jnp.einsum("bwhnm,bwhmd->bwhnd", weights, v)
        return self.proj(rearrange(out, "b w h n d -> b w n (h d)"))
