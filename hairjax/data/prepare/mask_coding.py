"""The coding of a set of masks: what their values stand for, decided once for all of them.

Annotation tools and networks write hair as 1, 255, a number in a label map, a colour or degrees of
grey. One file cannot tell: a bald head in a label map of 0, 1 (skin), 2 (hair) holds 0 and 1, as a
binary mask does.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hairjax.data.prepare.mask_values import DRAWN, NEAR, WHITES, Hair, MaskValues
from hairjax.system.errors import UserError

_SHOWN = 8  # values of a label map in a message
_LOW = 8  # times below white: no degrees of hair
_MUCH = 0.2  # of the pixels
_SOME = 0.1  # of the masks
# Numbers of hair in label maps by their largest number, and who writes them so.
_KNOWN = {
    2: ("2", "as maps of background, skin and hair do"),
    5: ("1", "as MediaPipe's selfie segmentation does"),
    10: ("10", "as LaPa and iBugMask do"),
    13: ("13", "as CelebAMask-HQ does"),
    17: ("17", "as face-parsing.PyTorch does"),
    18: ("17", "as face-parsing.PyTorch does, or 13 as CelebAMask-HQ does"),
}
_HOW = (
    "give config.data.mask_value=NUMBER (of check, predict and evaluate --mask_value=NUMBER; a "
    "colour as #0000cc), or soft if all are degrees of hair"
)


@dataclass(frozen=True)
class Coding:
    """Coding of the masks of a set.

    Attributes:
        name: ``0/1``, ``0/255``, ``soft 255``, ``alpha``, ``value 17`` …; "" where all are empty,
            so that it is not known.
        factors: number by which the mask of each photograph is multiplied, float32 [n].
        other: of each photograph whose mask is of another coding, what it holds.
    """

    name: str
    factors: NDArray[np.float32]
    other: dict[int, str]


def decide_coding(masks: Sequence[MaskValues | None], hair: Hair, held: str) -> Coding:
    """Decide what the values of a set of masks stand for.

    Args:
        masks: what each holds; None for a photograph without a mask.
        hair: values that stand for hair, as ``data.mask_value`` says.
        held: the coding that a run was trained with, to which these masks must keep; "" for none.

    Raises:
        UserError: it cannot be known which values are hair, no mask holds the given one, or none
            is of the coding held.
    """
    factors = np.ones(len(masks), np.float32)
    drawn = [mask for mask in masks if mask and mask.kind == DRAWN]
    pictures = {i: mask for i, mask in enumerate(masks) if mask and mask.kind != DRAWN}
    found = {i: mask for i, mask in pictures.items() if mask.values}
    if drawn and not found:
        return Coding(held or ("0/255" if any(mask.values for mask in drawn) else ""), factors, {})
    if hair.how == "value":
        _require_value([*pictures.values()], hair)
        return Coding(f"value {hair.value}", factors, {})
    if not found:
        return Coding(held, factors, {})
    name = held or _common_coding(found.values(), hair)
    # Of one's own such masks would have been asked for; a run of soft ones knows degrees.
    several = bool(held) and "soft" not in (held.split()[0], hair.how) and _hold_several(found)
    other = {}
    for i, mask in found.items():
        factor = None if several and not mask.is_binary else _factor(mask, name)
        if factor is None:
            other[i] = f"{describe_values([mask])}; the others are {name}"
        else:
            factors[i] = factor
    if held and len(other) == len(found):
        raise UserError(
            f"the run was trained with masks of {held}, and these hold "
            f"{describe_values(found.values())}: {_HOW}"
        )
    return Coding(name, factors, other)


def _common_coding(masks: Collection[MaskValues], hair: Hair) -> str:
    """Coding of more than half of the masks.

    Raises:
        UserError: there is none, or they are label maps.
    """
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
            "the masks are of several codings, none that of more than half: "
            f"{describe_values(masks)}; save all in one, or {_HOW}"
        )
    prefix = "inverted " if hair.how == "inverted" else ""
    return f"{prefix}{'alpha ' if group == 'alpha' else ''}{name}"


def _is_one_of_several(value: str, masks: Collection[MaskValues]) -> bool:
    """True if the one value of most masks is in others one of several, as skin is of bald heads."""
    if value.isdigit() and _LOW * int(value) >= WHITES[0]:
        return False  # the others have soft edges
    return any(value in mask.values and not (mask.is_binary or mask.many) for mask in masks)


def _hold_several(masks: Mapping[int, MaskValues]) -> bool:
    """True if more than half hold more than two values, and none so many as degrees of hair."""
    values = masks.values()
    few = sum(not mask.is_binary and len(mask.levels) != 2 for mask in values)
    return 2 * few > len(masks) and not any(mask.many for mask in values)


def _group(mask: MaskValues) -> str:
    return "grey" if mask.kind == "fractions" else mask.kind


def _white(mask: MaskValues) -> int:
    """The white of the fewest bits that hold the mask; 1 of fractions."""
    if mask.kind == "fractions":
        return 1
    return next(white for white in WHITES if white >= mask.white)


def _factor(mask: MaskValues, name: str) -> float | None:
    """Number by which the pixels of a mask are multiplied in a coding; None if it is of another."""
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
    """True if a mask holds few and low numbers on much of the picture, or no other than one."""
    if mask.many or _LOW * max(map(int, mask.values)) >= white:
        return False
    if mask.lossy and len(mask.shares) == 1:  # black, of which JPEG made 1
        return False
    return mask.is_binary or 1 - mask.shares.get("0", 0.0) > _MUCH


def _labels(masks: Collection[MaskValues]) -> str:
    """Describe what label maps hold, with a guess at the value of hair."""
    said = "the masks hold several things, and which is hair cannot be known: "
    said += _about(masks) or describe_values(masks)
    if any(mask.lossy for mask in masks):
        return f"{said} (saved as JPEG or the like, which changes numbers: save PNG first)"
    values = {value for mask in masks for value in mask.values}
    if all(value.isdigit() for value in values):
        number, who = _KNOWN.get(max(map(int, values)), ("", ""))
        if number in values:
            said += f"; perhaps {number}, {who}"
    return said


def _about(masks: Collection[MaskValues]) -> str:
    """Levels of masks saved with loss; "" of others."""
    levels = Counter(level for mask in masks for level in mask.levels if len(mask.levels) > 2)
    told: list[int] = []
    for level, _ in levels.most_common():
        if all(abs(level - other) > 2 * NEAR for other in told):
            told.append(level)
    return f"values about {', '.join(map(str, sorted(told)[:_SHOWN]))}" if told else ""


def _require_value(masks: Collection[MaskValues], hair: Hair) -> None:
    """Refuse a value of hair that no mask holds, and a number of several colours in palettes."""
    colours = Counter(mask.colour for mask in masks if mask.colour)
    if len(colours) > 1:
        said = ", ".join(f"{name} in {count:,}" for name, count in colours.most_common(_SHOWN))
        raise UserError(
            f"config.data.mask_value is {hair.value}, which is another colour in the palettes of "
            f"other masks ({said}): give the colour that is hair"
        )
    # Of more values than are kept any may be among them.
    if masks and not any(hair.value in mask.shares or mask.many for mask in masks):
        raise UserError(
            f"config.data.mask_value is {hair.value}, and no mask holds it: they hold "
            f"{describe_values(masks)}"
        )


def describe_values(masks: Iterable[MaskValues]) -> str:
    """Values of masks with their shares of the pixels, of most of the pixels first."""
    masks = list(masks)
    shares: dict[str, float] = defaultdict(float)
    holders: Counter[str] = Counter()
    for mask in masks:
        for value, share in mask.shares.items():
            shares[value] += share / len(masks)
            holders[value] += 1
    listed = sorted(shares, key=lambda value: -shares[value])
    said = [
        f"{value} ({shares[value]:.1%} of the pixels, in {holders[value]:,})"
        if len(masks) > 1
        else f"{value} ({shares[value]:.1%})"
        for value in listed[:_SHOWN]
    ]
    more = len(listed) - _SHOWN
    return ", ".join(said) + (f" and {more} more" if more > 0 else "")
