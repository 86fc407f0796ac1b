"""Values of a single mask: greys, colours or transparency, and the fraction of hair."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from PIL import Image, ImageChops

from hairjax.data.sources.formats import STATED_WHITE
from hairjax.system.errors import UserError

MOST = 32  # distinct values of a label map; soft masks have more
# Whites of 8, 10, 12, 14 and 16 bits.
WHITES = (255, 1023, 4095, 16383, 65535)
_GREY = 16  # largest channel difference of a grey saved as colour JPEG
SOFT, INVERTED = "soft", "inverted"
_LOSSY = ("JPEG", "MPO", "AVIF", "HEIF")  # formats usually lossy
# Lossy levels: greys within NEAR are one; below a fraction of _FEWEST they are edges.
NEAR, _FEWEST = 12, 0.04
RASTERISED = "drawn"  # kind of masks rasterised from annotations; 255 is hair


@dataclass(frozen=True)
class MaskValues:
    """Values of a mask.

    Attributes:
        kind: "grey", "fractions" (0 … 1 in floating point), "colours", "alpha" (transparency) or
            "drawn" (from annotations).
        shares: fraction of the pixels by value (``17``, ``#0000cc``), descending; only the extremes
            of more than `MOST` values.
        many: True for more than `MOST` values.
        white: value mapped to 255 in the pixels.
        colour: palette colour of the label of hair; "" without either.
        levels: clusters of greys in a lossy file; () otherwise.
        lossy: True for a lossy format, whose values are approximate.
    """

    kind: str
    shares: dict[str, float]
    many: bool
    white: int
    colour: str = ""
    levels: Sequence[int] = ()
    lossy: bool = False

    @property
    def values(self) -> set[str]:
        """Values other than background; only the extremes of many."""
        return {*self.shares} - {"0", "#000000"}

    @property
    def is_binary(self) -> bool:
        """True for a single value other than background."""
        return not self.many and len(self.values) == 1

    def to_json(self) -> list[Any]:
        """Serialise for the notes of a prepared set."""
        facts = [self.kind, self.shares, self.many, self.white]
        return [*facts, self.colour, [*self.levels], self.lossy]


@dataclass(frozen=True)
class Hair:
    """Mask values of hair, from ``data.mask_value``.

    Attributes:
        how: "auto" (inferred from the whole set), "soft" (fraction of hair), "inverted" (fraction
            of background) or "value".
        value: value of hair, as in `MaskValues.shares`; "" without one.
    """

    how: Literal["auto", "soft", "inverted", "value"]
    value: str = ""

    @property
    def key(self) -> str:
        """Value of ``data.mask_value``."""
        return self.value or ("" if self.how == "auto" else self.how)


AUTO = Hair("auto")


def parse_hair(text: str) -> Hair:
    """Parse ``data.mask_value``: number, colour (``#0000cc``, ``0,0,204``), ``soft``, ``inverted``,
    "".

    Raises:
        UserError: none of these.
    """
    found = text.strip().lower()
    if found == "":
        return AUTO
    if found == SOFT:
        return Hair("soft")
    if found == INVERTED:
        return Hair("inverted")
    if re.fullmatch("[0-9]{1,5}", found) and int(found) <= WHITES[-1]:
        return Hair("value", str(int(found)))
    if re.fullmatch("#[0-9a-f]{6}", found):
        return Hair("value", found)
    parts = [part.strip() for part in found.strip("()[]").split(",")]
    if len(parts) == 3 and all(part.isdigit() and int(part) < 256 for part in parts):
        return Hair("value", "#" + "".join(f"{int(part):02x}" for part in parts))
    raise UserError(
        f"config.data.mask_value is {text!r}; it can be the label of hair in a label map (17), "
        "its colour (#0000cc or 0,0,204), soft, inverted, or empty to infer the coding"
    )


def read_values(image: Image.Image, hair: Hair) -> tuple[np.ndarray, MaskValues]:
    """Read the fraction of hair in a mask, uint8 [height, width], 0 … 255, and its values.

    A single value other than 0 is mapped to 255, pending the decision over the set (`mask_coding`).

    Raises:
        ValueError: values outside 0 … 65535, or outside the palette.
    """
    numbered = hair.value.isdigit()
    kind, values = _stored(image, by_index=numbered)
    lossy = image.format in _LOSSY
    if kind == "colours":
        found, facts = _read_colours(values, hair)
        return found, replace(facts, lossy=lossy)
    found, facts = _read_greys(kind, values, hair)
    return found, replace(
        facts,
        colour=_colour_of(image, int(hair.value)) if numbered and image.mode == "P" else "",
        levels=_levels(values) if lossy and values.dtype == np.uint8 else (),
        lossy=lossy,
    )


def _levels(values: np.ndarray) -> list[int]:
    """Greys about which the pixels are: a few where numbers or colours were saved with loss."""
    shares = np.bincount(values.ravel(), minlength=256) / values.size
    levels: list[int] = []
    while True:
        around = np.convolve(shares, np.ones(2 * NEAR + 1), "same")
        level = int(around.argmax())
        if around[level] < _FEWEST:
            return sorted(levels)
        levels.append(level)
        shares[max(0, level - 2 * NEAR) : level + 2 * NEAR + 1] = 0


def _stored(image: Image.Image, by_index: bool) -> tuple[str, np.ndarray]:
    """Kind, and values [height, width] or colours [height, width, 3].

    A palette of greys or of one colour stands for its indices, other palettes `by_index`.
    """
    if image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
        low, high = cast(tuple[int, int], alpha.getextrema())
        if low < high:
            return "alpha", np.asarray(alpha)
    if STATED_WHITE in image.info:
        return "grey", _as_stated(image)
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        if not (values.min() >= 0 and values.max() <= WHITES[-1]):
            raise ValueError(
                f"its values {values.min()} … {values.max()} are not within 0 … {WHITES[-1]}"
            )
        if values.dtype.kind != "f":
            return "grey", values
        whole = np.rint(values)
        return ("grey", whole.astype(np.int32)) if (whole == values).all() else _floating(values)
    if image.mode in ("1", "L", "LA"):
        return "grey", np.asarray(image.convert("L"))
    if image.mode == "P" and _only_numbers(image, by_index):
        return "grey", np.asarray(image)
    colours = image.convert("RGB")
    red, green, blue = colours.split()
    brightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    extrema = cast(tuple[int, int], ImageChops.difference(brightest, darkest).getextrema())
    if extrema[1] <= _GREY:
        return "grey", np.asarray(brightest)
    return "colours", np.asarray(colours)


def _as_stated(image: Image.Image) -> np.ndarray:
    """Numbers of a PGM as stored; Pillow rescales by the stated maximum, which varies within a set.

    Soft masks keep Pillow's scale.
    """
    stated = image.info[STATED_WHITE]
    if image.mode not in ("L", "I"):
        raise ValueError(f"its colours are of 0 … {stated}: save it with 255, or as PNG")
    values = np.asarray(image)
    if len(np.unique(values)) > MOST:
        return values
    return np.rint(values * (stated / (255 if image.mode == "L" else 65535))).astype(np.int32)


def _floating(values: np.ndarray) -> tuple[str, np.ndarray]:
    if values.max() <= 1:
        return "fractions", np.rint(values * 255).astype(np.uint8)
    return "grey", np.rint(values).astype(np.int32)


def _only_numbers(image: Image.Image, by_index: bool) -> bool:
    """True if the palette carries no information beyond its indices."""
    palette = _palette(image)
    indices = np.flatnonzero(image.histogram()[:256])
    if indices[-1] >= len(palette):
        # Pillow writes a palette image made without a palette so: all indices but 0 become 1.
        raise ValueError(
            f"its palette has {len(palette)} colours and its pixels are of more, so that its "
            "numbers are lost: save it anew as greys"
        )
    used = palette[indices]
    one = len(used) > 1 and bool((used == used[:1]).all())
    return one or (by_index and bool((used != used[:, :1]).any()))


def _palette(image: Image.Image) -> np.ndarray:
    """The colours of a palette, uint8 [n, 3]."""
    return np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)


def _colour_of(image: Image.Image, number: int) -> str:
    """The colour that stands for a number which occurs in a palette; "" if it does not occur."""
    there = image.histogram()[number : number + 1] if number < 256 else []
    return "#{:02x}{:02x}{:02x}".format(*_palette(image)[number]) if any(there) else ""


def _read_greys(kind: str, values: np.ndarray, hair: Hair) -> tuple[np.ndarray, MaskValues]:
    counts = np.bincount(values.ravel())
    found = np.flatnonzero(counts)
    many, peak = len(found) > MOST, int(found[-1])
    shown = found[[0, -1]] if many else found[np.argsort(-counts[found], kind="stable")]
    shares = {str(value): float(counts[value] / values.size) for value in shown}
    white = next(white for white in WHITES if white >= peak)
    if hair.how == "value":
        chosen = values == int(hair.value) if hair.value.isdigit() else np.zeros(values.shape, bool)
        return _full(chosen), MaskValues(kind, shares, many, white)
    inverted = hair.how == "inverted"
    if hair.how != "soft" and len(found[found > 0]) <= 1:
        chosen = values == 0 if inverted else values > 0
        return _full(chosen), MaskValues(kind, shares, many, peak or white)
    pixels = values if white == 255 else np.rint(values * (255 / white))
    pixels = 255 - pixels if inverted else pixels
    return pixels.astype(np.uint8), MaskValues(kind, shares, many, white)


def _read_colours(colours: np.ndarray, hair: Hair) -> tuple[np.ndarray, MaskValues]:
    codes = colours[..., 0].astype(np.int32) << 16 | colours[..., 1].astype(np.int32) << 8
    codes |= colours[..., 2]
    found, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST]
    shares = {f"#{found[i]:06x}": float(counts[i] / codes.size) for i in order}
    facts = MaskValues("colours", shares, len(found) > MOST, 255)
    if hair.how == "value":
        colour = int(hair.value[1:], 16) if hair.value.startswith("#") else -1
        return _full(codes == colour), facts
    return _full(codes == 0 if hair.how == "inverted" else codes > 0), facts


def _full(chosen: np.ndarray) -> np.ndarray:
    return chosen * np.uint8(255)
