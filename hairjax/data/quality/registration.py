"""Registration of two images by a crop, and comparison of their details.

Images of one kind share their outlines (a head on a wall, a tomato on white), but details at the
same positions only if one is a copy of the other.
"""

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from scipy import ndimage

Pictures = NDArray[np.float32]  # [pairs, side, side], grey values 0 … 255
Crops = NDArray[np.float32]  # [pairs, 4]: stretch and shift vertically, then horizontally

_MOST = 0.3  # bound of stretch and shift, in half sides
_BLUR = 1.5  # upper scale of details, in pixels
_FLAT = 2.0  # compression noise, in grey values


def register(first: Pictures, second: Pictures, start: Crops, steps: int) -> Crops:
    """Fit the crop of each first image that shows the second, by `steps` Gauss-Newton steps.

    A crop maps position p of the second image (-1 … 1 in both directions) to (1 + stretch) · p +
    shift in the first, both within ±0.3; brightness and contrast are fitted too. `start` are the
    initial crops, zeros for the whole image. Returns the final crops, converged or not.
    """
    side = first.shape[1]
    at = _places(side)
    down, right = np.gradient(first, axis=(1, 2))
    crop = start
    for _ in range(steps):
        rows, columns = _sampling(crop, side)
        overlap = _inside(rows, columns)
        cropped = rows @ first @ columns
        moved_down = rows @ down @ columns * (side / 2)
        moved_right = rows @ right @ columns * (side / 2)
        slopes = (moved_down * at[:, None], moved_down, moved_right * at, moved_right)
        # Contrast and brightness are fitted along with the crop.
        unknowns = np.stack([*slopes, -second, -np.ones_like(second)], axis=1) * overlap[:, None]
        unknowns = rearrange(unknowns, "n unknown h w -> n unknown (h w)")
        normal = unknowns @ unknowns.swapaxes(1, 2)
        # Damping: an image without details keeps its crop.
        normal += np.diag([1, 1, 1, 1, 1e-3, 1e-3]).astype(np.float32)
        error = unknowns @ rearrange(cropped * overlap, "n h w -> n (h w) 1")
        crop = np.clip(crop - np.linalg.solve(normal, error)[:, :4, 0], -_MOST, _MOST)
    return crop


def details(pictures: Pictures) -> Pictures:
    """High-pass filtered, locally normalised images.

    Normalisation keeps outlines, common to images of one kind, from outweighing details.
    """

    def blurred(values: Pictures) -> Pictures:
        return ndimage.gaussian_filter(values, (0, _BLUR, _BLUR))

    fine = pictures - blurred(pictures)
    return np.asarray(fine / (np.sqrt(blurred(fine**2)) + _FLAT), np.float32)


def likeness(first: Pictures, second: Pictures, crop: Crops) -> NDArray[np.float32]:
    """Correlation [pairs] of `details` over the common area: 1 for equal images."""
    rows, columns = _sampling(crop, first.shape[1])
    overlap = _inside(rows, columns)
    count = overlap.sum(axis=(1, 2), keepdims=True)

    def centred(values: Pictures) -> Pictures:
        return (values - (values * overlap).sum(axis=(1, 2), keepdims=True) / count) * overlap

    one, other = centred(np.asarray(rows @ first @ columns, np.float32)), centred(second)
    energy = (one**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2))
    # 0 for images without details.
    return (one * other).sum(axis=(1, 2)) / np.sqrt(np.maximum(energy, 1e-6))


def _places(side: int) -> NDArray[np.float32]:
    return ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)


def _sampling(crop: Crops, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Linear interpolation weights: [pairs, to, from] for rows, [pairs, from, to] for columns."""
    stretch, shift = crop[:, 0::2, None], crop[:, 1::2, None]
    pixel = (_places(side) * (1 + stretch) + shift + 1) * (side / 2) - 0.5  # [pairs, 2, to]
    weights = np.maximum(0, 1 - np.abs(pixel[..., None] - np.arange(side, dtype=np.float32)))
    return weights[:, 0], weights[:, 1].swapaxes(1, 2)


def _inside(rows: NDArray[np.float32], columns: NDArray[np.float32]) -> Pictures:
    """1 for pixels of the second image inside the first, else 0."""
    whole = 1 - 1e-3
    down, right = rows.sum(axis=2) > whole, columns.sum(axis=1) > whole
    return (down[:, :, None] & right[:, None, :]).astype(np.float32)
