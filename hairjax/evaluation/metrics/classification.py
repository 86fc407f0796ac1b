"""Classification metrics.

Count metrics are functions of a confusion matrix ``[..., k, k]`` (rows: true, columns: predicted
class; counts may be weighted), vectorised over leading axes. Classes are ordered by index.
Undefined values are nan in arrays, as in scikit-learn 1.9 with ``zero_division=nan`` (except
`quadratic_kappa`), and None in the result of `evaluate` (null in JSON).
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hairjax.evaluation.metrics.reliability import expected_calibration_error

Floats = NDArray[np.float64]
Metrics = dict[str, float | None]
"""Metrics by name; None where one is undefined."""


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Confusion matrix (rows: true, columns: predicted class), int64 [k, k].

    ``labels`` and ``predicted``: int [n] in ``0 … classes - 1``.

    Raises:
        ValueError: the lengths differ, or a class is out of range.
    """
    true = _class_indices(labels, classes)
    guessed = _class_indices(predicted, classes)
    if len(true) != len(guessed):
        raise ValueError(f"{len(true)} labels but {len(guessed)} predictions")
    return np.bincount(true * classes + guessed, minlength=classes**2).reshape(classes, classes)


def accuracy(confusion: ArrayLike) -> Floats:
    """Accuracy: [..., k, k] → [...]."""
    counts = _as_counts(confusion)
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum((-2, -1)))


def balanced_accuracy(confusion: ArrayLike) -> Floats:
    """Mean recall over classes with photographs: [..., k, k] → [...].

    Brodersen et al., "The balanced accuracy and its posterior distribution", ICPR 2010.
    """
    counts = _as_counts(confusion)
    support = counts.sum(-1)
    recall = _ratio(_diagonal(counts), support)
    return _ratio(recall.sum(-1), (support > 0).sum(-1))


def macro_f1(confusion: ArrayLike) -> Floats:
    """Mean F1 over classes that occur as label or prediction: [..., k, k] → [...].

    Averaged F1s, 2·TP / (2·TP + FP + FN): the first form in Opitz & Burst, "Macro F1 and Macro F1",
    2019.
    """
    counts = _as_counts(confusion)
    occurrences = counts.sum(-1) + counts.sum(-2)
    f1 = _ratio(2 * _diagonal(counts), occurrences)
    return _ratio(f1.sum(-1), (occurrences > 0).sum(-1))


def quadratic_kappa(confusion: ArrayLike) -> Floats:
    """Cohen's kappa with quadratic weights: [..., k, k] → [...], at most 1, 0 at chance.

    ``1 - Σ w·observed / Σ w·expected`` with ``w[i, j] = (i - j)²`` and expected counts from the
    margins (Cohen, "Weighted kappa", Psychological Bulletin 70, 1968). nan if all photographs are
    of one class (scikit-learn 1.9: 0 after one mistake).
    """
    counts = _as_counts(confusion)
    weights = _stage_distance(counts.shape[-1]) ** 2
    expected = counts.sum(-1)[..., :, None] * counts.sum(-2)[..., None, :]
    observed_cost = (weights * counts).sum((-2, -1)) * counts.sum((-2, -1))
    expected_cost = (weights * expected).sum((-2, -1))
    several = (counts.sum(-1) > 0).sum(-1) > 1
    return np.where(several, 1 - _ratio(observed_cost, expected_cost), np.nan)


def mean_absolute_error(confusion: ArrayLike) -> Floats:
    """Mean distance between true and predicted class in stages: [..., k, k] → [...]."""
    counts = _as_counts(confusion)
    distance = _stage_distance(counts.shape[-1])
    return _ratio((distance * counts).sum((-2, -1)), counts.sum((-2, -1)))


def within_one(confusion: ArrayLike) -> Floats:
    """Share of photographs at most one stage off: [..., k, k] → [...]."""
    counts = _as_counts(confusion)
    close = _stage_distance(counts.shape[-1]) <= 1
    return _ratio((close * counts).sum((-2, -1)), counts.sum((-2, -1)))


COUNT_METRICS: dict[str, Callable[[ArrayLike], Floats]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "quadratic_kappa": quadratic_kappa,
    "mean_absolute_error": mean_absolute_error,
    "within_one": within_one,
}
"""Metrics of a confusion matrix, in the order of `evaluate`."""


def bounds(name: str, classes: int) -> tuple[float, float]:
    """Minimum and maximum of a metric of `evaluate` for ``classes`` classes."""
    if name == "mean_absolute_error":
        return 0.0, classes - 1.0
    if name == "log_loss":
        return 0.0, float(-np.log(np.finfo(np.float64).eps))
    return (-1.0, 1.0) if name == "quadratic_kappa" else (0.0, 1.0)


