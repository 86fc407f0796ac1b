"""The names of people brought to one form over all views of a set."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from hairjax.data.sources.labels import names_nobody
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
_SHOWN = 5  # groups


def near_equal_names(found: Sequence[Index]) -> dict[str, Spellings]:
    """Groups of names that are nearly equal: of the classes, and of people over all views."""
    people = [entry.subject for index in found for entry in index.entries]
    return {
        CLASSES: tuple(group for index in found for group in index.spellings),
        PEOPLE: near_equal(people, subject_key),
    }


def unify_spelling(found: Sequence[Index], spelling: str) -> tuple[Index, ...]:
    """Refuse names that are nearly equal, give people one form, or leave all as they are.

    The one form of a person does not depend on the other people, so that other views and the
    splits of other runs have it too. Unless all is left as it is, people who are called `nan`,
    `unknown` and the like are not known.

    Args:
        found: the photographs of every view, their classes merged where they are to be.
        spelling: ``refuse``, ``merge``, ``apart`` or ``tell``: it is left to the caller to tell
            of `near_equal_names`.

    Raises:
        UserError: names are nearly equal and are to be refused.
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
    """Take names that mean that a person is not known for that, and say so."""
    counts = Counter(entry.subject for index in found for entry in index.entries)
    unknown = {name: count for name, count in counts.items() if name and names_nobody(name)}
    if unknown:
        photographs = counted(sum(unknown.values()), "photograph")
        names = examples([repr(name) for name in unknown], _SHOWN)
        console.say(f"the subject of {photographs} is {names}: taken as not known")
    return _with_subjects(found, lambda name: "" if name in unknown else name)


def _with_subjects(found: Sequence[Index], form: Callable[[str], str]) -> tuple[Index, ...]:
    """The photographs with another form of their subjects."""
    return tuple(
        replace(
            index,
            entries=tuple(replace(entry, subject=form(entry.subject)) for entry in index.entries),
        )
        for index in found
    )
