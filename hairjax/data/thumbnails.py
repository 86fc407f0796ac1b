"""Photographs made small: enough to compare them by, in memory whatever the size of the set."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hairjax.data.stored import Stored

_CHUNK = 256  # photographs in memory at a time where they are on disk


def thumbnails(
    images: NDArray[np.uint8] | Stored, side: int, resample: Image.Resampling
) -> NDArray[np.uint8]:
    """Make the RGB channels smaller: uint8 [n, h, w, ≥ 3] → uint8 [n, side, side, 3]."""
    small = np.empty((len(images), side, side, 3), np.uint8)
    for start in range(0, len(images), _CHUNK):
        for index, image in enumerate(images[start : start + _CHUNK], start):
            rgb = Image.fromarray(np.ascontiguousarray(image[..., :3]))
            small[index] = np.asarray(rgb.resize((side, side), resample))
    return small
