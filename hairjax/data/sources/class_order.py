"""Order of classes inferred from their names: numbers, Roman numerals, words of severity."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from hairjax.data.sources.severity import severity_places
from hairjax.data.sources.spelling import plain

# A hyphen within a name is no sign: `stage-1` is 1.
NUMBER = "(?:^-)?[0-9]+(?:[.,][0-9]+)?"

_PARTS = re.compile(
    r"(?P<before>[^0-9]*?)(?P<numbers>(?:(?:^|(?<=[\s_]))-)?[0-9]+(?:[.,][0-9]+)?"
    r"(?:[\s_~/.-]+[0-9]+(?:[.,][0-9]+)?)*)(?P<after>[^0-9]*)"
)
_ROMAN = re.compile(
    r"(?P<numeral>0|x{0,2}(?:ix|iv|v?i{0,3}))"
    r"(?P<after>[a-hj-wyz]?|[\s_.-]+[^0-9]+|[\s_.-]*[0-9]+(?:[\s_.-]+[0-9]+)*)"
)
_ROMAN_VALUES = {"0": 0, "i": 1, "v": 5, "x": 10}
_SIGNS = {"-": -1, "": 0, "+": 1, "++": 2, "+++": 3}

Places = Sequence[tuple] | None


def recognise_order(names: Iterable[str]) -> tuple[tuple[str, ...], str]:
    """Ordered names, and the rule of the order: "" if only sorted.

    Each name needs a distinct place: by number (`2, 3, 3v, 10`), Roman numeral (`Norwood III, IIIv,
    IV`), or words of severity or amount (`none, mild, severe`).
    """
    ordered = sorted(set(names))
    if len(ordered) < 2:
        return tuple(ordered), ""
    ways: tuple[tuple[Callable[[Sequence[str]], Places], str], ...] = (
        (_natural_places, "by number"),
        (_roman_places, "by Roman numeral"),
        (_number_places, "by number"),
        (_word_places, "by words of severity or amount"),
    )
    for find, how in ways:
        places = find(ordered)
        if places is not None and len(set(places)) == len(ordered):
            place_of = dict(zip(ordered, places, strict=True))
            return tuple(sorted(ordered, key=place_of.__getitem__)), how
    return tuple(ordered), ""


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Class names in the inferred order, else alphabetically."""
    return recognise_order(names)[0]


def how_ordered(classes: Sequence[str], *, given: bool, own: bool) -> str:
    """Description of the rule of the order; "" without one.

    `given`: ordered by the user; `own`: numbered by the data set.
    """
    if given:
        return "as data.classes gives it"
    ordered, how = recognise_order(classes)
    if ordered == tuple(classes):
        return how
    return "as the data set numbers them" if own else ""


def are_numbered(names: Sequence[str]) -> bool:
    """True if all names have distinct numbers."""
    places = _number_places(names)
    return places is not None and len(set(places)) == len(places)


def number_in(name: str) -> float | None:
    """Number at the end of a name (`level_10`), else the first in it (`2 mild`); None without."""
    name = plain(name)
    match = re.search(f"{NUMBER}$", name) or re.search(NUMBER, name)
    return _value(match[0]) if match else None


def _number_places(names: Sequence[str]) -> Places:
    numbers = [number_in(name) for name in names]
    known = [(number,) for number in numbers if number is not None]
    return known if len(known) == len(names) else None


def _word_places(names: Sequence[str]) -> Places:
    places = severity_places(names)
    return None if places is None else [(place,) for place in places]


def _natural_places(names: Sequence[str]) -> Places:
    """Places by number and following text: `2, 3, 3v, 10`, `1-25`."""
    found = [_PARTS.fullmatch(plain(name)) for name in names]
    matches = [match for match in found if match]
    before = {re.sub(r"[\s_.-]", "", match["before"]) for match in matches}
    if len(matches) < len(names) or len(before) != 1:
        return None
    return _places([(_numbers(match["numbers"]), match["after"]) for match in matches])


def _roman_places(names: Sequence[str]) -> Places:
    """Places by Roman numeral, after the common words of all names."""
    parsed = [dict(_romans(name)) for name in names]
    common = set.intersection(*(set(one) for one in parsed))
    for before in sorted(common, key=len, reverse=True):
        values = {one[before][0][0] for one in parsed}
        # A single letter alone may be no numeral.
        sure = before or any(one[before][2] > 1 for one in parsed)
        places = _places([one[before][:2] for one in parsed])
        if len(values) > 1 and sure and places is not None:
            return places
    return None


def _romans(name: str) -> Iterator[tuple[str, tuple[tuple[float, ...], str, int]]]:
    """Yield each reading of the numeral: (value, further numbers), the rest, its letters."""
    text = unicodedata.normalize("NFKC", name).strip()
    for start in range(len(text)):
        before, rest = text[:start], text[start:]
        camel = before[-1:].islower() and rest[0].isupper()
        if before and not re.search(r"[\s_.-]$", before) and not camel:
            continue
        match = _ROMAN.fullmatch(plain(rest))
        if match and match["numeral"]:
            numerals = [_ROMAN_VALUES[letter] for letter in match["numeral"]]
            pairs = zip(numerals, [*numerals[1:], 0], strict=True)
            value = sum(-one if one < after else one for one, after in pairs)
            further = _numbers(match["after"].lstrip(" _.-"))
            said = "" if further else match["after"]
            key = re.sub(r"[\s_.-]", "", plain(before))
            yield key, ((float(value), *further), said, len(numerals))


def _places(parts: Sequence[tuple[tuple[float, ...], str]]) -> Places:
    """Places by numbers, then by the following text; None if that has no order."""
    trimmed = [
        (numbers, re.sub(r"^[\s_.-]+(?=\w)", "", after).strip(" _.")) for numbers, after in parts
    ]
    behind: dict[tuple[float, ...], set[str]] = defaultdict(set)
    for numbers, after in trimmed:
        behind[numbers].add(after)
    order: dict[tuple[tuple[float, ...], str], tuple] = {}
    for numbers, afters in behind.items():
        words = sorted(afters - {*_SIGNS})
        places: Sequence[int] | None = range(len(words))
        if sum(len(word) > 1 for word in words) > 1:  # `3a` and `3 vertex` are in order
            places = severity_places(words)
        if places is None:
            return None
        placed = dict(zip(words, places, strict=True))
        for after in afters:
            rank = (_SIGNS[after], 0) if after in _SIGNS else (1, 1 + placed[after])
            order[numbers, after] = (numbers, rank)
    return [order[part] for part in trimmed]


def _numbers(text: str) -> tuple[float, ...]:
    """Numbers in a text; only a leading hyphen is a sign."""
    numbers = [_value(number) for number in re.findall("[0-9]+(?:[.,][0-9]+)?", text)]
    return (-numbers[0], *numbers[1:]) if text.startswith("-") else tuple(numbers)


def _value(number: str) -> float:
    return float(number.replace(",", "."))
