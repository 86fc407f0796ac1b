"""Resize a relative-position bias table to another attention window."""

import functools

import numpy as np


def resize_bias_table(
    table: np.ndarray, window: tuple[int, int], old_window: tuple[int, int]
) -> np.ndarray:
    """Relative-position table resized to another window (height, width), as in timm (after BEiT).

    Old positions are spaced geometrically from the centre to the new border; new, unit-spaced
    positions are interpolated linearly and clamped at the border. ``table``: float [(2·h − 1)(2·w −
    1), heads] for ``old_window`` = (h, w).
    """
    source = tuple(2 * side - 1 for side in old_window)
    target = tuple(2 * side - 1 for side in window)
    if source == target:
        return table
    table = table.reshape(*source, -1)
    for axis in (0, 1):
        places = _geometric_places(source[axis], target[axis])
        wanted = np.arange(target[axis]) - target[axis] // 2
        interpolate = functools.partial(np.interp, wanted, places)
        table = np.apply_along_axis(interpolate, axis, table)
    return table.reshape(-1, table.shape[-1]).astype(np.float32)


def _geometric_places(source: int, target: int) -> np.ndarray:
    """Positions ±(1, 1 + q, 1 + q + q² …) and 0, the last at ``target // 2``."""
    low, high = 1.01, 1.5
    while high - low > 1e-6:
        ratio = (low + high) / 2
        if (1 - ratio ** (source // 2)) / (1 - ratio) > target // 2:
            high = ratio
        else:
            low = ratio
    steps = np.cumsum([ratio**i for i in range(source // 2)])
    return np.concatenate([-steps[::-1], [0], steps])
