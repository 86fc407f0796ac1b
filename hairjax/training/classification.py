"""Classification task: cross-entropy loss and classification metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hairjax.evaluation.inference import Outputs, predict_from
from hairjax.evaluation.metrics.classification import Metrics, evaluate


@dataclass(frozen=True, eq=False)
class Classification:
    """Softmax cross-entropy on the classes.

    With class weights the loss is still averaged over photographs (as PyTorch does for soft
    targets).
    """

    classes: int  # number of classes
    smoothing: float  # label smoothing
    class_weights: np.ndarray | None  # float32 [classes]; None for equal weights
    sums: tuple[str, ...] = ("correct",)
    loss_metric: str = "log_loss"

    def targets(self, photos: jax.Array, labels: jax.Array, keys: jax.Array) -> jax.Array:
        """Smoothed one-hot targets, float32 [batch, classes]."""
        return optax.smooth_labels(jax.nn.one_hot(labels, self.classes), self.smoothing)

    def loss(
        self, outputs: jax.Array, targets: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Mean cross-entropy and number of correct predictions (argmax of the target).

        Outputs (logits) and targets: float32 [batch, classes].
        """
        weights = self.class_weights
        weighted = targets if weights is None else targets * jnp.expand_dims(weights, 0)
        loss = optax.softmax_cross_entropy(outputs, weighted).mean()
        return loss, {"correct": jnp.sum(outputs.argmax(axis=1) == targets.argmax(axis=1))}

    def train_metrics(self, totals: Mapping[str, float]) -> dict[str, float]:
        """Accuracy."""
        return {"accuracy": totals["correct"] / totals["count"]}

    def predictor(self, outputs: Outputs) -> Any:
        """Function (params, photographs) → class probabilities."""
        return predict_from(outputs)

    def is_finite(self, predictions: Any) -> bool:
        """True if all probabilities are finite."""
        return bool(np.isfinite(predictions.probabilities).all())

    def evaluate(self, predictions: Any) -> Metrics:
        """All classification metrics of `Predictions`, by name; None where undefined."""
        return evaluate(predictions.labels, predictions.probabilities)

    def describe(self, train: Mapping[str, float], validation: Metrics) -> str:
        """Loss and accuracy in training and validation, and the validation kappa."""
        kappa = validation["quadratic_kappa"]
        return (
            f"train loss {train['loss']:.3f} accuracy {train['accuracy']:.3f}  "
            f"validation loss {validation['log_loss']:.3f} accuracy {validation['accuracy']:.3f} "
            f"kappa {'undefined' if kappa is None else f'{kappa:.3f}'}"
        )
