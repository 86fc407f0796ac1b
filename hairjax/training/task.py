"""Interface of a task: targets, loss and metrics for the step and the loop."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax

from hairjax.evaluation.inference import Outputs


class Task(Protocol):
    """Targets, loss and metrics of a training.

    Attributes:
        sums: names of the sums over an epoch returned by the loss.
        loss_metric: validation metric equal to the loss; breaks ties between epochs.
    """

    @property
    def sums(self) -> tuple[str, ...]: ...

    @property
    def loss_metric(self) -> str: ...

    def targets(self, photos: jax.Array, labels: jax.Array, keys: jax.Array) -> jax.Array:
        """Targets of a batch, [batch, ...].

        ``photos``: uint8 [batch, stored, stored, 4], or maps of cached stages; ``keys``:
        augmentation keys.
        """

    def loss(
        self, outputs: jax.Array, targets: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Mean loss of a batch, and its `sums` by name."""

    def train_metrics(self, totals: Mapping[str, float]) -> dict[str, float]:
        """Training metrics of an epoch, from its `sums` and the ``count`` of photographs."""

    def predictor(self, outputs: Outputs) -> Any:
        """Function (params, photographs) → predictions, from a function returning model outputs."""

    def is_finite(self, predictions: Any) -> bool:
        """True if all outputs are finite."""

    def evaluate(self, predictions: Any) -> dict[str, float | None]:
        """Validation metrics; None where undefined."""

    def describe(self, train: Mapping[str, float], validation: dict[str, float | None]) -> str:
        """Metrics for the log line of an epoch."""
