"""Photographs and their masks as a mirror shows them, left for right."""

from dataclasses import replace

import numpy as np

from hairjax.data.photoset import PhotoSet, Rows


class Mirrored:
    """Mirror images of photographs that are read when they are asked for, with their masks.

    Of two views both; one that is missing, which is black, stays missing.
    """

    def __init__(self, rows: Rows):
        self._rows = rows

    @property
    def on_disk(self) -> bool:
        """True if some of them are read when they are asked for."""
        return self._rows.on_disk

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self._rows.shape

    @property
    def nbytes(self) -> int:
        """Bytes that all of them would take in memory."""
        return self._rows.nbytes

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        return self._rows[chosen][:, :, ::-1]

    def subset(self, chosen: np.ndarray) -> "Mirrored":
        """The mirror images at `chosen` (int [m])."""
        return Mirrored(self._rows.subset(chosen))


def mirrored(photos: PhotoSet) -> PhotoSet:
    """The mirror image of every photograph, mask and all, under the same names; nothing is copied.

    A stage is the same in a mirror: of the crown seen from above, and of either side of a head.
    """
    images = photos.images
    pixels = images[:, :, ::-1] if isinstance(images, np.ndarray) else Mirrored(images)
    return replace(photos, images=pixels)
