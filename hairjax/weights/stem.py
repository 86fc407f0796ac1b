"""Expand a stem pretrained on RGB to more input channels."""

import math

import numpy as np

RULES = ("copy", "zero", "mean", "random_mask", "random_all")
INITIALISING_RULES = ("random_mask", "random_all")  # rules that use freshly initialised values


def expand_stem(kernel: np.ndarray, initialised: np.ndarray, rule: str) -> np.ndarray:
    """Expand an RGB kernel [h, w, 3, features] to the n channels of ``initialised``.

    ``initialised``: float32 [h, w, n, features], n = 1 or n ≥ 3; scale s = 3 / n (0.5 for RGB and
    mask):

    - ``copy``: RGB kernel tiled over all channels, × s; timm's rule for ``in_chans``.
    - ``zero``: RGB unchanged, other channels 0: the initial network ignores the mask.
    - ``mean``: RGB × s, other channels the RGB mean × s.
    - ``random_mask``: RGB × s, other channels as initialised.
    - ``random_all``: all channels as initialised.

    A single channel (mask only) gets the RGB sum (timm's rule), except with ``random_all``.

    Raises:
        ValueError: an unknown rule, or no or two channels.
    """
    channels = initialised.shape[2]
    if rule not in RULES:
        raise ValueError(f"weights.stem is {rule!r}; the rules are {', '.join(RULES)}")
    if channels < 1 or channels == 2:
        raise ValueError(
            "pretrained weights take RGB, so the model needs 1 or at least 3 channels, not "
            f"{channels}"
        )
    if channels == 3 and rule != "random_all":
        return kernel
    if channels == 1 and rule != "random_all":
        return kernel.sum(axis=2, keepdims=True)
    scale = 3 / channels
    match rule:
        case "copy":
            repeats = math.ceil(channels / 3)
            return np.tile(kernel, (1, 1, repeats, 1))[:, :, :channels] * scale
        case "zero":
            rgb, rest = kernel, np.zeros_like(initialised[:, :, 3:])
        case "mean":
            mean = kernel.mean(axis=2, keepdims=True)
            rgb, rest = kernel * scale, np.repeat(mean, channels - 3, axis=2) * scale
        case "random_mask":
            rgb, rest = kernel * scale, initialised[:, :, 3:]
        case _:
            return initialised
    return np.concatenate([rgb, rest], axis=2)
