"""Mask coding: the meaning of mask values, decided over a whole set.

Hair may be 1, 255, a label, a colour or a soft grey. A single file is ambiguous: a bald head in a
label map of 0, 1 (skin), 2 (hair) holds 0 and 1, like a binary mask.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hairjax.data.prepare.mask_values import NEAR, RASTERISED, WHITES, Hair, MaskValues
from hairjax.system.errors import UserError

_SHOWN = 8  # values of a label map in a message
_LOW = 8  # factor below white: labels, not soft values
_MUCH = 0.2  # fraction of the pixels
_SOME = 0.1  # fraction of the masks
# Label of hair in known label maps, by their largest label.
_KNOWN = {
    2: ("2", "as maps of background, skin and hair do"),
    5: ("1", "as MediaPipe's selfie segmentation does"),
    10: ("10", "as LaPa and iBugMask do"),
    13: ("13", "as CelebAMask-HQ does"),
    17: ("17", "as face-parsing.PyTorch does"),
    18: ("17", "as face-parsing.PyTorch does, or 13 as CelebAMask-HQ does"),
}
_HOW = (
    "give config.data.mask_value=NUMBER (check, predict and evaluate: --mask_value=NUMBER; a "
    "colour as #0000cc), or soft if all are degrees of hair"
)


@dataclass(frozen=True)
class Coding:
    """Mask coding of a set."""

    name: str  # ``0/1``, ``0/255``, ``soft 255``, ``alpha``, ``value 17`` …; "" if all are empty
    factors: NDArray[np.float32]  # scale factor of each mask, float32 [n]
    other: dict[int, str]  # images with a mask of another coding, with a description of its values


def decide_coding(masks: Sequence[MaskValues | None], hair: Hair, required: str) -> Coding:
    """Decide the coding of a set of masks (None: no mask).

    `required` is the coding stored by a run, which the masks must have, "" for none.

    Raises:
        UserError: the values of hair are ambiguous, the given one is absent, or no mask has the
            required coding.
    """
    factors = np.ones(len(masks), np.float32)
    rasterised = [mask for mask in masks if mask and mask.kind == RASTERISED]
    pictures = {i: mask for i, mask in enumerate(masks) if mask and mask.kind != RASTERISED}
    found = {i: mask for i, mask in pictures.items() if mask.values}
    if rasterised and not found:
        return Coding(
            required or ("0/255" if any(mask.values for mask in rasterised) else ""), factors, {}
        )
    if hair.how == "value":
        _require_value([*pictures.values()], hair)
        return Coding(f"value {hair.value}", factors, {})
    if not found:
        return Coding(required, factors, {})
    name = required or _common_coding(found.values(), hair)
    # Label maps, ambiguous except for runs trained with soft masks.
    several = (
        bool(required) and "soft" not in (required.split()[0], hair.how) and _are_label_maps(found)
    )
    other = {}
    for i, mask in found.items():
        factor = None if several and not mask.is_binary else _factor(mask, name)
        if factor is None:
            other[i] = f"{describe_values([mask])}; the others are {name}"
        else:
            factors[i] = factor
    if required and len(other) == len(found):
        raise UserError(
            f"the run was trained with masks of {required}; these hold "
            f"{describe_values(found.values())}: {_HOW}"
        )
    return Coding(name, factors, other)


def _common_coding(masks: Collection[MaskValues], hair: Hair) -> str:
    """Coding of the majority of masks; UserError without one or for label maps."""
    [(group, count)] = Counter(_group(mask) for mask in masks).most_common(1)
    same = [mask for mask in masks if _group(mask) == group]
    binary = Counter(value for mask in same if mask.is_binary for value in mask.values)
    degrees = hair.how == "soft" or any(mask.many or len(mask.levels) == 2 for mask in same)
    if group != "colours" and degrees:
        blurred = sum(len(mask.levels) > 2 for mask in same)
        if hair.how == "auto" and blurred > max(1, _SOME * len(same)):
            raise UserError(f"{_labels(same)}: {_HOW}")
        whites = {_white(mask) for mask in same}
        name = f"soft {1 if 1 in whites else max(whites)}"
    elif binary and 2 * max(binary.values()) > len(masks):
        [(value, count)] = binary.most_common(1)
        if hair.how == "auto" and _is_one_of_several(value, same):
            raise UserError(f"{_labels(same)}: {_HOW}")
        name = f"0/{value}"
    elif sum(binary.values()) < len(same):
        raise UserError(f"{_labels(same)}: {_HOW}")
    else:
        count = 0
    if 2 * count <= len(masks):
        raise UserError(
            "the masks are of several codings, none of them in the majority: "
            f"{describe_values(masks)}; save all in one, or {_HOW}"
        )
    prefix = "inverted " if hair.how == "inverted" else ""
    return f"{prefix}{'alpha ' if group == 'alpha' else ''}{name}"


def _is_one_of_several(value: str, masks: Collection[MaskValues]) -> bool:
    """True if the value is one of several in other masks, such as skin in those of bald heads."""
    if value.isdigit() and _LOW * int(value) >= WHITES[0]:
        return False  # the others have soft edges
    return any(value in mask.values and not (mask.is_binary or mask.many) for mask in masks)


def _are_label_maps(masks: Mapping[int, MaskValues]) -> bool:
    """True if the majority holds more than two values and none is soft."""
    values = masks.values()
    few = sum(not mask.is_binary and len(mask.levels) != 2 for mask in values)
    return 2 * few > len(masks) and not any(mask.many for mask in values)


def _group(mask: MaskValues) -> str:
    return "grey" if mask.kind == "fractions" else mask.kind


def _white(mask: MaskValues) -> int:
    """White of the smallest bit depth holding the mask; 1 for fractions."""
    if mask.kind == "fractions":
        return 1
    return next(white for white in WHITES if white >= mask.white)


def _factor(mask: MaskValues, name: str) -> float | None:
    """Scale factor of a mask under a coding; None if it has another coding."""
    inverted, name = name.startswith("inverted "), name.removeprefix("inverted ")
    alpha, name = name.startswith("alpha "), name.removeprefix("alpha ")
    if (mask.kind == "alpha") != alpha:
        return None
    if mask.is_binary and name == f"0/{next(iter(mask.values))}":
        return 1.0
    if mask.kind == "colours" or name not in (
        "0/255",
        *(f"soft {white}" for white in (1, *WHITES)),
    ):
        return None
    white = int(name.removeprefix("0/").removeprefix("soft "))
    if white == 1 or mask.kind == "fractions":
        return 1.0 if white == 1 and (mask.kind == "fractions" or mask.white == 1) else None
    if _is_label_map(mask, white) or mask.white > white or (inverted and mask.white != white):
        return None
    return mask.white / white


def _is_label_map(mask: MaskValues, white: int) -> bool:
    """True if a mask holds few, low values on much of the image, or a single value."""
    if mask.many or _LOW * max(map(int, mask.values)) >= white:
        return False
    if mask.lossy and len(mask.shares) == 1:  # black, of which JPEG made 1
        return False
    return mask.is_binary or 1 - mask.shares.get("0", 0.0) > _MUCH


def _labels(masks: Collection[MaskValues]) -> str:
    """Describe the values of label maps, with a guess at that of hair."""
    message = "the masks hold several things, and which is hair cannot be known: "
    message += _about(masks) or describe_values(masks)
    if any(mask.lossy for mask in masks):
        return f"{message} (saved as JPEG or the like, which changes numbers: save PNG first)"
    values = {value for mask in masks for value in mask.values}
    if all(value.isdigit() for value in values):
        number, origin = _KNOWN.get(max(map(int, values)), ("", ""))
        if number in values:
            message += f"; perhaps {number}, {origin}"
    return message


def _about(masks: Collection[MaskValues]) -> str:
    """Levels of masks saved with loss; "" of others."""
    levels = Counter(level for mask in masks for level in mask.levels if len(mask.levels) > 2)
    told: list[int] = []
    for level, _ in levels.most_common():
        if all(abs(level - other) > 2 * NEAR for other in told):
            told.append(level)
    return f"values about {', '.join(map(str, sorted(told)[:_SHOWN]))}" if told else ""


def _require_value(masks: Collection[MaskValues], hair: Hair) -> None:
    """Raise if no mask holds the value of hair, or palettes give it several colours."""
    colours = Counter(mask.colour for mask in masks if mask.colour)
    if len(colours) > 1:
        listed = ", ".join(f"{name} in {count:,}" for name, count in colours.most_common(_SHOWN))
        raise UserError(
            f"config.data.mask_value is {hair.value}, which is another colour in the palettes of "
            f"other masks ({listed}): give the colour that is hair"
        )
    # Masks with many values store the extremes only.
    if masks and not any(hair.value in mask.shares or mask.many for mask in masks):
        raise UserError(
            f"config.data.mask_value is {hair.value}, which no mask holds; they hold "
            f"{describe_values(masks)}"
        )


def describe_values(masks: Iterable[MaskValues]) -> str:
    """Describe mask values by their fraction of the pixels, in descending order."""
    masks = list(masks)
    shares: dict[str, float] = defaultdict(float)
    holders: Counter[str] = Counter()
    for mask in masks:
        for value, share in mask.shares.items():
            shares[value] += share / len(masks)
            holders[value] += 1
    listed = sorted(shares, key=lambda value: -shares[value])
    parts = [
        f"{value} ({shares[value]:.1%} of the pixels, in {holders[value]:,})"
        if len(masks) > 1
        else f"{value} ({shares[value]:.1%})"
        for value in listed[:_SHOWN]
    ]
    more = len(listed) - _SHOWN
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")
