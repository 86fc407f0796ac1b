"""Last layers for ordered classes, with log-probabilities as logits.

Softmax and cross-entropy then give the ordinal model's probabilities and likelihood, also for soft
targets (mixup, label smoothing), without special cases elsewhere.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from hairjax.models.layers.common import truncated_normal


def cumulative_log_probabilities(scores: jax.Array, thresholds: jax.Array) -> jax.Array:
    """Log P(y = k) of the proportional-odds model P(y ≤ k) = σ(θ_k - score): [batch, classes].

    McCullagh, "Regression Models for Ordinal Data", 1980; ``OrderedModel`` of statsmodels.

    Args:
        scores: [batch].
        thresholds: [classes - 1]: θ_1, then log(θ_k - θ_{k-1}), which keeps them ordered (as
            statsmodels).
    """
    gaps = jnp.exp(thresholds[1:])
    ordered = jnp.cumsum(jnp.concatenate([thresholds[:1], gaps]))
    distance = jnp.expand_dims(ordered, 0) - jnp.expand_dims(scores, 1)
    below = jax.nn.log_sigmoid(distance)  # y ≤ k
    above = jax.nn.log_sigmoid(-distance)  # y > k
    # σ(a) - σ(b) = σ(a) σ(-b) (1 - exp(b - a)), without cancellation.
    between = below[:, 1:] + above[:, :-1] + jnp.expand_dims(jnp.log(-jnp.expm1(-gaps)), 0)
    return jnp.concatenate([below[:, :1], between, above[:, -1:]], axis=1)


def corn_log_probabilities(logits: jax.Array) -> jax.Array:
    """Log P(y = k) from logits of P(y > k | y ≥ k): [batch, classes - 1] → [batch, classes].

    Shi, Cao, Raschka, "Deep neural networks for rank-consistent ordinal regression based on
    conditional probabilities" (CORN), 2021. -log P(y) is the sum of the paper's binary
    cross-entropies; the paper averages over binary tasks, we over photographs. It predicts the
    median class, we the most probable.
    """
    passed = jnp.cumsum(jax.nn.log_sigmoid(logits), axis=1)
    reached = jnp.pad(passed[:, :-1], ((0, 0), (1, 0)))
    return jnp.concatenate([reached + jax.nn.log_sigmoid(-logits), passed[:, -1:]], axis=1)


class Cumulative(nnx.Module):
    """Proportional-odds layer: [batch, dim] → log-probabilities [batch, num_classes].

    Initialised to equal class probabilities at score 0.
    """

    def __init__(self, dim: int, num_classes: int, *, rngs: nnx.Rngs):
        shares = np.arange(1, num_classes) / num_classes
        even = np.log(shares / (1 - shares))
        start = np.concatenate([even[:1], np.log(np.diff(even))]).astype(np.float32)
        self.kernel = nnx.Param(truncated_normal(rngs.params(), (dim, 1)))
        self.thresholds = nnx.Param(jnp.asarray(start))

    def __call__(self, x: jax.Array) -> jax.Array:
        scores = (x @ self.kernel[...])[:, 0]
        return cumulative_log_probabilities(scores, self.thresholds[...])


class Corn(nnx.Module):
    """CORN layer: [batch, dim] → log-probabilities [batch, num_classes].

    A dense layer gives the ``num_classes - 1`` logits of `corn_log_probabilities`.
    """

    def __init__(self, dim: int, num_classes: int, *, rngs: nnx.Rngs):
        self.steps = nnx.Linear(dim, num_classes - 1, kernel_init=truncated_normal, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return corn_log_probabilities(self.steps(x))


class Ordinal(nnx.Module):
    """Wrapper that keeps the parameter names of the kinds in ``ORDINAL`` distinct."""

    def __init__(self, kind: str, dim: int, num_classes: int, *, rngs: nnx.Rngs):
        self.kind = kind
        setattr(self, kind, ORDINAL[kind](dim, num_classes, rngs=rngs))

    def __call__(self, x: jax.Array) -> jax.Array:
        return getattr(self, self.kind)(x)


ORDINAL: dict[str, Any] = {"cumulative": Cumulative, "corn": Corn}
HEADS = ("softmax", *ORDINAL)
