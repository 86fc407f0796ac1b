"""Nearly equal spellings of class and subject names."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from hairjax.system.errors import UserError
from hairjax.system.wording import counted

Spellings = tuple[tuple[str, ...], ...]  # groups of two or more equivalent names

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))
_GROUPS_SHOWN = 20
_SPELLINGS_SHOWN = 6


def plain(name: str) -> str:
    """Normalise case, width (NFKC) and dashes; remove format characters (Cf) and outer spaces."""
    # Twice: case folding may denormalise.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    visible = (letter for letter in folded if unicodedata.category(letter) != "Cf")
    return "".join(visible).translate(_DASHES).strip()


def class_key(name: str) -> str:
    """Key common to equivalent class names.

    Ignores case, width, spaces, separators and number format: `Stage_0`, `stage 0`, `STAGE-00` are
    equal, as are `0`, `0.0`, `00`. Keeps signs before numbers (`-1`) and after names (`2-`, `2+`),
    and separators of numbers (`1-2`, `12`).
    """
    text = re.sub(r"[0-9]+(?:[.,][0-9]+)?", lambda match: _shortest(match[0]), plain(name))
    # A hyphen is a sign at the start, after a separator, and at the end.
    text = re.sub(r"(?:^|(?<=[\s_]))-(?=[0-9])|(?<=\w)-$", "−", text)
    return _joined(re.sub(r"(?<![0-9])\.|\.(?![0-9])|[\s_-]", " ", text)) or plain(name)


def subject_key(name: str) -> str:
    """Key common to equivalent subject names.

    Ignores case, width, spaces, separators, leading zeros and a spreadsheet's `.0`: `P1`, `p01`,
    `P-1`, `P 1` are equal, as are `1` and `1.0`. Keeps separators of numbers (`1-2`, `12`) and the
    digits of `1.10`.
    """
    text = re.sub(r"^([0-9]+)\.0+$", r"\1", plain(name))
    text = _joined(re.sub(r"[\s_.-]", " ", text))
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", text) or plain(name)


def near_equal(names: Iterable[str], key: Callable[[str], str]) -> Spellings:
    """Groups of different names with one key, in order."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names) - {""}):
        groups[key(name)].append(name)
    return tuple(tuple(group) for shared, group in groups.items() if shared and len(group) > 1)


def near_equal_classes(labels: Iterable[str]) -> Spellings:
    """Groups of equivalent labels; a bare number equals the class with that number.

    `0` equals `level_0` if all classes with words before the number share them.
    """
    keys = {label: class_key(label) for label in labels}
    numbered = [re.fullmatch(r"([^\W\d]+)([0-9.]+)", key) for key in keys.values()]
    before = {match[1] for match in numbered if match}
    if len(before) == 1:
        [word] = before
        keys = {
            label: f"{word}{key}" if f"{word}{key}" in keys.values() else key
            for label, key in keys.items()
        }
    return near_equal(keys, keys.__getitem__)


def most_frequent(groups: Spellings, labels: Iterable[str]) -> dict[str, str]:
    """Most frequent spelling of each group by spelling, the first of ties."""
    counts = Counter(labels)
    best = {group: max(group, key=lambda name: counts[name]) for group in groups}
    return {name: one for group, one in best.items() for name in group}


def require_one_spelling(found: Mapping[str, Spellings]) -> None:
    """Raise on nearly equal names: groups by plural noun.

    Raises:
        UserError: there is a group; all are reported.
    """
    if not any(found.values()):
        return
    lines = []
    for what, groups in found.items():
        if groups:
            lines.append(f"  {what} ({len(groups):,}):")
            lines += [f"    {shown_group(group)}" for group in groups[:_GROUPS_SHOWN]]
            if len(groups) > _GROUPS_SHOWN:
                lines.append(f"    and {len(groups) - _GROUPS_SHOWN:,} more")
    count = sum(map(len, found.values()))
    raise UserError(
        f"{counted(count, 'name')} {'is' if count == 1 else 'are'} spelt in several ways:\n"
        + "\n".join(lines)
        + "\nare they one each? Then correct them or give --config.data.spelling=merge (of check, "
        "evaluate and explain --spelling=merge); if every spelling is another, give apart"
    )


def shown_group(group: Sequence[str]) -> str:
    """Quoted spellings, to show trailing spaces."""
    return " = ".join(map(repr, group[:_SPELLINGS_SHOWN])) + " …" * (len(group) > _SPELLINGS_SHOWN)


def _shortest(number: str) -> str:
    """Number without redundant zeros, with a decimal point."""
    whole, _, decimals = number.replace(",", ".").partition(".")
    decimals = decimals.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{decimals}" if decimals else "")


def _joined(words: str) -> str:
    """Join words, but separate adjacent numbers."""
    single = " ".join(words.split())
    return re.sub(r"(?<![0-9]) | (?![0-9])", "", single).replace(" ", "-").strip("-")
