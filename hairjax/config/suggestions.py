"""Suggestions for mistyped names of keys, flags and verbs."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """End of a sentence: the closest known names, or all of them."""
    known = list(known)
    if close := _close(name, known):
        return f"did you mean {' or '.join(close)}?"
    return f"the known ones are {', '.join(known)}"


def _close(name: str, known: list[str]) -> list[str]:
    def last(name: str) -> str:
        return name.lstrip("-").rpartition(".")[2]

    def alike(one: str, other: str) -> float:
        return difflib.SequenceMatcher(None, one, other).ratio()

    # Last components must be similar too: optim.lr is near optim.lora by its section only.
    close = [
        other
        for other in difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.8)
        if alike(last(name.lower()), last(other)) >= 0.7
    ][:1]
    # Or the right name in the wrong section.
    return close or [other for other in known if last(other) == last(name)]


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Sentence about an unknown key."""
    known = list(known)
    inside = [other for other in known if other.startswith(f"{key}.")]
    beside = [other for other in known if other.startswith(f"{key.rpartition('.')[0]}.")]
    if inside:
        return f"config.{key} is a section, not a value; its keys are {_listed(inside)}"
    if close := _close(key, known):
        hint = f"did you mean {_listed(close)}?"
    elif beside:
        hint = f"the keys there are {_listed(beside)}"
    else:
        sections = dict.fromkeys(other.partition(".")[0] for other in known)
        hint = f"it starts with one of {', '.join(sections)}; configs/top.py has every key"
    return f"unknown key config.{key}; {hint}"


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(f"config.{key}" for key in keys)
