"""Several models' probabilities of the same photographs as one: weighted means, and the weights."""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from hairjax.evaluation.metrics.classification import check_predictions

# What `metrics.classification.negative_log_likelihood` counts a probability of zero as.
_LEAST = float(np.finfo(np.float64).eps)
_DIGITS = 4  # of a fitted weight; a finer one says nothing about other photographs
_STEPS = 100  # of EM
_GAP = 1e-4  # nats by which the log-loss of fitted weights may miss the least one


def mix(
    probabilities: NDArray[np.floating], weights: NDArray[np.float64], present: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The weighted mean of several models' probabilities.

    Where a model has said nothing, the others' weights make up for its own; where all that have
    said something weigh nothing, they count alike.

    Args:
        probabilities: float [r, n, k], of r models; any numbers where they are not present.
        weights: float [r], not negative, summing to one.
        present: bool [r, n], which model has said something of which row; one at least for each.

    Returns:
        float32 [n, k].

    Raises:
        ValueError: the shapes do not fit, the weights are not as they should be, or a row has
            nothing present.
    """
    p, w = np.asarray(probabilities, np.float64), np.asarray(weights, np.float64)
    if p.ndim != 3 or w.shape != p.shape[:1] or present.shape != p.shape[:2]:
        raise ValueError(
            f"probabilities {p.shape}, weights {w.shape} and present {present.shape}: "
            "[r, n, k], [r] and [r, n] are needed"
        )
    if (w < 0).any() or abs(w.sum() - 1) > 1e-6:
        raise ValueError(f"weights must not be negative and sum to one: {w.tolist()}")
    if not present.any(0).all():
        raise ValueError(f"row {int(np.argmin(present.any(0)))} has no probabilities at all")
    shares = w[:, None] * present
    shares = np.where(shares.any(0), shares, present)
    shares = shares / shares.sum(0)
    return np.einsum("rn,rnk->nk", shares, np.where(present[..., None], p, 0)).astype(np.float32)


def fit_mixture_weights(
    labels: NDArray[np.integer], probabilities: NDArray[np.floating], present: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The weights of `mix` with the least log-loss, on the rows of which every model spoke.

    The log-loss is convex in the weights, so that the least is the only one; models that say the
    same get the same weight. Rows of which not every model spoke would need other weights, and say
    nothing of these.

    Args:
        labels: int [n], true classes.
        probabilities: float [r, n, k].
        present: bool [r, n], as in `mix`.

    Returns:
        float64 [r], with four digits, summing to one.

    Raises:
        ValueError: no row has every model, or as `metrics.classification.check_predictions`.
        RuntimeError: no such weights were found.
    """
    whole = np.flatnonzero(present.all(0))
    if not len(whole):
        raise ValueError("weights cannot be fitted: of no row has every model said something")
    pairs = [check_predictions(labels[whole], p[whole]) for p in probabilities]
    true = np.stack([p[np.arange(len(y)), y] for y, p in pairs])
    true = np.maximum(true, _LEAST)

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        mixed = np.maximum(w @ true, _LEAST)
        return float(-np.log(mixed).mean()), -(true / mixed).mean(1)

    count = len(true)
    total = {"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like}
    found = optimize.minimize(
        loss,
        _near(true),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints=[total],
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.maximum(found.x, 0) / np.maximum(found.x, 0).sum()
    # A convex function lies above its tangents: this bounds how far below the least can be.
    gap = -loss(weights)[1].min() - 1
    if not gap < _GAP:
        raise RuntimeError(f"the weights {weights.tolist()} may miss the best by {gap:.1e} nats")
    return _rounded(weights)


def _near(true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights from which a quadratic programme finds the best.

    Where models are certain and wrong, the log-loss is too steep for it to begin at equal weights.
    The EM algorithm never goes astray, and never arrives (Dempster, Laird & Rubin, "Maximum
    likelihood from incomplete data via the EM algorithm", JRSS B 39, 1977, §4.3).

    Args:
        true: the true class's probability, float64 [r, n], none of them zero.
    """
    weights = np.full(len(true), 1 / len(true))
    for _ in range(_STEPS):
        weights = weights * (true / (weights @ true)).mean(1)
    return weights / weights.sum()


def _rounded(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights with few digits, the remainder added to the largest."""
    rounded = np.round(weights, _DIGITS)
    largest = rounded.argmax()
    rounded[largest] = round(1 - np.delete(rounded, largest).sum(), _DIGITS)
    return rounded
