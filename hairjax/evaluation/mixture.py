"""Weighted mixture of several models' probabilities, and the fit of its weights."""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from hairjax.evaluation.metrics.classification import check_predictions

# Clipping of `metrics.classification.negative_log_likelihood`.
_LEAST = float(np.finfo(np.float64).eps)
_DIGITS = 4  # of a fitted weight; more do not generalise
_STEPS = 100  # of EM
_GAP = 1e-4  # nats, largest excess of the fitted log-loss over the minimum


def mix(
    probabilities: NDArray[np.floating], weights: NDArray[np.float64], present: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Weighted mean of several models' probabilities, float32 [n, k].

    Weights are renormalised over the models present in a row; equal if all of them are 0.

    Args:
        probabilities: float [r, n, k]; ignored where absent.
        weights: float [r], non-negative, summing to one.
        present: bool [r, n], at least one True per row.

    Raises:
        ValueError: mismatched shapes, invalid weights, or a row without a present model.
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
    """Weights of `mix` (float64 [r], four digits) with the lowest log-loss.

    Fitted on rows with all models present. The log-loss is convex in the weights, so the minimum is
    global; identical models get equal weights.

    Args:
        labels: int [n], true classes.
        probabilities: float [r, n, k].
        present: bool [r, n], as in `mix`.

    Raises:
        ValueError: no row has all models, or see `metrics.classification.check_predictions`.
        RuntimeError: the optimisation did not converge.
    """
    whole = np.flatnonzero(present.all(0))
    if not len(whole):
        raise ValueError("weights cannot be fitted: no row has predictions of every model")
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
        _em_weights(true),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints=[total],
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.maximum(found.x, 0) / np.maximum(found.x, 0).sum()
    # Convexity (a function lies above its tangents) bounds the distance to the minimum.
    gap = -loss(weights)[1].min() - 1
    if not gap < _GAP:
        raise RuntimeError(f"the weights {weights.tolist()} may miss the best by {gap:.1e} nats")
    return _round_weights(weights)


def _em_weights(true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Start weights for the quadratic programme, by 100 steps of EM.

    From equal weights the log-loss is too steep where models are certain and wrong (Dempster, Laird
    & Rubin, "Maximum likelihood from incomplete data via the EM algorithm", JRSS B 39, 1977, §4.3).
    ``true``: probability of the true class, float64 [r, n], positive.
    """
    weights = np.full(len(true), 1 / len(true))
    for _ in range(_STEPS):
        weights = weights * (true / (weights @ true)).mean(1)
    return weights / weights.sum()


def _round_weights(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    rounded = np.round(weights, _DIGITS)
    largest = rounded.argmax()
    rounded[largest] = round(1 - np.delete(rounded, largest).sum(), _DIGITS)
    return rounded
