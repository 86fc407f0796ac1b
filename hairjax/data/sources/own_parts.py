"""The names that people give to the parts of a split."""

from hairjax.data.sources.spelling import plain

_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
_PART_OF = {name: part for part, names in _NAMES.items() for name in names}


def is_part(name: str) -> bool:
    """True if a name means train, validation or test, in any case."""
    return plain(name) in _PART_OF


def part_of(name: str) -> str:
    """Return ``train``, ``validation`` or ``test`` for a name that means it.

    Raises:
        KeyError: it means none of them.
    """
    return _PART_OF[plain(name)]


def describe_names(names: set[str]) -> str:
    """In words, what names other than these three were taken for; "" where there is none."""
    said = [f"{name} is {part_of(name)}" for name in sorted(names) if name != part_of(name)]
    return ", ".join(said)
