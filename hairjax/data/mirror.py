"""Horizontally flipped images and masks."""

from dataclasses import replace

import numpy as np

from hairjax.data.photoset import PhotoSet, Rows


class Mirrored:
    """Horizontally flipped view of rows, computed on access; a missing view stays missing."""

    def __init__(self, rows: Rows):
        self._rows = rows

    @property
    def on_disk(self) -> bool:
        return self._rows.on_disk

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self._rows.shape

    @property
    def nbytes(self) -> int:
        """Size in memory, in bytes."""
        return self._rows.nbytes

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        return self._rows[chosen][:, :, ::-1]

    def subset(self, chosen: np.ndarray) -> "Mirrored":
        """Select rows by index, int [m]."""
        return Mirrored(self._rows.subset(chosen))


def mirrored(photos: PhotoSet) -> PhotoSet:
    """Flip all images and masks horizontally, without copying.

    Stages are invariant under the flip: of the crown, and of either side of the head.
    """
    images = photos.images
    pixels = images[:, :, ::-1] if isinstance(images, np.ndarray) else Mirrored(images)
    return replace(photos, images=pixels)
