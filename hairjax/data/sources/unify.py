"""The names of people brought to one form over all views of a set."""

from collections.abc import Sequence
from dataclasses import replace

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

CLASSES, PEOPLE = "classes", "people"
_SHOWN = 5  # groups


def near_equal_names(found: Sequence[Index]) -> dict[str, Spellings]:
    """Groups of names that are nearly equal: of the classes, and of people over all views."""
    people = [entry.subject for index in found for entry in index.entries]
    return {
        CLASSES: tuple(group for index in found for group in index.spellings),
        PEOPLE: near_equal(people, subject_key),
    }


def unify_spelling(found: Sequence[Index], spelling: str) -> tuple[Index, ...]:
    """Refuse names that are nearly equal, give people one form, or leave them as they are.

    The one form of a person does not depend on the other people, so that other views and the
    splits of other runs have it too.

    Args:
        found: the photographs of every view, their classes merged where they are to be.
        spelling: ``refuse``, ``merge`` or ``apart``.

    Raises:
        UserError: names are nearly equal and are to be refused.
    """
    groups = near_equal_names(found)
    if spelling == "refuse":
        require_one_spelling(groups)
    if spelling != "merge":
        return tuple(found)
    for what, spelt in groups.items():
        if spelt:
            count = counted(sum(map(len, spelt)), "spelling")
            shown = examples([shown_group(group) for group in spelt], _SHOWN)
            console.say(f"{what}: {count} of {len(spelt):,} are one each: {shown}")
    return tuple(
        replace(
            index,
            entries=tuple(
                replace(entry, subject=subject_key(entry.subject)) for entry in index.entries
            ),
        )
        for index in found
    )
