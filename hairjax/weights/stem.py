"""Expand a stem pretrained on RGB to more input channels."""

import math

import numpy as np

RULES = ("copy", "zero", "mean", "random_mask", "random_all")
INITIALISING_RULES = ("random_mask", "random_all")  # those that use the initialised numbers


def expand_stem(kernel: np.ndarray, initialised: np.ndarray, rule: str) -> np.ndarray:
    """Fit an RGB kernel [h, w, 3, features] to the input channels of the kernel ``initialised``.

    With n channels and scale s = 3 / n (0.5 for RGB and mask):

    - ``copy``: the RGB kernel repeated over all channels, × s; timm's rule for ``in_chans``.
    - ``zero``: RGB as it is, the other channels 0: at first the network ignores the mask.
    - ``mean``: RGB × s, every other channel the mean over RGB × s.
    - ``random_mask``: RGB × s, the other channels as initialised.
    - ``random_all``: the whole kernel as initialised.

    One channel, the mask alone, takes the sum over RGB (timm's rule again: what the kernel answers
    to grey), unless all is initialised.

    Args:
        kernel: pretrained weights, float32 [h, w, 3, features].
        initialised: freshly initialised weights, float32 [h, w, n, features] with n = 1 or
            n ≥ 3; of their numbers only the rules in ``INITIALISING_RULES`` make use.
        rule: one of ``RULES``.

    Raises:
        ValueError: an unknown rule, or no or two channels.
    """
    channels = initialised.shape[2]
    if rule not in RULES:
        raise ValueError(f"weights.stem is {rule!r}; the rules are {', '.join(RULES)}")
    if channels < 1 or channels == 2:
        raise ValueError(
            "pretrained weights see RGB, so the model needs 1 or at least 3 channels, not "
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
