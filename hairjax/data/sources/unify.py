"""Unify subject names over all views of a set."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from hairjax.data.sources.labels import is_unknown_subject
from hairjax.data.sources.photos import Index
from hairjax.data.sources.spelling import (
    Spellings,
    near_equal,
    require_one_spelling,
    shown_group,
    subject_key,
)
from hairjax.system import console
from hairjax.system.errors import examples
from hairjax.system.wording import counted

TELL = "tell"  # as a spelling: of classes as merge, and people as they are
CLASSES, PEOPLE = "classes", "people"
_SHOWN = 5  # groups in a message


def near_equal_names(found: Sequence[Index]) -> dict[str, Spellings]:
    """Groups of nearly equal names of classes, and of subjects over all views."""
    people = [entry.subject for index in found for entry in index.entries]
    return {
        CLASSES: tuple(group for index in found for group in index.spellings),
        PEOPLE: near_equal(people, subject_key),
    }


def unify_spelling(found: Sequence[Index], spelling: str) -> tuple[Index, ...]:
    """Raise on nearly equal names, unify those of subjects, or leave all unchanged.

    `spelling` is ``refuse``, ``merge``, ``apart`` or ``tell``, which leaves `near_equal_names` to
    the caller. The unified form depends on the name alone, so that views and runs agree. Unless
    ``apart``, subjects named `nan`, `unknown` and the like become unknown.

    Raises:
        UserError: names are nearly equal and ``spelling`` is "refuse".
    """
    if spelling == "apart":
        return tuple(found)
    found = _without_unknown(found)
    if spelling == TELL:
        return tuple(found)
    groups = near_equal_names(found)
    if spelling == "refuse":
        require_one_spelling(groups)
        return tuple(found)
    for what, spelt in groups.items():
        if spelt:
            shown = examples([shown_group(group) for group in spelt], _SHOWN)
            console.say(f"{what} in several spellings, taken as one ({len(spelt):,}): {shown}")
    return _with_subjects(found, subject_key)


def _without_unknown(found: Sequence[Index]) -> tuple[Index, ...]:
    """Replace subject names that denote an unknown person, and report it."""
    counts = Counter(entry.subject for index in found for entry in index.entries)
    unknown = {name: count for name, count in counts.items() if name and is_unknown_subject(name)}
    if unknown:
        photographs = counted(sum(unknown.values()), "photograph")
        names = examples([repr(name) for name in unknown], _SHOWN)
        console.say(f"the subject of {photographs} is {names}: taken as not known")
    return _with_subjects(found, lambda name: "" if name in unknown else name)


def _with_subjects(found: Sequence[Index], form: Callable[[str], str]) -> tuple[Index, ...]:
    return tuple(
        replace(
            index,
            entries=tuple(replace(entry, subject=form(entry.subject)) for entry in index.entries),
        )
        for index in found
    )
