"""What annotation files say of one picture."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hairjax.data.annotations.regions import Region


@dataclass(frozen=True)
class AnnotatedObject:
    """One thing in a picture: its category as it was typed, and its area."""

    category: str
    region: Region


@dataclass(frozen=True)
class AnnotatedImage:
    """A picture and the things in it.

    Attributes:
        name: as the file names it, with ``/``.
        size: width and height in pixels of what was annotated; None where it is not said.
        objects: the things in it; () where nothing is drawn.
        file: the file that says so.
        problem: why its areas cannot be known; "" where they can.
    """

    name: str
    size: tuple[int, int] | None
    objects: tuple[AnnotatedObject, ...]
    file: Path
    problem: str = ""

    def mask(self, categories: Collection[str], size: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the union of the objects of some categories: bool [height, width].

        Args:
            categories: as they were typed.
            size: width and height of the picture.

        Raises:
            ValueError: an area is damaged, or of a picture of another size.
        """
        width, height = size
        union = np.zeros((height, width), bool)
        for one in self.objects:
            if one.category in categories:
                union |= one.region.fill(width, height)
        return union
