"""A photograph or mask inside a tensorflow-datasets set, read like a file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image


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


File = Path | Record
