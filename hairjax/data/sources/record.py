"""Photographs and masks that are no files of their own, read like files.

They are inside a tensorflow-datasets set, or drawn by what an annotation file says.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import ExifTags, Image

from hairjax.data.annotations.image import AnnotatedImage


class Source(Protocol):
    """A data source of tensorflow-datasets."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: int) -> dict[str, Any]: ...

    def __getitems__(self, keys: Sequence[int]) -> Sequence[dict[str, Any]]: ...


@dataclass(frozen=True, eq=False)
class Records:
    """The records of one split of a set.

    `stamp` is of the files they are in: bytes, and when they were last written (ns).
    """

    source: Source
    folder: Path
    split: str
    stamp: tuple[int, int]


@dataclass(frozen=True)
class Record:
    """An image in a record: `feature` of the record at `position`."""

    records: Records
    position: int
    feature: str

    @property
    def name(self) -> str:
        """E.g. ``train/000123: image``."""
        return f"{self.records.split}/{self.position:06}: {self.feature}"

    @property
    def stamp(self) -> tuple[int, ...]:
        """Return what changes with the files it is in."""
        return self.records.stamp

    def __str__(self) -> str:
        return str(self.records.folder / self.name)

    def read_bytes(self) -> bytes:
        """The image as encoded in the set; stored pixels as a PNG, which loses nothing."""
        try:
            value = self.records.source[self.position][self.feature]
        except RuntimeError as error:  # how array_record says it
            raise OSError(str(error)) from error
        if isinstance(value, bytes):
            return value
        file = io.BytesIO()
        pixels = np.asarray(value)
        if pixels.shape[-1] == 1:
            pixels = pixels[..., 0]
        Image.fromarray(pixels).save(file, "PNG", compress_level=0)
        return file.getvalue()


@dataclass(frozen=True, eq=False)
class DrawnMask:
    """A mask that an annotation file describes.

    Attributes:
        image: what the file says of the photograph.
        categories: what is hair, as it was typed.
        size: width and height of what was annotated.
        orientation: the EXIF orientation by which it is turned; 1 where it was annotated upright.
        file_stamp: of the file it is in: bytes, and when it was last written (ns).
    """

    image: AnnotatedImage
    categories: tuple[str, ...]
    size: tuple[int, int]
    orientation: int
    file_stamp: tuple[int, int]

    @property
    def name(self) -> str:
        """E.g. ``instances.json: level_0/a.jpg``."""
        return f"{self.image.file.name}: {self.image.name}"

    @property
    def stamp(self) -> tuple[int, ...]:
        """Return what changes with the file it is in and with how it is drawn."""
        return (*self.file_stamp, *self.size, self.orientation)

    def __str__(self) -> str:
        return f"{self.image.file}: {self.image.name}, {', '.join(self.categories)}"

    def read_bytes(self) -> bytes:
        """The mask as a TIFF of 0 and 255.

        It is not compressed, for its checksum is the mask's: another build of zlib would write
        other bytes.

        Raises:
            ValueError: an area is damaged, or the picture is too large.
        """
        width, height = self.size
        if not 0 < width * height <= 2 * (Image.MAX_IMAGE_PIXELS or 0):
            raise ValueError(f"the annotations are of a picture of {width} × {height}")
        mask = Image.fromarray(self.image.mask(self.categories, self.size)).convert("L")
        file = io.BytesIO()
        mask.save(file, "TIFF", tiffinfo={ExifTags.Base.Orientation: self.orientation})
        return file.getvalue()


File = Path | Record | DrawnMask
