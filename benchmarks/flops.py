"""FLOPs of a Swin's matrix products, by its dimensions."""

import math

from hairjax.models.swin import PATCH
from hairjax.models.table import VARIANTS


def forward_flops(name: str, channels: int, classes: int) -> int:
    """Forward FLOPs per image at the variant's input size; a multiply-add counts two.

    Matrix products only, as usual for utilisation (Chowdhery et al. 2022, "PaLM", appendix B).
    """
    side, variant, _ = VARIANTS[name]
    window = variant["window"]
    total, dim = 0, variant["dim"]
    length = side // PATCH
    total += length**2 * PATCH**2 * channels * dim
    for stage, depth in enumerate(variant["depths"]):
        if stage:
            length, dim = math.ceil(length / 2), 2 * dim
            total += length**2 * 2 * dim * dim  # merging: four neighbours of half the width
        fitting = min(window, length)
        padded = math.ceil(length / fitting) * fitting
        dense = padded**2 * 4 * dim**2 + length**2 * 8 * dim**2  # qkv and proj; MLP
        attention = 2 * padded**2 * fitting**2 * dim  # scores, and their sums of values
        total += depth * (dense + attention)
    return 2 * (total + dim * classes)


def training_flops(name: str, channels: int, classes: int) -> int:
    """Training FLOPs per image: the backward pass costs twice the forward pass."""
    return 3 * forward_flops(name, channels, classes)
