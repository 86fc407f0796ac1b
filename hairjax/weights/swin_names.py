"""What timm calls the parameters of a Swin, and how its arrays become ours."""

import functools
import re

import numpy as np

# timm's name → ours, first match wins; a module name ends in "." where parameters follow.
TIMM = (
    (r"patch_embed\.(proj|norm)\.", r"stem.\1."),
    (r"layers\.(\d+)\.downsample\.(norm|reduction)\.", r"stages.\1.merge.\2."),
    (r"layers\.(\d+)\.blocks\.(\d+)\.(norm1|norm2)\.", r"stages.\1.blocks.\2.\3."),
    (
        r"layers\.(\d+)\.blocks\.(\d+)\.attn\.relative_position_bias_table$",
        r"stages.\1.blocks.\2.attention.bias_table",
    ),
    (r"layers\.(\d+)\.blocks\.(\d+)\.attn\.(qkv|proj)\.", r"stages.\1.blocks.\2.attention.\3."),
    (r"layers\.(\d+)\.blocks\.(\d+)\.mlp\.fc1\.", r"stages.\1.blocks.\2.mlp.expand."),
    (r"layers\.(\d+)\.blocks\.(\d+)\.mlp\.fc2\.", r"stages.\1.blocks.\2.mlp.reduce."),
    (r"norm\.", r"head.norm."),
    (r"head\.fc\.", r"head.classifier."),
)

# Buffers that older files carry and that follow from the window's size.
DERIVED = re.compile(r"relative_position_index$|attn_mask$")


def from_timm(name: str, array: np.ndarray) -> tuple[str, np.ndarray] | None:
    """Our dotted path and layout for one of timm's arrays; None when timm has no such name.

    A dense weight [out, in] becomes a kernel [in, out], a convolution's [out, in, h, w] becomes
    [h, w, in, out], a norm's weight its scale.
    """
    for pattern, replacement in TIMM:
        path, count = re.subn("^" + pattern, replacement, name)
        if count:
            break
    else:
        return None
    module, _, leaf = path.rpartition(".")
    if leaf != "weight":
        return path, array
    if array.ndim == 1:
        return f"{module}.scale", array
    # An array of any other rank fits nothing; its shape is refused where all shapes are compared.
    axes = {2: (1, 0), 4: (2, 3, 1, 0)}.get(array.ndim)
    return f"{module}.kernel", array if axes is None else array.transpose(axes)


def resize_bias_table(
    table: np.ndarray, window: tuple[int, int], old_window: tuple[int, int]
) -> np.ndarray:
    """A relative-position table for another window, as timm resizes it (after BEiT).

    The old places lie at distances that grow geometrically from the centre and reach the new
    border; the new ones, one apart, are read off linearly and clamped at the border.

    Args:
        table: float [(2·h − 1)(2·w − 1), heads] for ``old_window`` = (h, w).
        window: the new height and width.
        old_window: the height and width the table was made for.
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
    """Distances 1, 1 + q, 1 + q + q² … on both sides of 0 whose last reaches ``target // 2``."""
    low, high = 1.01, 1.5
    while high - low > 1e-6:
        ratio = (low + high) / 2
        if (1 - ratio ** (source // 2)) / (1 - ratio) > target // 2:
            high = ratio
        else:
            low = ratio
    steps = np.cumsum([ratio**i for i in range(source // 2)])
    return np.concatenate([-steps[::-1], [0], steps])
