"""Step time, throughput and peak memory of an epoch."""

import resource
import sys
import time
from typing import Any

import jax
import numpy as np


class EpochTimer:
    """Timer of the steps of one epoch; starts when created."""

    def __init__(self, batch_size: int):
        self.batch_size = batch_size
        self.begun = time.perf_counter()
        self.ticks: list[float] = []

    def tick(self) -> None:
        """Record the end of a step."""
        self.ticks.append(time.perf_counter())

    @property
    def step_seconds(self) -> float:
        """Median seconds per step, without the first (compilation) unless it is the only one."""
        return float(np.median(np.diff([self.begun, *self.ticks])[-max(len(self.ticks) - 1, 1) :]))

    @property
    def rate(self) -> float:
        """Photographs per second at the median step time."""
        return self.batch_size / self.step_seconds

    @property
    def rate_text(self) -> str:
        """E.g. ``540 images/s`` or ``3.9 images/s``."""
        return f"{self.rate:.{0 if self.rate >= 10 else 1}f} images/s"

    def row(self, epoch: int) -> dict[str, Any]:
        """Row of ``timing.jsonl``: epoch, seconds since the start of the timer, speed, peak memory.

        Speed is `rate`; peak memory, in bytes, is that of the device if known, else of the process.
        """
        return {
            "epoch": epoch,
            "seconds": time.perf_counter() - self.begun,
            "images_per_second": self.rate,
            "peak_memory_bytes": _peak_memory(),
        }


def _peak_memory() -> int:
    """Peak memory in bytes, of the device if known, else of this process."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"]
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
