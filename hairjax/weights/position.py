"""Resize a position embedding to another grid of patches."""

import jax
import numpy as np
from einops import rearrange


def resize_position(embedding: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Resize a position embedding to ``grid``, (h, w) in patches: cubic, anti-aliased, as in timm.

    ``embedding``: float [1, 1 + n · n, dim], class token first. Returns float32 [1, 1 + h · w,
    dim], the class token unchanged.
    """
    token, patches = embedding[:, :1], embedding[:, 1:]
    side = round(patches.shape[1] ** 0.5)
    square = rearrange(patches, "1 (h w) d -> h w d", h=side)
    resized = jax.image.resize(square, (*grid, square.shape[-1]), "cubic", antialias=True)
    resized = rearrange(np.asarray(resized), "h w d -> 1 (h w) d")
    return np.concatenate([token, resized], axis=1).astype(np.float32)
