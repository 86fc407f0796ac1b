"""Calibration of a model, and temperature scaling."""

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
    """Photographs of similar confidence: their mean confidence, and how many of them are right."""

    low: float
    high: float
    photographs: int
    confidence: float
    accuracy: float
    interval: Interval | None


@dataclass(frozen=True)
class Calibration:
    """Calibration of one set of probabilities; bins without photographs are left out."""

    error: float
    error_interval: Interval | None
    log_loss: float
    log_loss_interval: Interval | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature and its effect.

    Attributes:
        value: the temperature, by which logits are divided.
        photographs: number of photographs it was fitted on.
        after: calibration of other photographs with it; None where it was fitted on them.
        log_loss_change: after less before, with its paired interval; None where ``after`` is.
    """

    value: float
    photographs: int
    after: Calibration | None
    log_loss_change: tuple[float, Interval | None] | None


def measure_calibration(sample: Sample) -> Calibration:
    """Calibration error, log-loss and reliability table of a sample."""
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
    """The temperature with the least log-loss, between 0.05 and 20; above 1 it lessens confidence.

    Logits divided by it keep their order, so that no photograph gets another class (Guo et al.,
    "On calibration of modern neural networks", ICML 2017). Where every photograph is right the
    least is the best: such a set is too easy to fit it on.

    Args:
        labels: int [n], true classes.
        probabilities: float [n, k], rows summing to one.

    Raises:
        ValueError: as `metrics.classification.check_predictions`.
    """
    true, p = metrics.check_predictions(labels, probabilities)
    logits = np.log(np.maximum(p, _LEAST))
    rows = np.arange(len(true))

    # Convex in 1 / T, so that in log T, too, it falls and then rises.
    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((special.logsumexp(scaled, axis=1) - scaled[rows, true]).mean())

    bounds = tuple(np.log(LIMITS))
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    best = float(np.exp(found.x))
    # The log-loss that is reported stops at 36 nats for one photograph, which this one does not.
    before, after = (metrics.log_loss(true, apply_temperature(p, t)) for t in (1.0, best))
    return best if after < before else 1.0


def find_temperature(validation: Predictions) -> tuple[float | None, str]:
    """The temperature fitted on validation photographs, or None and in words why there is none.

    There is none where the fitted one is one of `LIMITS`: the log-loss has no minimum between them,
    as of photographs that are all right, and on others the temperature would do harm.
    """
    value = fit_temperature(validation.labels, validation.probabilities)
    if LIMITS[0] * 1.01 < value < LIMITS[1] * 0.99:
        return value, ""
    easy = "they are too few, or too easy"
    why = easy if value < 1 else "confidence is worth nothing on them"
    return None, (
        f"the log-loss of the {len(validation.files):,} validation photographs is least at the "
        f"last that is tried, {value:.2f}: {why}"
    )


def apply_temperature(
    probabilities: NDArray[np.floating], temperature: float
) -> NDArray[np.float64]:
    """Probabilities [n, k] of the logits divided by a temperature."""
    p = np.asarray(probabilities, np.float64)
    return special.softmax(np.log(np.maximum(p, _LEAST)) / temperature, axis=1)


def temper(sample: Sample, value: float, photographs: int, own: bool) -> Temperature:
    """Evaluate a temperature.

    Args:
        sample: the photographs that are evaluated.
        value: the temperature.
        photographs: number of photographs it was fitted on.
        own: these are the same photographs, of which it then says nothing new.
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
