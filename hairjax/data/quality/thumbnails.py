"""Thumbnails for image comparison."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hairjax.data.photoset import Rows

_CHUNK = 256  # images on disk per read


def make_thumbnails(
    images: NDArray[np.uint8] | Rows, side: int, resample: Image.Resampling
) -> NDArray[np.uint8]:
    """Downsize the RGB channels: uint8 [n, h, w, ≥ 3] → uint8 [n, side, side, 3]."""
    small = np.empty((len(images), side, side, 3), np.uint8)

    def shrink(index: int, image: NDArray[np.uint8]) -> None:
        small[index] = np.asarray(_picture(image).resize((side, side), resample))[..., :3]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(images), _CHUNK):
            chunk = images[start : start + _CHUNK]
            for _ in pool.map(shrink, range(start, start + len(chunk)), chunk):
                pass
    return small


def _picture(image: NDArray[np.uint8]) -> Image.Image:
    if image.shape[2] == 4 and image.flags.c_contiguous:
        # All four channels: extracting RGB costs as much as downsizing.
        size = (image.shape[1], image.shape[0])
        return Image.frombuffer("RGBX", size, image, "raw", "RGBX", 0, 1)
    return Image.fromarray(np.ascontiguousarray(image[..., :3]))
