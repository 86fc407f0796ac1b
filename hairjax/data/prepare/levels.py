"""Levels of grey of a set: what 255 stands for in each of its pictures and masks, decided for all.

A picture of 16 bits may hold 8, 10, 12 or 14 of them, and a mask 0/1 or degrees of 255; which, is
known once all are read. Until then each is scaled by what it holds itself.
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

BLANK = 4  # levels within which a photograph is nearly one colour
_MANY = 16  # photographs of which one at least comes near white


class Facts(NamedTuple):
    """What is known of a photograph besides its pixels.

    Attributes:
        sha256: SHA-256 of its file; "" where it cannot be used.
        white: of 16-bit greys the one that 255 stands for in its pixels; 0 of others, and where
            the file states it.
        spread: largest difference of the levels of a channel, 0 … 255.
        mask: what its mask holds; None without one.
        mask_sha256: SHA-256 of the mask's file; "" without one.
    """

    sha256: str
    white: int
    spread: int
    mask: MaskValues | None
    mask_sha256: str = ""

    def to_json(self) -> list[Any]:
        """For the notes of a prepared set."""
        mask = self.mask and self.mask.to_json()
        return [self.sha256, self.white, self.spread, mask, self.mask_sha256]

    @classmethod
    def from_json(cls, value: list[Any]) -> "Facts":
        """Read what `to_json` wrote."""
        sha256, white, spread, mask, mask_sha256 = value
        return cls(sha256, white, spread, mask and MaskValues(*mask), mask_sha256)


@dataclass(frozen=True)
class Levels:
    """Levels of a set.

    Attributes:
        coding: coding of the masks, see `mask_coding.Coding`; "" where it is not known.
        white: white of the 16-bit greys; 0 where there are none.
        factors: numbers by which pictures and masks are multiplied, float32 [n, 2].
        other: of each photograph whose mask is of another coding, what it holds.
        brighter: of each photograph with greys above the white held to, what it holds.
        blank: photographs of nearly one colour, black ones among them.
    """

    coding: str
    white: int
    factors: NDArray[np.float32]
    other: dict[int, str]
    brighter: dict[int, str]
    blank: list[int]


def decide_levels(facts: Sequence[Facts], options: PrepareOptions) -> Levels:
    """Decide the levels of a set.

    Args:
        facts: what is known of each photograph.
        options: its ``hair``, ``mask_coding`` and ``white``.

    Raises:
        UserError: it cannot be known which values of the masks are hair, or the greys of 16 bits
            are of another depth than those held to.
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
    """The white of fewer bits."""
    return WHITES[WHITES.index(white) - 1]


def _require_same_depth(whites: NDArray[np.int64], white: int) -> None:
    """Refuse many greys of 16 bits none of which comes near the white that they are held to.

    One may be dark; that all are is a sign of fewer bits.
    """
    if len(whites) >= _MANY and whites.max() < white:
        raise UserError(
            f"the run's 16-bit greys have a white of {white}, and none of these {len(whites)} "
            f"photographs is above {whites.max()}: they hold fewer bits, and would be seen as "
            f"dark; save them with a white of {white}, or with 8 bits"
        )


def rescale(pixels: np.ndarray, factors: NDArray[np.float32]) -> None:
    """Multiply in place where a factor is not 1.

    Args:
        pixels: uint8 [n, side, side, 4].
        factors: float32 [n, 2], of RGB and of the mask.
    """
    for channels, column in ((slice(0, 3), 0), (slice(3, 4), 1)):
        rows = np.flatnonzero(factors[:, column] != 1)
        if len(rows):
            scale = rearrange(factors[rows, column], "n -> n 1 1 1")
            pixels[rows, ..., channels] = np.rint(pixels[rows, ..., channels] * scale)
