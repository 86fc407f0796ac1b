"""Set of images with labels and masks, the interface between sources and later steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hairjax.data.sources.manifest import NOTHING_FURTHER, Further
from hairjax.data.sources.mask_rule import NOT_FOUND, MaskFacts


class Rows(Protocol):
    """Image rows read or composed on access, indexed like a uint8 array."""

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
    """Images in memory or on disk, with the hair mask as fourth channel.

    Indexing `images` by integers or a slice returns an array in memory. Without masks, `has_masks`
    is False and the fourth channel undefined. Arrays are not copied.
    """

    # uint8 [n, side, side, 4]: RGB and mask (0 … 255); 8 channels for two views (`data.pairs`).
    images: np.ndarray | Rows
    labels: np.ndarray  # int32 [n]: index into classes; -1: unknown
    files: tuple[str, ...]  # name of each image in every output
    subjects: tuple[str, ...]  # "": unknown
    sha256: tuple[str, ...]  # of the file (without a file, of the pixels)
    classes: tuple[str, ...]
    has_masks: bool
    mask_sha256: tuple[str, ...] = ()  # of the mask files; (): unknown
    mask_coding: str = ""  # of the mask files, see `prepare.mask_coding`; "": unknown
    mask_facts: MaskFacts = NOT_FOUND  # rule by which the masks were found
    white: int = 0  # of 16-bit greys, see `prepare.levels`; 0: none
    further: Further = NOTHING_FURTHER  # further columns of a manifest

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: Sequence[int] | np.ndarray) -> "PhotoSet":
        """Select images by integer index or boolean mask; images on disk stay unread."""
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
