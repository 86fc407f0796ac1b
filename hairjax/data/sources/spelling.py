"""One thing under several spellings: names of classes and of people that are nearly equal."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from hairjax.system.errors import UserError
from hairjax.system.wording import counted

Spellings = tuple[tuple[str, ...], ...]  # groups of names that are one, each of two or more

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))
_GROUPS_SHOWN = 20
_SPELLINGS_SHOWN = 6


def plain(name: str) -> str:
    """Return `name` in one case and width, without invisible characters and spaces around it."""
    # Twice: folding the case can undo the first.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = (letter for letter in folded if unicodedata.category(letter) != "Cf")
    return "".join(seen).translate(_DASHES).strip()


def class_key(name: str) -> str:
    """Return what near-equal names of a class share.

    Case, width, spaces, separators and how a number is written do not count: `Stage_0`, `stage 0`
    and `STAGE-00` are one, and so are `0`, `0.0` and `00`. Signs count, before a number (`-1`) and
    behind a name (`2-`, `2+`), and so does what parts two numbers (`1-2`, `12`).
    """
    text = re.sub(r"[0-9]+(?:[.,][0-9]+)?", lambda match: _shortest(match[0]), plain(name))
    # A hyphen is a sign at the start, after a separator, and at the end.
    text = re.sub(r"(?:^|(?<=[\s_]))-(?=[0-9])|(?<=\w)-$", "−", text)
    return _joined(re.sub(r"(?<![0-9])\.|\.(?![0-9])|[\s_-]", " ", text)) or plain(name)


def subject_key(name: str) -> str:
    """Return what near-equal names of a person share.

    Case, width, spaces, separators, zeros before a number and a spreadsheet's `.0` do not count:
    `P1`, `p01`, `P-1` and `P 1` are one, and so are `1` and `1.0`. What parts two numbers counts
    (`1-2`, `12`), and so do all digits of `1.10`.
    """
    text = re.sub(r"^([0-9]+)\.0+$", r"\1", plain(name))
    text = _joined(re.sub(r"[\s_.-]", " ", text))
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", text) or plain(name)


def near_equal(names: Iterable[str], key: Callable[[str], str]) -> Spellings:
    """Return the groups of different names with one key, in order."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names) - {""}):
        groups[key(name)].append(name)
    return tuple(tuple(group) for shared, group in groups.items() if shared and len(group) > 1)


def near_equal_classes(labels: Iterable[str]) -> Spellings:
    """Return the groups of labels that are one class: a bare number is the class of that number.

    `0` is `level_0` where all classes that have words before their number have the same.
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
    """Map every spelling to the most frequent one of its group, the first where two are."""
    counts = Counter(labels)
    best = {group: max(group, key=lambda name: counts[name]) for group in groups}
    return {name: one for group, one in best.items() for name in group}


def require_one_spelling(found: Mapping[str, Spellings]) -> None:
    """Refuse names that are nearly equal, all in one report.

    Args:
        found: groups of near-equal names by what they name, in the plural.

    Raises:
        UserError: there is a group.
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
    """The spellings of one thing, in quotation marks, for trailing spaces are seen then."""
    return " = ".join(map(repr, group[:_SPELLINGS_SHOWN])) + " …" * (len(group) > _SPELLINGS_SHOWN)


def _shortest(number: str) -> str:
    """A number without zeros that change nothing, its decimals after a point."""
    whole, _, decimals = number.replace(",", ".").partition(".")
    decimals = decimals.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{decimals}" if decimals else "")


def _joined(words: str) -> str:
    """Words together, but for numbers, which stay parted."""
    single = " ".join(words.split())
    return re.sub(r"(?<![0-9]) | (?![0-9])", "", single).replace(" ", "-").strip("-")
