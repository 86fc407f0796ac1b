"""Last layers for ordered classes, whose logits are the logarithms of the classes' probabilities.

So their cross-entropy is the negative log-likelihood of the ordinal model, also for targets that
are shares (mixed photographs, smoothed labels), and their softmax its probabilities: nothing
outside knows which layer it is.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from hairjax.models.layers.common import truncated_normal


def cumulative_log_probabilities(scores: jax.Array, thresholds: jax.Array) -> jax.Array:
    """Log P(y = k) of the proportional-odds model, P(y ≤ k) = σ(θ_k - score).

    McCullagh, "Regression Models for Ordinal Data", 1980; ``OrderedModel`` of statsmodels.

    Args:
        scores: [batch].
        thresholds: [classes - 1]: the first, then the logarithms of the gaps between them, so that
            they stay ordered (statsmodels has them in this form too).

    Returns:
        [batch, classes].
    """
    gaps = jnp.exp(thresholds[1:])
    ordered = jnp.cumsum(jnp.concatenate([thresholds[:1], gaps]))
    distance = jnp.expand_dims(ordered, 0) - jnp.expand_dims(scores, 1)
    below = jax.nn.log_sigmoid(distance)  # y ≤ k
    above = jax.nn.log_sigmoid(-distance)  # y > k
    # σ(a) - σ(b) = σ(a) σ(-b) (1 - exp(b - a)), of which no part is a small difference.
    between = below[:, 1:] + above[:, :-1] + jnp.expand_dims(jnp.log(-jnp.expm1(-gaps)), 0)
    return jnp.concatenate([below[:, :1], between, above[:, -1:]], axis=1)


def corn_log_probabilities(logits: jax.Array) -> jax.Array:
    """Log P(y = k) where output k is the logit of P(y > k | y ≥ k), by the chain rule.

    Shi, Cao, Raschka, "Deep neural networks for rank-consistent ordinal regression based on
    conditional probabilities" (CORN), 2021. Of a photograph of class y, -log P(y) is the sum of the
    paper's binary cross-entropies over the outputs that it trains; the paper divides a batch's sum
    by the number of these, the mean over photographs by theirs. It predicts the median class; here,
    as with other heads, the likeliest is predicted.

    Args:
        logits: [batch, classes - 1].

    Returns:
        [batch, classes].
    """
    passed = jnp.cumsum(jax.nn.log_sigmoid(logits), axis=1)
    reached = jnp.pad(passed[:, :-1], ((0, 0), (1, 0)))
    return jnp.concatenate([reached + jax.nn.log_sigmoid(-logits), passed[:, -1:]], axis=1)


class Cumulative(nnx.Module):
    """One score and ordered thresholds: the proportional-odds model.

    The thresholds begin where every class is as likely at a score of 0.
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
    """A binary task for each step from a class to the next."""

    def __init__(self, dim: int, num_classes: int, *, rngs: nnx.Rngs):
        self.steps = nnx.Linear(dim, num_classes - 1, kernel_init=truncated_normal, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return corn_log_probabilities(self.steps(x))


class Ordinal(nnx.Module):
    """One of ``ORDINAL``, under a name that keeps its parameters from being taken for another's."""

    def __init__(self, kind: str, dim: int, num_classes: int, *, rngs: nnx.Rngs):
        self.kind = kind
        setattr(self, kind, ORDINAL[kind](dim, num_classes, rngs=rngs))

    def __call__(self, x: jax.Array) -> jax.Array:
        return getattr(self, self.kind)(x)


ORDINAL: dict[str, Any] = {"cumulative": Cumulative, "corn": Corn}
HEADS = ("softmax", *ORDINAL)
