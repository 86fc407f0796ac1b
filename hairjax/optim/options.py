"""Options of the optimizer: rates, schedule, fine-tuning and weight decay."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class OptimOptions:
    """Optimizer options: the keys of ``config.optim``, documented in ``configs/top.py``."""

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
