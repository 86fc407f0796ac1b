"""Images and masks in records of tensorflow-datasets or annotations, read like files."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import ExifTags, Image

from hairjax.data.annotations.image import AnnotatedImage


class Source(Protocol):
    """Data source of tensorflow-datasets."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: int) -> dict[str, Any]: ...

    def __getitems__(self, keys: Sequence[int]) -> Sequence[dict[str, Any]]: ...


@dataclass(frozen=True, eq=False)
class Records:
    """Records of a split.

    `stamp`: total size in bytes and latest modification time (ns) of their files.
    """

    source: Source
    folder: Path
    split: str
    stamp: tuple[int, int]


@dataclass(frozen=True)
class Record:
    """Image in a record: `feature` of the record at `position`."""

    records: Records
    position: int
    feature: str

    @property
    def name(self) -> str:
        """E.g. ``train/000123: image``."""
        return f"{self.records.split}/{self.position:06}: {self.feature}"

    @property
    def stamp(self) -> tuple[int, ...]:
        """Size in bytes and modification time (ns) of the split's files."""
        return self.records.stamp

    def __str__(self) -> str:
        return str(self.records.folder / self.name)

    def read_bytes(self) -> bytes:
        """Encoded image as stored; raw pixels as lossless PNG.

        Raises:
            OSError: the record is unreadable.
        """
        try:
            value = self.records.source[self.position][self.feature]
        except RuntimeError as error:  # from array_record
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
class RasterisedMask:
    """Mask from an annotation file.

    Attributes:
        image: annotations of the image.
        categories: spellings of the category of hair.
        size: annotated width and height.
        orientation: EXIF orientation to apply; 1 if annotated upright.
        file_stamp: size in bytes and modification time (ns) of the annotation file.
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
        """Values that change with the file and the rasterisation."""
        return (*self.file_stamp, *self.size, self.orientation)

    def __str__(self) -> str:
        return f"{self.image.file}: {self.image.name}, {', '.join(self.categories)}"

    def read_bytes(self) -> bytes:
        """Mask as TIFF of 0 and 255, uncompressed for a checksum independent of zlib.

        Raises:
            ValueError: an area is damaged, or the image is too large.
        """
        width, height = self.size
        if not 0 < width * height <= 2 * (Image.MAX_IMAGE_PIXELS or 0):
            raise ValueError(f"the annotations are of a picture of {width} × {height}")
        mask = Image.fromarray(self.image.mask(self.categories, self.size)).convert("L")
        file = io.BytesIO()
        mask.save(file, "TIFF", tiffinfo={ExifTags.Base.Orientation: self.orientation})
        return file.getvalue()


File = Path | Record | RasterisedMask
