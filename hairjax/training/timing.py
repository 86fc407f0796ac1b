"""Time and memory of the steps of an epoch."""

import resource
import sys
import time
from typing import Any

import jax
import numpy as np


class EpochTimer:
    """Times the steps of one epoch."""

    def __init__(self, batch_size: int):
        self.batch_size = batch_size
        self.begun = time.perf_counter()
        self.ticks: list[float] = []

    def tick(self) -> None:
        """A step has ended."""
        self.ticks.append(time.perf_counter())

    @property
    def step_seconds(self) -> float:
        """The median step; the first, which compiles, counts only while there is no other."""
        return float(np.median(np.diff([self.begun, *self.ticks])[-max(len(self.ticks) - 1, 1) :]))

    @property
    def rate(self) -> float:
        """Photographs per second."""
        return self.batch_size / self.step_seconds

    @property
    def rate_text(self) -> str:
        """E.g. ``540 images/s`` or ``3.9 images/s``."""
        return f"{self.rate:.{0 if self.rate >= 10 else 1}f} images/s"

    def row(self, epoch: int) -> dict[str, Any]:
        """The epoch's line of ``timing.jsonl``."""
        return {
            "epoch": epoch,
            "seconds": time.perf_counter() - self.begun,
            "images_per_second": self.rate,
            "peak_memory_bytes": _peak_memory(),
        }


def _peak_memory() -> int:
    """Peak memory of the device where it is known, else of this process, in bytes."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"]
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
