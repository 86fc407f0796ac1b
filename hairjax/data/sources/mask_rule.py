"""How masks are to be looked for, and how those of a set were found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MaskRule:
    """How masks are looked for: as the user says, else as a run found its own, else told.

    Attributes:
        name: ``data.mask_name``; "" to tell how masks are named.
        category: ``data.mask_category``; "" to tell which category of annotations is hair.
        held_name: how the masks of a run were named; "" for none.
        held_category: the category of the annotations of a run; "" for none.
    """

    name: str = ""
    category: str = ""
    held_name: str = ""
    held_category: str = ""


@dataclass(frozen=True)
class MaskFacts:
    """How the masks of a set were found.

    Attributes:
        name: how they are named, as ``{name}_mask``; "" where they are no pictures.
        category: the category of their annotations; "" where they are pictures.
        said: one line about it; "" where each mask is named like its photograph.
    """

    name: str = ""
    category: str = ""
    said: str = ""


TOLD = MaskRule()  # by the names and annotations of the set
NOT_FOUND = MaskFacts()
