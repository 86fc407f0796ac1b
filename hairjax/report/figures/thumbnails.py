"""Small pictures of photographs, encoded anew from pixels, so without what a file says."""

import io

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 144  # pixels
_TINT = np.array([0, 114, 178])  # of the mask, as in the figures of a report
# Light is more, also in grey; blues, which show masks, are not in its upper half.
_COLOURS = matplotlib.colormaps["inferno"]
_OPAQUE = 0.75  # where a map is at its highest


def jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """A thumbnail of a picture [side, side, 3], which says nothing but its pixels."""
    small = Image.fromarray(rgb).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=82)
    return file.getvalue()


def tint(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photograph with its mask, [side, side, 4], tinted where the mask is: [side, side, 3]."""
    pixels = image.astype(np.float32)
    weight = 0.55 * pixels[..., 3:] / 255
    return (pixels[..., :3] * (1 - weight) + _TINT * weight).round().astype(np.uint8)


def lay_over(rgb: NDArray[np.uint8], evidence: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The photograph in grey with a map's colour over it, the stronger the more.

    Args:
        rgb: uint8 [side, side, 3].
        evidence: [side, side] from 0 to 1, as `evaluation.explain.maps.evidence` makes it.
    """
    grey = np.repeat(rgb.mean(-1, keepdims=True), 3, axis=-1)
    share = _OPAQUE * evidence[..., None]
    colour = 255 * _COLOURS(0.35 + 0.6 * evidence)[..., :3]
    return (grey * (1 - share) + colour * share).round().astype(np.uint8)
