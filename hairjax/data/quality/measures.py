"""Measures of all images and masks in one pass over the pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet

_CORNER = 8  # corners are 1/8 of each side
_STEP = 4  # stride of the exposure measurement, in pixels
_BRIGHTEST = 0.99
_END = 5  # tolerance at 0 and 255 for JPEG artefacts


@dataclass(frozen=True)
class MaskShapes:
    """Shape statistics of masks, each [n]."""

    area: NDArray[np.float64]  # fraction of the image
    # centroid from the top, in fractions of the image; nan for an empty mask
    down: NDArray[np.float64]
    right: NDArray[np.float64]  # centroid from the left, likewise
    corners: NDArray[np.float64]  # fraction of hair in the four corners
    peak: NDArray[np.int64]  # maximum, 0 … 255


@dataclass(frozen=True)
class Exposure:
    """Exposure statistics of images, each [n].

    Attributes:
        brightest: 99th percentile of the brightest channel, 0 … 255.
        clipped: fraction of white or black pixels in the central half of both sides, without the
            background.
    """

    brightest: NDArray[np.float64]
    clipped: NDArray[np.float64]


def measure(photos: PhotoSet, chunk: int) -> tuple[MaskShapes, Exposure]:
    """Measure masks and exposure, `chunk` images in memory at a time."""
    rows = []
    for start in range(0, len(photos), chunk):
        pixels = photos.images[start : start + chunk]
        rows.append((*_of_masks(pixels[..., 3]), *_of_exposure(pixels[..., :3])))
    columns = [np.concatenate(part) for part in zip(*rows, strict=True)]
    return MaskShapes(*columns[:5]), Exposure(*columns[5:])


def measure_masks(photos: PhotoSet, chunk: int) -> MaskShapes:
    """Measure masks only, `chunk` images in memory at a time."""
    starts = range(0, len(photos), chunk)
    rows = [_of_masks(photos.images[start : start + chunk][..., 3]) for start in starts]
    return MaskShapes(*(np.concatenate(part) for part in zip(*rows, strict=True)))


def _of_masks(masks: np.ndarray) -> tuple[np.ndarray, ...]:
    side = masks.shape[1]
    place, full = (np.arange(side) + 0.5) / side, 255 * side
    masks = np.ascontiguousarray(masks)
    # Integer sums: four times faster than floating point.
    rows, columns = (masks.sum(axis=axis, dtype=np.uint32) / full for axis in (2, 1))
    area = rows.mean(axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0: nan for an empty mask
        down, right = rows @ place / side / area, columns @ place / side / area
    edge = max(side // _CORNER, 1)
    ends = [*range(edge), *range(-edge, 0)]
    corners = masks[:, ends][:, :, ends].mean(axis=(1, 2)) / 255
    return area, down, right, corners, masks.max(axis=(1, 2)).astype(np.int64)


def _of_exposure(rgb: np.ndarray) -> tuple[np.ndarray, ...]:
    # By channel: four times faster than along the last axis.
    red, green, blue = (rgb[:, ::_STEP, ::_STEP, channel] for channel in range(3))
    brightest = np.maximum(np.maximum(red, green), blue)
    darkest = np.minimum(np.minimum(red, green), blue)
    edge = brightest.shape[1] // 4
    middle = np.s_[:, edge : brightest.shape[1] - edge, edge : brightest.shape[1] - edge]
    ends = (darkest[middle] >= 255 - _END) | (brightest[middle] <= _END)
    levels = brightest.reshape(len(rgb), -1)
    return np.quantile(levels, _BRIGHTEST, axis=1), ends.mean(axis=(1, 2))
