"""Task of a model: targets, loss and metrics, handed to the step and to the loop."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax

from hairjax.evaluation.inference import Outputs


class Task(Protocol):
    """Loss, targets and metrics of a training.

    Attributes:
        sums: what the loss adds up over an epoch beside itself, by name.
        loss_metric: the validation metric that is the loss: it decides between equal epochs.
    """

    @property
    def sums(self) -> tuple[str, ...]: ...

    @property
    def loss_metric(self) -> str: ...

    def targets(self, photos: jax.Array, labels: jax.Array, keys: jax.Array) -> jax.Array:
        """The targets of a batch, [batch, ...]; mixed photographs have mixed targets.

        Args:
            photos: uint8 [batch, stored, stored, 4] as stored, or the maps of cached stages.
            labels: labels of the photographs, [batch].
            keys: one for each photograph: those of its augmentation.
        """

    def loss(
        self, outputs: jax.Array, targets: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The mean loss of a batch, and its `sums` by name."""

    def train_metrics(self, totals: Mapping[str, float]) -> dict[str, float]:
        """Metrics of an epoch's training, of its `sums` and the ``count`` of photographs."""

    def predictor(self, outputs: Outputs) -> Any:
        """(params, photographs) → predictions, from a function that gives a model's outputs."""

    def is_finite(self, predictions: Any) -> bool:
        """True if no output of the model is infinite or no number."""

    def evaluate(self, predictions: Any) -> dict[str, float | None]:
        """Metrics of the validation photographs; None where one is undefined."""

    def describe(self, train: Mapping[str, float], validation: dict[str, float | None]) -> str:
        """The metrics in the line of an epoch."""
