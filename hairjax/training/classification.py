"""The task of grading: cross-entropy on classes, and the metrics of a classification."""

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
    """Cross-entropy on the classes' logits.

    Attributes:
        classes: number of classes.
        smoothing: share of a label's weight that is spread over all classes.
        class_weights: weights of the classes in the loss, float32 [classes]; None for equal ones.
            The mean is over the photographs whatever these are (so does PyTorch for targets that
            are shares).
    """

    classes: int
    smoothing: float
    class_weights: np.ndarray | None
    sums: tuple[str, ...] = ("correct",)
    loss_metric: str = "log_loss"

    def targets(self, photos: jax.Array, labels: jax.Array, keys: jax.Array) -> jax.Array:
        """float32 [batch, classes]: rows summing to one, the largest where the label is."""
        return optax.smooth_labels(jax.nn.one_hot(labels, self.classes), self.smoothing)

    def loss(
        self, outputs: jax.Array, targets: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Mean cross-entropy, and how many were right: where the target is largest.

        Args:
            outputs: logits, float32 [batch, classes].
            targets: float32 [batch, classes]; of a mixed photograph the largest is that of which
                it shows most.
        """
        weights = self.class_weights
        weighted = targets if weights is None else targets * jnp.expand_dims(weights, 0)
        loss = optax.softmax_cross_entropy(outputs, weighted).mean()
        return loss, {"correct": jnp.sum(outputs.argmax(axis=1) == targets.argmax(axis=1))}

    def train_metrics(self, totals: Mapping[str, float]) -> dict[str, float]:
        """The accuracy."""
        return {"accuracy": totals["correct"] / totals["count"]}

    def predictor(self, outputs: Outputs) -> Any:
        """Probabilities by class."""
        return predict_from(outputs)

    def is_finite(self, predictions: Any) -> bool:
        """True if every probability is a finite number."""
        return bool(np.isfinite(predictions.probabilities).all())

    def evaluate(self, predictions: Any) -> Metrics:
        """Every metric of a classification; None where one is undefined."""
        return evaluate(predictions.labels, predictions.probabilities)

    def describe(self, train: Mapping[str, float], validation: Metrics) -> str:
        """Loss and accuracy of both, and the kappa of validation."""
        kappa = validation["quadratic_kappa"]
        return (
            f"train loss {train['loss']:.3f} accuracy {train['accuracy']:.3f}  "
            f"validation loss {validation['log_loss']:.3f} accuracy {validation['accuracy']:.3f} "
            f"kappa {'undefined' if kappa is None else f'{kappa:.3f}'}"
        )
