"""Explanation maps of a ViT: attention rollout.

Abnar & Zuidema, "Quantifying attention flow in transformers", ACL 2020, §3. A ViT classifies one
token, which holds nothing of the photograph but what it has taken from the others.
"""

from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange, reduce


def attention_rollout(model: Any, images: jax.Array, classes: jax.Array, stage: int) -> jax.Array:
    """Attention rollout: share of the class token from each patch, float32 [batch, h, w].

    It is the same for every class, and adds up to less than one: the rest comes from the class
    token itself. What the MLPs and the values do to what is taken is left out.

    Args:
        model: a ViT.
        images: float32 [batch, height, width, channels], normalised.
        classes: int [batch]; not used.
        stage: last stage of the rollout, -1 for the model's last.
    """
    x = model.stem(images.astype(model.dtype), None)
    rolled = jnp.eye(x.shape[1])[None]
    for i in range(stage % len(model.stages) + 1):
        for block in model.stages[i].blocks:
            rolled = roll(block.attention.weights(block.norm1(x)), rolled)
            x = block(x, None)
    return rearrange(rolled[:, 0, 1:], "b (h w) -> b h w", h=model.grid[0])


def roll(weights: jax.Array, before: jax.Array) -> jax.Array:
    """Rollout after one more block: float32 [batch, token, token of the start].

    Args:
        weights: attention of the block, [batch, heads, taking, taken]; rows add up to one.
        before: the same of the blocks before it; the identity before the first.
    """
    taken = reduce(weights, "b h q k -> b q k", "mean")
    # A token also stays what it was, by the residual connection: the paper counts both alike.
    mixed = (taken + jnp.eye(taken.shape[-1])[None]) / 2
    return jnp.matmul(mixed, before, precision="highest")
