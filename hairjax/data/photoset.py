"""A set of photographs: returned by every source, taken by every later step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hairjax.data.sources.manifest import NOTHING_FURTHER, Further
from hairjax.data.sources.mask_rule import NOT_FOUND, MaskFacts


class Rows(Protocol):
    """Rows of pixels that are read or composed on access, indexed like a uint8 array."""

    @property
    def on_disk(self) -> bool: ...

    @property
    def shape(self) -> tuple[int, int, int, int]: ...

    @property
    def nbytes(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray: ...

    def subset(self, chosen: np.ndarray) -> "Rows": ...


@dataclass(frozen=True)
class PhotoSet:
    """Photographs, in memory or on disk, each with its hair mask as a fourth channel.

    The arrays are not copied. Indexed by an array of integers or a slice, `images` gives pixels in
    memory, wherever they are kept. Where no masks are known, `has_masks` is False and the fourth
    channel means nothing.
    """

    # uint8 [n, side, side, 4]: RGB, then the mask (0 … 255); 8 of two views, see `data.pairs`.
    images: np.ndarray | Rows
    labels: np.ndarray  # int32 [n]: index into classes; -1 where it is not known
    files: tuple[str, ...]  # the name of each photograph in every output
    subjects: tuple[str, ...]  # whose photograph it is; "" where unknown
    sha256: tuple[str, ...]  # of the file's bytes (of the pixels where there is no file)
    classes: tuple[str, ...]
    has_masks: bool
    mask_sha256: tuple[str, ...] = ()  # of the bytes of their files; () where they are not known
    mask_coding: str = ""  # of the files of the masks, see `prepare.mask_coding`; "": not known
    mask_facts: MaskFacts = NOT_FOUND  # how these were found
    white: int = 0  # of the 16-bit greys among the files, see `prepare.levels`; 0: there are none
    further: Further = NOTHING_FURTHER  # what a manifest says of them besides

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: Sequence[int] | np.ndarray) -> "PhotoSet":
        """Copy the photographs at `indices`: integers in any order, or one boolean for each.

        Photographs on disk stay there, unread.
        """
        chosen, images = np.arange(len(self))[list(indices)], self.images
        return PhotoSet(
            images=images[chosen] if isinstance(images, np.ndarray) else images.subset(chosen),
            labels=self.labels[chosen],
            files=tuple(self.files[i] for i in chosen),
            subjects=tuple(self.subjects[i] for i in chosen),
            sha256=tuple(self.sha256[i] for i in chosen),
            classes=self.classes,
            has_masks=self.has_masks,
            mask_sha256=tuple(self.mask_sha256[i] for i in chosen) if self.mask_sha256 else (),
            mask_coding=self.mask_coding,
            mask_facts=self.mask_facts,
            white=self.white,
            further=self.further,
        )