def per_class(confusion: ArrayLike) -> dict[str, Floats]:
    """Precision, recall, F1 and support of every class: [..., k, k] → float64 [..., k] each.

    nan are the precision of a class never predicted, the recall of a class without photographs, and
    an F1 with both.
    """
    counts = _as_counts(confusion)
    correct, support, predicted = _diagonal(counts), counts.sum(-1), counts.sum(-2)
    return {
        "precision": _ratio(correct, predicted, np.nan),
        "recall": _ratio(correct, support, np.nan),
        "f1": _ratio(2 * correct, support + predicted, np.nan),
        "support": support,
    }


def negative_log_likelihood(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """Negative log-probability of the true class per photograph, float64 [n], in nats.

    Probabilities are clipped at 2.2e-16 (float64's ε), as in scikit-learn: at most 36 nats.

    Raises:
        ValueError: see `check_predictions`.
    """
    true, p = check_predictions(labels, probabilities)
    return -np.log(np.clip(p[np.arange(len(true)), true], np.finfo(np.float64).eps, 1.0))


def log_loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean `negative_log_likelihood`, in nats."""
    return float(negative_log_likelihood(labels, probabilities).mean())


def evaluate(labels: ArrayLike, probabilities: ArrayLike) -> Metrics:
    """All metrics of a set of predictions; None where undefined (kappa of a single class).

    Args:
        labels: int [n], true classes.
        probabilities: float [n, k], rows summing to one; ties go to the lowest class.

    Returns:
        accuracy, balanced_accuracy, macro_f1, quadratic_kappa, mean_absolute_error (stages),
        within_one, log_loss (nats), expected_calibration_error, in this order.

    Raises:
        ValueError: see `check_predictions`.
    """
    true, p = check_predictions(labels, probabilities)
    return {
        **count_metrics(confusion_matrix(true, p.argmax(1), p.shape[1])),
        "log_loss": log_loss(true, p),
        "expected_calibration_error": expected_calibration_error(true, p),
    }


def count_metrics(confusion: ArrayLike) -> Metrics:
    """All metrics of a confusion matrix [k, k]; None where undefined."""
    return {name: defined(float(metric(confusion))) for name, metric in COUNT_METRICS.items()}


def defined(value: float) -> float | None:
    """The value; None for nan."""
    return None if math.isnan(value) else float(value)


def why_undefined(metrics: Mapping[str, float | None]) -> str:
    """Sentence about undefined metrics; "" if all are defined."""
    if all(value is not None for value in metrics.values()):
        return ""
    return "Kappa is undefined: all photographs are of one class."


def comparable(value: float | None) -> float:
    """Metric for model selection; 0 where undefined, so that all models tie."""
    return 0.0 if value is None else value


def check_predictions(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.int64], Floats]:
    """Validated labels, int64 [n], and probabilities, float64 [n, k].

    Raises:
        ValueError: no photographs, mismatched shapes, a label out of range, or a row that is not
            finite, outside [0, 1] or does not sum to one.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not p.size:
        raise ValueError(f"probabilities must be [n, k] with n and k at least 1, not {p.shape}")
    true = _class_indices(labels, p.shape[1])
    if len(true) != len(p):
        raise ValueError(f"{len(true)} labels but {len(p)} rows of probabilities")
    # Wide enough for a bfloat16 softmax, narrow enough to reject logits.
    fits = (p >= 0).all(1) & (p <= 1.01).all(1) & (abs(p.sum(1) - 1) < 0.01)
    if not fits.all():
        row = int(np.argmin(fits))
        raise ValueError(f"row {row} is not a probability distribution: {p[row].tolist()}")
    return true, p


def _class_indices(labels: ArrayLike, classes: int) -> NDArray[np.int64]:
    indices = np.asarray(labels)
    if indices.ndim != 1 or (indices.size and not np.issubdtype(indices.dtype, np.integer)):
        raise ValueError(f"classes must be integers [n], not {indices.dtype} {indices.shape}")
    wrong = indices[(indices < 0) | (indices >= classes)]
    if wrong.size:
        raise ValueError(f"class {wrong[0]} is not one of 0 … {classes - 1}")
    return indices.astype(np.int64)


def _as_counts(confusion: ArrayLike) -> Floats:
    counts = np.asarray(confusion, np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise ValueError(f"a confusion matrix is [..., k, k], not {counts.shape}")
    return counts


def _diagonal(counts: Floats) -> Floats:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _stage_distance(classes: int) -> Floats:
    stage = np.arange(classes, dtype=np.float64)
    return abs(stage[:, None] - stage[None, :])


def _ratio(numerator: ArrayLike, denominator: ArrayLike, undefined: float = 0.0) -> Floats:
    """Divide, with ``undefined`` where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    filled = np.full(numerator.shape, undefined, np.float64)
    return np.divide(numerator, denominator, out=filled, where=denominator != 0)
