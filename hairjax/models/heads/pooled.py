"""Classification heads with global average pooling."""

import itertools

import jax
import jax.numpy as jnp
from einops import reduce
from flax import nnx

from hairjax.models.layers.common import dropout, layer_norm, split_key, truncated_normal
from hairjax.models.layers.linear import Linear
from hairjax.models.options import ModelOptions


class PooledHead(nnx.Module):
    """Average pooling, (dense, ReLU, dropout) per hidden size, dense; float32 logits.

    Without hidden sizes: dropout before the only dense layer.
    """

    def __init__(self, dim: int, options: ModelOptions, *, rngs: nnx.Rngs):
        self.dropout = options.dropout
        sizes = [dim, *options.hidden]
        self.hidden = nnx.List(
            [
                Linear(a, b, dtype=options.dtype, kernel_init=truncated_normal, rngs=rngs)
                for a, b in itertools.pairwise(sizes)
            ]
        )
        self.classifier = nnx.Linear(
            sizes[-1], options.num_classes, kernel_init=truncated_normal, rngs=rngs
        )

    def embed(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        """Pool the last map: float32 [batch, dim]."""
        return reduce(x.astype(jnp.float32), "b h w c -> b c", "mean")

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        x = self.embed(x, key)
        keys = split_key(key, len(self.hidden) + 1)
        # Order of the original classifier: no dropout before the first hidden layer.
        for layer, layer_key in zip(self.hidden, keys[:-1], strict=True):
            x = dropout(jax.nn.relu(layer(x)), self.dropout, layer_key)
        if not self.hidden:
            x = dropout(x, self.dropout, keys[-1])
        return self.classifier(x.astype(jnp.float32))


class NormedHead(PooledHead):
    """Layer norm before the pooling."""

    def __init__(self, dim: int, options: ModelOptions, *, rngs: nnx.Rngs):
        self.norm = layer_norm(dim, dtype=options.dtype, rngs=rngs)
        super().__init__(dim, options, rngs=rngs)

    def embed(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        return super().embed(self.norm(x), key)
