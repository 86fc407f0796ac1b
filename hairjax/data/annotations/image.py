"""Annotations of an image."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hairjax.data.annotations.regions import Region


@dataclass(frozen=True)
class AnnotatedObject:
    """Annotated object: category as typed, and region."""

    category: str
    region: Region


@dataclass(frozen=True)
class AnnotatedImage:
    """Image with its annotated objects.

    Attributes:
        name: name in the annotation file, with ``/``.
        size: annotated width and height in pixels; None if unknown.
        objects: objects; () if nothing is annotated.
        file: annotation file.
        problem: reason if the regions are unusable; "" otherwise.
    """

    name: str
    size: tuple[int, int] | None
    objects: tuple[AnnotatedObject, ...]
    file: Path
    problem: str = ""

    def mask(self, categories: Collection[str], size: tuple[int, int]) -> NDArray[np.bool_]:
        """Union of the objects of some categories, as spelt: bool [height, width].

        Raises:
            ValueError: a region is damaged or of another image size than `size` (width, height).
        """
        width, height = size
        union = np.zeros((height, width), bool)
        for one in self.objects:
            if one.category in categories:
                union |= one.region.fill(width, height)
        return union
