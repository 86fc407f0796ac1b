"""Published reporting checklists, as TOML files beside this module.

CLAIM, 2024 update (Tejani et al., Radiology: Artificial Intelligence 6(4), 2024, e240300), 44
items; TRIPOD+AI (Collins et al., BMJ 385, 2024, e078378), 27 items with their parts.
"""

import functools
import tomllib
from importlib import resources
from typing import NamedTuple

CHECKLISTS = ("claim", "tripod_ai")


class Item(NamedTuple):
    """Item of a checklist.

    Attributes:
        number: its published number.
        asks: what it asks for, in our words.
        answer: key of `answers.checklist_answers`; "" where only an author can answer.
    """

    number: str
    asks: str
    answer: str = ""


class Answer(NamedTuple):
    """Answer to an item.

    Attributes:
        text: the answer, for an author to rephrase.
        lacks: details for the author to add; "" for none.
        section: name of the report section with more; "" for none.
    """

    text: str
    lacks: str = ""
    section: str = ""


class Checklist(NamedTuple):
    """Published checklist."""

    name: str
    source: str
    items: tuple[Item, ...]


@functools.cache
def read_checklist(name: str) -> Checklist:
    """Read a checklist of `CHECKLISTS`."""
    text = resources.files(__package__).joinpath(f"{name}.toml").read_text("utf-8")
    found = tomllib.loads(text)
    return Checklist(found["name"], found["source"], tuple(Item(**i) for i in found["items"]))
