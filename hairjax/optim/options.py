"""Learning rates, schedule, fine-tuning and weight decay: a frozen specification."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class OptimOptions:
    """Groups, rates and weight decay; the keys of ``config.optim``, explained there.

    Attributes:
        peak: highest learning rate of each group.
        finetune: groups that train: ``full``, ``head``, ``last:N``, ``gradual``, or parts from
            epochs.
        gradual: epochs before each further stage trains.
        lora: rank of the low-rank pairs; 0: off.
        layer_decay: factor of the rate for each layer up to the head; 1: off.
        start: share of the peak at which warm-up begins.
        warmup_epochs: epochs until every rate is at its peak.
        floor: share of the peak at which the cosine ends.
        weight_decay: weight decay of AdamW, on matrices.
        clip: largest norm of the whole gradient; 0: off.
    """

    peak: Mapping[str, float]
    finetune: str
    gradual: tuple[int, ...]
    lora: int
    layer_decay: float
    start: float
    warmup_epochs: int
    floor: float
    weight_decay: float
    clip: float
