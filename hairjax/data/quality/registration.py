"""Is one photograph a copy of another? Laid on each other by a crop, their details are compared.

Whole photographs of one kind resemble each other (a head on a wall, a tomato on white); their
details at the same places do not, unless both come from one photograph.
"""

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from scipy import ndimage

Pictures = NDArray[np.float32]  # [pairs, side, side], grey values 0 … 255
Crops = NDArray[np.float32]  # [pairs, 4]: stretch and shift down, stretch and shift right

_MOST = 0.3  # of stretch and shift, in half sides
_BLUR = 1.5  # pixels: what is finer than this is detail
_FLAT = 2.0  # grey values: detail weaker than this is noise of the file's compression


def register(first: Pictures, second: Pictures, start: Crops, steps: int) -> Crops:
    """Find the crop of each first picture that is its second, by Gauss and Newton's method.

    A crop takes place p of the second picture (-1 … 1 in both directions) to
    (1 + stretch) · p + shift in the first. Either picture may show more than the other, and
    brightness and contrast may differ.

    Args:
        first: the pictures that are cropped.
        second: the pictures that are to be matched.
        start: where to begin; zeros are no crop.
        steps: number of times that the crop is improved.

    Returns:
        The crops found, whether they fit or not.
    """
    side = first.shape[1]
    at = _places(side)
    down, right = np.gradient(first, axis=(1, 2))
    crop = start
    for _ in range(steps):
        rows, columns = _sampling(crop, side)
        seen = _inside(rows, columns)
        cropped = rows @ first @ columns
        moved_down = rows @ down @ columns * (side / 2)
        moved_right = rows @ right @ columns * (side / 2)
        slopes = (moved_down * at[:, None], moved_down, moved_right * at, moved_right)
        # What contrast and brightness explain is no reason to move.
        unknowns = np.stack([*slopes, -second, -np.ones_like(second)], axis=1) * seen[:, None]
        unknowns = rearrange(unknowns, "n unknown h w -> n unknown (h w)")
        normal = unknowns @ unknowns.swapaxes(1, 2)
        # A picture without any detail, which says nothing of its crop, is left where it is.
        normal += np.diag([1, 1, 1, 1, 1e-3, 1e-3]).astype(np.float32)
        error = unknowns @ rearrange(cropped * seen, "n h w -> n (h w) 1")
        crop = np.clip(crop - np.linalg.solve(normal, error)[:, :4, 0], -_MOST, _MOST)
    return crop


def details(pictures: Pictures) -> Pictures:
    """Fine detail of pictures, locally normalised: an outline counts no more than a pore.

    Outlines are alike in photographs of one kind, and would outweigh what is not.
    """

    def blurred(values: Pictures) -> Pictures:
        return ndimage.gaussian_filter(values, (0, _BLUR, _BLUR))

    fine = pictures - blurred(pictures)
    return np.asarray(fine / (np.sqrt(blurred(fine**2)) + _FLAT), np.float32)


def likeness(first: Pictures, second: Pictures, crop: Crops) -> NDArray[np.float32]:
    """Correlation [pairs] of `details` of pictures where both show the same: 1 for the same."""
    rows, columns = _sampling(crop, first.shape[1])
    seen = _inside(rows, columns)
    count = seen.sum(axis=(1, 2), keepdims=True)

    def centred(values: Pictures) -> Pictures:
        return (values - (values * seen).sum(axis=(1, 2), keepdims=True) / count) * seen

    one, other = centred(np.asarray(rows @ first @ columns, np.float32)), centred(second)
    energy = (one**2).sum(axis=(1, 2)) * (other**2).sum(axis=(1, 2))
    # Two pictures without any detail have nothing in common that would tell of a copy.
    return (one * other).sum(axis=(1, 2)) / np.sqrt(np.maximum(energy, 1e-6))


def _places(side: int) -> NDArray[np.float32]:
    """The middles of pixels, -1 … 1."""
    return ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)


def _sampling(crop: Crops, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights of linear interpolation: [pairs, to, from] of rows, [pairs, from, to] of columns."""
    stretch, shift = crop[:, 0::2, None], crop[:, 1::2, None]
    pixel = (_places(side) * (1 + stretch) + shift + 1) * (side / 2) - 0.5  # [pairs, 2, to]
    weights = np.maximum(0, 1 - np.abs(pixel[..., None] - np.arange(side, dtype=np.float32)))
    return weights[:, 0], weights[:, 1].swapaxes(1, 2)


def _inside(rows: NDArray[np.float32], columns: NDArray[np.float32]) -> Pictures:
    """1 where a pixel of the second picture lies on the first, else 0."""
    whole = 1 - 1e-3
    down, right = rows.sum(axis=2) > whole, columns.sum(axis=1) > whole
    return (down[:, :, None] & right[:, None, :]).astype(np.float32)
