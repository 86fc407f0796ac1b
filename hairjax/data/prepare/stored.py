"""Images on disk, read on access."""

from pathlib import Path

import numpy as np

from hairjax.data.prepare.levels import rescale
from hairjax.data.sources.record import Source
from hairjax.system.errors import UserError

SPLIT = "photographs"  # the only split of a prepared set
_CHUNK = 64  # images per read of `in_memory`


class Stored:
    """Rows of a prepared set, indexed like a uint8 array [n, side, side, 4].

    Indexing by integers or a slice reads into memory; `subset` reads nothing. Reading raises
    UserError if files in `folder` are damaged or missing.
    """

    def __init__(
        self, records: Source, rows: np.ndarray, factors: np.ndarray, side: int, folder: Path
    ):
        self._records, self._rows, self._factors = records, rows, factors
        self._side, self._folder = side, folder

    @classmethod
    def open(cls, folder: Path, rows: np.ndarray, factors: np.ndarray, side: int) -> "Stored":
        """Open rows (int [n]) of the prepared set in `folder`.

        `factors`, float32 [n, 2], scale RGB and mask to the levels of the set (`levels.rescale`).
        """
        # Imported here: it takes a third of a second, needed by no other source.
        import tensorflow_datasets as tfds

        records = tfds.builder_from_directory(str(folder)).as_data_source(split=SPLIT)
        return cls(records, rows, factors, side, folder)

    on_disk = True

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self._rows), self._side, self._side, 4

    @property
    def nbytes(self) -> int:
        """Size in memory, in bytes."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        pixels = np.empty((len(self._rows[chosen]), *self.shape[1:]), np.uint8)
        self._read(chosen, pixels)
        return pixels

    def subset(self, chosen: np.ndarray) -> "Stored":
        """Select rows by index, int [m]."""
        rows, factors = self._rows[chosen], self._factors[chosen]
        return Stored(self._records, rows, factors, self._side, self._folder)

    def in_memory(self) -> np.ndarray:
        """Read all images: uint8 [n, side, side, 4]."""
        pixels = np.empty(self.shape, np.uint8)
        for start in range(0, len(self), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._read(part, pixels[part])
        return pixels

    def _read(self, chosen: np.ndarray | slice, pixels: np.ndarray) -> None:
        try:
            records = self._records.__getitems__(self._rows[chosen].tolist())
        except (OSError, RuntimeError) as error:  # array_record raises RuntimeError
            raise UserError(
                f"the prepared set {self._folder} is damaged ({error}): delete it"
            ) from error
        for place, record in enumerate(records):
            pixels[place] = record["image"]
        rescale(pixels, self._factors[chosen])
