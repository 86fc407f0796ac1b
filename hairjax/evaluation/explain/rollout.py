"""Attention rollout: explanation maps of a ViT.

Abnar & Zuidema, "Quantifying attention flow in transformers", ACL 2020, §3.
"""

from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange, reduce


def attention_rollout(model: Any, images: jax.Array, classes: jax.Array, stage: int) -> jax.Array:
    """Share of each patch in a ViT's class token, up to ``stage``: float32 [batch, h, w].

    Class-agnostic. Sums to less than one: the rest is the class token's own. MLPs and value
    projections are ignored. ``images``: float32 [batch, height, width, channels], normalised.
    """
    x = model.stem(images.astype(model.dtype), None)
    rolled = jnp.eye(x.shape[1])[None]
    for i in range(stage % len(model.stages) + 1):
        for block in model.stages[i].blocks:
            rolled = rollout_step(block.attention.weights(block.norm1(x)), rolled)
            x = block(x, None)
    return rearrange(rolled[:, 0, 1:], "b (h w) -> b h w", h=model.grid[0])


def rollout_step(weights: jax.Array, before: jax.Array) -> jax.Array:
    """Rollout after one more block: float32 [batch, token, input token].

    ``weights``: attention, [batch, heads, query, key]; ``before``: rollout of the previous blocks.
    """
    attention = reduce(weights, "b h q k -> b q k", "mean")
    # The residual connection counts as much as the attention, as in the paper.
    mixed = (attention + jnp.eye(attention.shape[-1])[None]) / 2
    return jnp.matmul(mixed, before, precision="highest")
