"""Classification metrics of a confusion matrix, and of the probabilities.

Every metric that depends on counts alone is a function of a confusion matrix
``[..., k, k]`` (rows: true class, columns: predicted class) and is computed over
all leading axes at once, so that the matrices of thousands of sets cost one call.
Counts may be weighted. Classes are ordered by their index: class 3 is a later
stage than class 2. What is undefined is nan in these arrays, as scikit-learn 1.9
has it with ``zero_division=nan`` but for `quadratic_kappa`, and None in what
`evaluate` returns: JSON has null for it and no number stands in its place.
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
    """Count photographs by true (row) and predicted (column) class.

    Args:
        labels: int [n], true classes in ``0 … classes - 1``.
        predicted: int [n], predicted classes in the same range.
        classes: the number of classes, k.

    Returns:
        int64 [k, k].

    Raises:
        ValueError: the lengths differ, or a class is out of range.
    """
    true = _class_indices(labels, classes)
    guessed = _class_indices(predicted, classes)
    if len(true) != len(guessed):
        raise ValueError(f"{len(true)} labels but {len(guessed)} predictions")
    return np.bincount(true * classes + guessed, minlength=classes**2).reshape(classes, classes)


def accuracy(confusion: ArrayLike) -> Floats:
    """Share of photographs given their true class: [..., k, k] → [...]."""
    counts = _as_counts(confusion)
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum((-2, -1)))


def balanced_accuracy(confusion: ArrayLike) -> Floats:
    """Mean recall over the classes that have photographs: [..., k, k] → [...].

    Brodersen et al., "The balanced accuracy and its posterior distribution", ICPR 2010.
    """
    counts = _as_counts(confusion)
    support = counts.sum(-1)
    recall = _ratio(_diagonal(counts), support)
    return _ratio(recall.sum(-1), (support > 0).sum(-1))


def macro_f1(confusion: ArrayLike) -> Floats:
    """Mean F1 over the classes that occur as a label or a prediction: [..., k, k] → [...].

    F1 of a class is the harmonic mean of its precision and recall, 2·TP / (2·TP + FP + FN),
    averaged after it is taken per class (the first form in Opitz & Burst, "Macro F1 and
    Macro F1", 2019).
    """
    counts = _as_counts(confusion)
    occurrences = counts.sum(-1) + counts.sum(-2)
    f1 = _ratio(2 * _diagonal(counts), occurrences)
    return _ratio(f1.sum(-1), (occurrences > 0).sum(-1))


def quadratic_kappa(confusion: ArrayLike) -> Floats:
    """Cohen's kappa with quadratic weights: [..., k, k] → [...], at most 1, 0 at chance.

    ``1 - Σ w·observed / Σ w·expected`` with ``w[i, j] = (i - j)²`` and the counts expected
    from the margins (Cohen, "Weighted kappa", Psychological Bulletin 70, 1968).

    It is undefined, nan, when every photograph has one class: no model could agree beyond chance.
    scikit-learn 1.9 says nan there only if all are given that class too, and 0 after one mistake.
    """
    counts = _as_counts(confusion)
    weights = _stage_distance(counts.shape[-1]) ** 2
    expected = counts.sum(-1)[..., :, None] * counts.sum(-2)[..., None, :]
    observed_cost = (weights * counts).sum((-2, -1)) * counts.sum((-2, -1))
    expected_cost = (weights * expected).sum((-2, -1))
    several = (counts.sum(-1) > 0).sum(-1) > 1
    return np.where(several, 1 - _ratio(observed_cost, expected_cost), np.nan)


def mean_absolute_error(confusion: ArrayLike) -> Floats:
    """Mean distance between true and predicted class, in stages: [..., k, k] → [...]."""
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
"""The metrics of a confusion matrix, in the order in which `evaluate` gives them."""


def bounds(name: str, classes: int) -> tuple[float, float]:
    """The least and the greatest value that a metric of `evaluate` can have, of so many classes."""
    if name == "mean_absolute_error":
        return 0.0, classes - 1.0
    if name == "log_loss":
        return 0.0, float(-np.log(np.finfo(np.float64).eps))
    return (-1.0, 1.0) if name == "quadratic_kappa" else (0.0, 1.0)


def per_class(confusion: ArrayLike) -> dict[str, Floats]:
    """Precision, recall, F1 and support of every class.

    Args:
        confusion: [..., k, k].

    Returns:
        ``precision`` (nan of a class that is never predicted), ``recall`` (nan of one without
        photographs), ``f1`` (nan where both are) and ``support`` (photographs of the class), each
        float64 [..., k].
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
    """Minus the natural logarithm of the true class's probability, per photograph.

    A probability of zero counts as the smallest step of a float64 above one (2.2e-16), as in
    scikit-learn, so that one certain mistake costs 36 nats and not infinity.

    Args:
        labels: int [n].
        probabilities: float [n, k], rows summing to one.

    Returns:
        float64 [n], in nats.

    Raises:
        ValueError: as `check_predictions`.
    """
    true, p = check_predictions(labels, probabilities)
    return -np.log(np.clip(p[np.arange(len(true)), true], np.finfo(np.float64).eps, 1.0))


def log_loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean `negative_log_likelihood`, in nats."""
    return float(negative_log_likelihood(labels, probabilities).mean())


def evaluate(labels: ArrayLike, probabilities: ArrayLike) -> Metrics:
    """Every metric of a set of predictions; the predicted class is the likeliest one.

    Args:
        labels: int [n], true classes.
        probabilities: float [n, k], rows summing to one. On a tie the lowest class counts.

    Returns:
        accuracy, balanced_accuracy, macro_f1, quadratic_kappa, mean_absolute_error (stages),
        within_one, log_loss (nats), expected_calibration_error, in this order; None where one is
        undefined: quadratic_kappa of photographs of one class.

    Raises:
        ValueError: as `check_predictions`.
    """
    true, p = check_predictions(labels, probabilities)
    return {
        **count_metrics(confusion_matrix(true, p.argmax(1), p.shape[1])),
        "log_loss": log_loss(true, p),
        "expected_calibration_error": expected_calibration_error(true, p),
    }


def count_metrics(confusion: ArrayLike) -> Metrics:
    """Every metric of a confusion matrix [k, k]; None where it is undefined."""
    return {name: defined(float(metric(confusion))) for name, metric in COUNT_METRICS.items()}


def defined(value: float) -> float | None:
    """The value, or None for nan."""
    return None if math.isnan(value) else float(value)


def why_undefined(metrics: Mapping[str, float | None]) -> str:
    """A sentence about the metrics that are undefined; "" where all are defined."""
    if all(value is not None for value in metrics.values()):
        return ""
    return "Kappa is undefined: all photographs are of one class, and nothing can be beyond chance."


def comparable(value: float | None) -> float:
    """A metric to choose models by: of one that is undefined 0, so that all of them are equal."""
    return 0.0 if value is None else value


def check_predictions(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.int64], Floats]:
    """Return labels as int64 [n] and probabilities as float64 [n, k].

    Raises:
        ValueError: there is no photograph, the shapes do not fit, a label is out of range, or
            a row of probabilities is not finite, not within [0, 1] or does not sum to one.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not p.size:
        raise ValueError(f"probabilities must be [n, k] with n and k at least 1, not {p.shape}")
    true = _class_indices(labels, p.shape[1])
    if len(true) != len(p):
        raise ValueError(f"{len(true)} labels but {len(p)} rows of probabilities")
    # Wide enough for a softmax in bfloat16; what it is there to catch are logits.
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
