"""Thumbnails of photographs, encoded from pixels, so without metadata."""

import io

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 144  # pixels
_TINT = np.array([0, 114, 178])  # of the mask, as in the figures
# Lightness rises with the value; its upper half has no blue, the colour of masks.
_COLOURS = matplotlib.colormaps["inferno"]
_OPACITY = 0.75  # at the maximum of a map


def encode_thumbnail(rgb: NDArray[np.uint8]) -> bytes:
    """JPEG thumbnail of an image, uint8 [side, side, 3], without metadata."""
    small = Image.fromarray(rgb).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=82)
    return file.getvalue()


def overlay_mask(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Photograph tinted inside its mask: uint8 [side, side, 4] to [side, side, 3]."""
    pixels = image.astype(np.float32)
    weight = 0.55 * pixels[..., 3:] / 255
    return (pixels[..., :3] * (1 - weight) + _TINT * weight).round().astype(np.uint8)


def overlay_map(rgb: NDArray[np.uint8], evidence: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Photograph in grey under the colours of an explanation map.

    Args:
        rgb: uint8 [side, side, 3].
        evidence: [side, side] in [0, 1], from `evaluation.explain.maps.evidence`.
    """
    grey = np.repeat(rgb.mean(-1, keepdims=True), 3, axis=-1)
    share = _OPACITY * evidence[..., None]
    colour = 255 * _COLOURS(0.35 + 0.6 * evidence)[..., :3]
    return (grey * (1 - share) + colour * share).round().astype(np.uint8)
