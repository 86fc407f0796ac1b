"""Resize a position embedding to another grid of patches."""

import jax
import numpy as np
from einops import rearrange


def resize_position(embedding: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """A position embedding for another grid, as timm resizes it: cubic, without aliasing.

    Args:
        embedding: float [1, 1 + n · n, dim]: of the class token, then of a square of patches.
        grid: the new height and width in patches.
    """
    token, patches = embedding[:, :1], embedding[:, 1:]
    side = round(patches.shape[1] ** 0.5)
    square = rearrange(patches, "1 (h w) d -> h w d", h=side)
    resized = jax.image.resize(square, (*grid, square.shape[-1]), "cubic", antialias=True)
    resized = rearrange(np.asarray(resized), "h w d -> 1 (h w) d")
    return np.concatenate([token, resized], axis=1).astype(np.float32)
