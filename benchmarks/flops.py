"""Floating-point operations of a Swin's matrix products, counted from its sizes."""

import math

from hairjax.models.swin import PATCH
from hairjax.models.table import VARIANTS


def forward_flops(name: str, channels: int, classes: int) -> int:
    """Of one photograph going forward, at the variant's own size; a product and its sum are two.

    Norms, softmax, GELU and all else that is no matrix product is left out, as it is where the
    utilisation of a device is given (Chowdhery et al. 2022, "PaLM", appendix B).
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
    """Of one photograph in a training step: going backward costs twice going forward."""
    return 3 * forward_flops(name, channels, classes)
