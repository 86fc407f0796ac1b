"""Measures of every photograph and mask of a set, in one pass over its pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet

_CORNER = 8  # a corner is an eighth of each side
_STEP = 4  # exposure is measured on every fourth pixel of both sides
_BRIGHTEST = 0.99
_END = 5  # levels from 0 and 255: a JPEG of white is not quite 255


@dataclass(frozen=True)
class MaskShapes:
    """Share of the photograph, centre from top and left, corners and peak of every mask [n].

    The centre of an empty mask is nan; corners is the share of hair in the four corners, peak the
    highest level, 0 … 255.
    """

    area: NDArray[np.float64]
    down: NDArray[np.float64]
    right: NDArray[np.float64]
    corners: NDArray[np.float64]
    peak: NDArray[np.int64]


@dataclass(frozen=True)
class Exposure:
    """Exposure of every photograph [n].

    brightest is the level that a hundredth of its pixels exceed, in their brightest channel, 0 …
    255; clipped the share of pixels in its middle, a half of both sides, that are white or black:
    around it is what a photograph may be taken against.
    """

    brightest: NDArray[np.float64]
    clipped: NDArray[np.float64]


def measure(photos: PhotoSet, chunk: int) -> tuple[MaskShapes, Exposure]:
    """Measure masks and exposure, `chunk` photographs in memory at a time."""
    rows = []
    for start in range(0, len(photos), chunk):
        pixels = photos.images[start : start + chunk]
        rows.append((*_of_masks(pixels[..., 3]), *_of_exposure(pixels[..., :3])))
    columns = [np.concatenate(part) for part in zip(*rows, strict=True)]
    return MaskShapes(*columns[:5]), Exposure(*columns[5:])


def measure_masks(photos: PhotoSet, chunk: int) -> MaskShapes:
    """Measure masks alone, `chunk` photographs in memory at a time."""
    starts = range(0, len(photos), chunk)
    rows = [_of_masks(photos.images[start : start + chunk][..., 3]) for start in starts]
    return MaskShapes(*(np.concatenate(part) for part in zip(*rows, strict=True)))


def _of_masks(masks: np.ndarray) -> tuple[np.ndarray, ...]:
    side = masks.shape[1]
    place, full = (np.arange(side) + 0.5) / side, 255 * side
    masks = np.ascontiguousarray(masks)
    # Sums of whole numbers: in floating point they take four times as long.
    rows, columns = (masks.sum(axis=axis, dtype=np.uint32) / full for axis in (2, 1))
    area = rows.mean(axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0 of an empty mask is meant
        down, right = rows @ place / side / area, columns @ place / side / area
    edge = max(side // _CORNER, 1)
    ends = [*range(edge), *range(-edge, 0)]
    corners = masks[:, ends][:, :, ends].mean(axis=(1, 2)) / 255
    return area, down, right, corners, masks.max(axis=(1, 2)).astype(np.int64)


def _of_exposure(rgb: np.ndarray) -> tuple[np.ndarray, ...]:
    # Channel by channel: along the last axis it takes four times as long.
    red, green, blue = (rgb[:, ::_STEP, ::_STEP, channel] for channel in range(3))
    brightest = np.maximum(np.maximum(red, green), blue)
    darkest = np.minimum(np.minimum(red, green), blue)
    edge = brightest.shape[1] // 4
    middle = np.s_[:, edge : brightest.shape[1] - edge, edge : brightest.shape[1] - edge]
    ends = (darkest[middle] >= 255 - _END) | (brightest[middle] <= _END)
    levels = brightest.reshape(len(rgb), -1)
    return np.quantile(levels, _BRIGHTEST, axis=1), ends.mean(axis=(1, 2))
