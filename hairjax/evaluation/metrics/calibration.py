"""Calibration and temperature scaling."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.intervals import Interval, t_interval
from hairjax.evaluation.metrics.jackknife import left_out_metrics
from hairjax.evaluation.metrics.reliability import (
    BINS,
    EDGES,
    bin_indices,
    expected_calibration_error,
)
from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.predictions import Predictions

LIMITS = (0.05, 20.0)  # of a temperature
_LEAST = float(np.finfo(np.float32).smallest_subnormal)


@dataclass(frozen=True)
class Bin:
    """Reliability bin: mean confidence and accuracy of photographs of similar confidence."""

    low: float
    high: float
    photographs: int
    confidence: float
    accuracy: float
    interval: Interval | None


@dataclass(frozen=True)
class Calibration:
    """Calibration of a set of probabilities; empty bins are left out."""

    error: float
    error_interval: Interval | None
    log_loss: float
    log_loss_interval: Interval | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Temperature:
    """Fitted temperature and its effect.

    Attributes:
        value: temperature, the divisor of the logits.
        photographs: number of photographs of the fit.
        after: calibration of other photographs with it; None if evaluated on the fitted ones.
        log_loss_change: after minus before, with paired interval; None if ``after`` is.
    """

    value: float
    photographs: int
    after: Calibration | None
    log_loss_change: tuple[float, Interval | None] | None


def measure_calibration(sample: Sample) -> Calibration:
    """Calibration error, log-loss and reliability bins of a sample."""
    intervals = sample.intervals()
    return Calibration(
        error=expected_calibration_error(sample.labels, sample.probabilities),
        error_interval=intervals["expected_calibration_error"],
        log_loss=metrics.log_loss(sample.labels, sample.probabilities),
        log_loss_interval=intervals["log_loss"],
        bins=_bins(sample),
    )


def _bins(sample: Sample) -> tuple[Bin, ...]:
    index, confidence, right = bin_indices(sample.confidence), sample.confidence, sample.right
    found = []
    for place in range(BINS):
        inside = index == place
        if inside.any():
            found.append(
                Bin(
                    low=float(EDGES[place]),
                    high=float(EDGES[place + 1]),
                    photographs=int(inside.sum()),
                    confidence=float(confidence[inside].mean()),
                    accuracy=float(right[inside].mean()),
                    interval=sample.share(right, inside),
                )
            )
    return tuple(found)


def fit_temperature(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> float:
    """Temperature with the lowest log-loss, within 0.05 … 20; above 1 it lowers confidence.

    The predicted classes stay (Guo et al., "On calibration of modern neural networks", ICML 2017).
    With all photographs right the minimum is the lower limit. ``labels``: int [n],
    ``probabilities``: float [n, k].

    Raises:
        ValueError: see `metrics.classification.check_predictions`.
    """
    true, p = metrics.check_predictions(labels, probabilities)
    logits = np.log(np.maximum(p, _LEAST))
    rows = np.arange(len(true))

    # Convex in 1 / T, hence unimodal in log T.
    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((special.logsumexp(scaled, axis=1) - scaled[rows, true]).mean())

    bounds = tuple(np.log(LIMITS))
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    best = float(np.exp(found.x))
    # Unlike this loss, the reported log-loss is clipped at 36 nats per photograph.
    before, after = (metrics.log_loss(true, apply_temperature(p, t)) for t in (1.0, best))
    return best if after < before else 1.0


def find_temperature(validation: Predictions) -> tuple[float | None, str]:
    """Temperature fitted on validation photographs, or None with the reason.

    A fit at one of `LIMITS` is rejected: the log-loss has no minimum between them (e.g. all
    photographs right), and the temperature would harm others.
    """
    value = fit_temperature(validation.labels, validation.probabilities)
    if LIMITS[0] * 1.01 < value < LIMITS[1] * 0.99:
        return value, ""
    easy = "they are too few, or too easy"
    why = easy if value < 1 else "confidence is uninformative on them"
    return None, (
        f"the log-loss of the {len(validation.files):,} validation photographs is lowest at the "
        f"limit of the search, {value:.2f}: {why}"
    )


def apply_temperature(
    probabilities: NDArray[np.floating], temperature: float
) -> NDArray[np.float64]:
    """Probabilities [n, k] after dividing the logits by a temperature."""
    p = np.asarray(probabilities, np.float64)
    return special.softmax(np.log(np.maximum(p, _LEAST)) / temperature, axis=1)


def evaluate_temperature(sample: Sample, value: float, photographs: int, own: bool) -> Temperature:
    """Effect of a temperature fitted on ``photographs`` photographs, measured on a sample.

    ``own``: the sample is the fitted set, so that the effect is not measured.
    """
    if own:
        return Temperature(value, photographs, after=None, log_loss_change=None)
    cooled = replace(sample, probabilities=apply_temperature(sample.probabilities, value))
    losses_before, losses_after = (
        left_out_metrics(one.labels, one.probabilities, one.unit)["log_loss"]
        for one in (sample, cooled)
    )
    after = measure_calibration(cooled)
    change = after.log_loss - metrics.log_loss(sample.labels, sample.probabilities)
    interval = t_interval(change, losses_after - losses_before, (-np.inf, np.inf))
    return Temperature(value, photographs, after, (change, interval))
