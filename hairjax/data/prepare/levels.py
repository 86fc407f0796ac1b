"""Grey levels of a set: the value mapped to 255, decided over all images and masks.

16-bit images may hold 8, 10, 12 or 14 bits, and masks 0/1 or 0 … 255; each is scaled by its own
maximum until the whole set is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from hairjax.data.options import PrepareOptions
from hairjax.data.prepare.mask_coding import decide_coding
from hairjax.data.prepare.mask_values import WHITES, MaskValues
from hairjax.system.errors import UserError

BLANK = 4  # range of levels of a nearly uniform image
_MANY = 16  # images, of which at least one should be nearly white


class Facts(NamedTuple):
    """Metadata of a decoded image."""

    sha256: str  # SHA-256 of its file; "" if unusable
    white: int  # value mapped to 255 in 16-bit greys; 0 for others, and if the file states it
    spread: int  # largest range of levels over the channels, 0 … 255
    mask: MaskValues | None  # values of its mask; None without one
    mask_sha256: str = ""  # SHA-256 of the mask file; "" without one

    def to_json(self) -> list[Any]:
        """Serialise for the notes of a prepared set."""
        mask = self.mask and self.mask.to_json()
        return [self.sha256, self.white, self.spread, mask, self.mask_sha256]

    @classmethod
    def from_json(cls, value: list[Any]) -> "Facts":
        """Deserialise the result of `to_json`."""
        sha256, white, spread, mask, mask_sha256 = value
        return cls(sha256, white, spread, mask and MaskValues(*mask), mask_sha256)


@dataclass(frozen=True)
class Levels:
    """Grey levels of a set."""

    coding: str  # mask coding, see `mask_coding.Coding`; "" if unknown
    white: int  # white of 16-bit greys; 0: none
    factors: NDArray[np.float32]  # scale factors of RGB and mask, float32 [n, 2]
    other: dict[int, str]  # images with a mask of another coding, with a description of its values
    brighter: dict[int, str]  # images with greys above the white, with a description
    blank: list[int]  # nearly uniform images


def decide_levels(facts: Sequence[Facts], options: PrepareOptions) -> Levels:
    """Decide the grey levels of a set, from ``hair``, ``mask_coding`` and ``white`` of the options.

    Raises:
        UserError: the mask values of hair are ambiguous, or 16-bit greys differ in bit depth from
            ``white``.
    """
    masks = [fact.mask for fact in facts]
    coding = decide_coding(masks, options.hair, options.mask_coding)
    whites = np.array([fact.white for fact in facts], np.int64)
    white = options.white or int(whites.max(initial=0))
    _require_same_depth(whites[whites > 0], white)
    pictures = np.where(whites > 0, whites / max(white, 1), 1)
    brighter = {
        int(i): f"above {_darker(int(whites[i]))} of 16 bits, and white is {white} in the others"
        for i in np.flatnonzero(whites > white)
    }
    factors = np.stack([pictures.astype(np.float32), coding.factors], axis=1)
    spread = np.array([fact.spread for fact in facts]) * factors[:, 0]
    blank = np.flatnonzero(spread <= BLANK).tolist()
    return Levels(coding.name, white, factors, coding.other, brighter, blank)


def _darker(white: int) -> int:
    return WHITES[WHITES.index(white) - 1]


def _require_same_depth(whites: NDArray[np.int64], white: int) -> None:
    """Raise if many 16-bit images all stay below the white of fewer bits."""
    if len(whites) >= _MANY and whites.max() < white:
        raise UserError(
            f"the run's 16-bit greys have a white of {white}, and none of these {len(whites)} "
            f"photographs is above {whites.max()}: they hold fewer bits and would be too dark; "
            f"save them with a white of {white}, or with 8 bits"
        )


def rescale(pixels: np.ndarray, factors: NDArray[np.float32]) -> None:
    """Multiply uint8 [n, side, side, 4] in place by factors of RGB and mask, float32 [n, 2]."""
    for channels, column in ((slice(0, 3), 0), (slice(3, 4), 1)):
        rows = np.flatnonzero(factors[:, column] != 1)
        if len(rows):
            scale = rearrange(factors[rows, column], "n -> n 1 1 1")
            pixels[rows, ..., channels] = np.rint(pixels[rows, ..., channels] * scale)
