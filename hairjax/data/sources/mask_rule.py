"""Rule for matching masks to images, and its result."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MaskRule:
    """Rule for matching masks: given by the user, else as stored by a run, else inferred.

    Attributes:
        name: ``data.mask_name``; "" to infer the naming.
        category: ``data.mask_category``; "" to infer the category of hair.
        held_name: naming stored by a run; "" for none.
        held_category: annotation category stored by a run; "" for none.
    """

    name: str = ""
    category: str = ""
    held_name: str = ""
    held_category: str = ""


@dataclass(frozen=True)
class MaskFacts:
    """Rule by which the masks of a set were matched.

    Attributes:
        name: naming, such as ``{name}_mask``; "" for annotations.
        category: annotation category; "" for images.
        said: description in one line; "" for masks named like their images.
    """

    name: str = ""
    category: str = ""
    said: str = ""


TOLD = MaskRule()  # inferred from names and annotations
NOT_FOUND = MaskFacts()
