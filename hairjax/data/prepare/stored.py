"""Photographs on disk that are read when they are asked for."""

from pathlib import Path

import numpy as np

from hairjax.data.prepare.levels import rescale
from hairjax.data.sources.record import Source
from hairjax.system.errors import UserError

SPLIT = "photographs"  # of a prepared data set, which holds every photograph in one split
_CHUNK = 64  # photographs read at a time where all of them are wanted


class Stored:
    """Rows of a prepared set, to be used like a uint8 array [n, side, side, 4].

    An array of integers or a slice gives photographs in memory; `subset` reads nothing. Whatever
    reads raises UserError where the files in `folder` are damaged or gone.
    """

    def __init__(
        self, records: Source, rows: np.ndarray, factors: np.ndarray, side: int, folder: Path
    ):
        self._records, self._rows, self._factors = records, rows, factors
        self._side, self._folder = side, folder

    @classmethod
    def open(cls, folder: Path, rows: np.ndarray, factors: np.ndarray, side: int) -> "Stored":
        """The photographs at `rows` (int [n]) of the prepared set in `folder`.

        `factors`, float32 [n, 2], bring them to the levels of the set (`levels.rescale`).
        """
        # Here, since importing it takes a third of a second that no other source needs.
        import tensorflow_datasets as tfds

        records = tfds.builder_from_directory(str(folder)).as_data_source(split=SPLIT)
        return cls(records, rows, factors, side, folder)

    on_disk = True

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self._rows), self._side, self._side, 4

    @property
    def nbytes(self) -> int:
        """Bytes that all of them would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        pixels = np.empty((len(self._rows[chosen]), *self.shape[1:]), np.uint8)
        self._read(chosen, pixels)
        return pixels

    def subset(self, chosen: np.ndarray) -> "Stored":
        """The photographs at `chosen` (int [m])."""
        rows, factors = self._rows[chosen], self._factors[chosen]
        return Stored(self._records, rows, factors, self._side, self._folder)

    def in_memory(self) -> np.ndarray:
        """All photographs: uint8 [n, side, side, 4]."""
        pixels = np.empty(self.shape, np.uint8)
        for start in range(0, len(self), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._read(part, pixels[part])
        return pixels

    def _read(self, chosen: np.ndarray | slice, pixels: np.ndarray) -> None:
        try:
            records = self._records.__getitems__(self._rows[chosen].tolist())
        except (OSError, RuntimeError) as error:  # the latter is how array_record fails
            raise UserError(
                f"the prepared set {self._folder} is damaged ({error}): delete it"
            ) from error
        for place, record in enumerate(records):
            pixels[place] = record["image"]
        rescale(pixels, self._factors[chosen])
