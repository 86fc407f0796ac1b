"""Input throughput of a process: batches from memory and from disk.

A prepared set of noise images is read in training order, in alternating rounds, without
computation. Files are in the page cache: CPU cost, not disk speed.

    python -m benchmarks.feeding --count=1000 --batch=32 --rounds=5
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.preparation import SIDE, load, write_photographs
from hairjax.data.order import training_batches
from hairjax.data.photoset import PhotoSet


def rate(photos: PhotoSet, batch: int, epoch: int) -> dict[str, float]:
    """Images per second of an epoch, by wall-clock and CPU time."""
    steps = len(photos) // batch
    span = range(epoch * steps, (epoch + 1) * steps)
    wall, cpu = time.perf_counter(), time.process_time()
    batches = training_batches(
        photos,
        np.arange(len(photos)),
        span,
        seed=0,
        balanced=False,
        batch_size=batch,
        share=slice(0, batch),
    )
    for images, _ in batches:
        assert images.shape == (batch, SIDE, SIDE, 4)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"clock": steps * batch / wall, "processor": steps * batch / cpu}


def main() -> None:
    """Print one JSON line: medians; minimum and maximum of the wall-clock rate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    try:
        write_photographs(root, options.count, 1024, 768, masks=True)
        limits = {"from memory": 16.0, "from the disk": 1e-6}  # GiB in memory
        ways = {way: load(root, True, f"{root}/cache", gib) for way, gib in limits.items()}
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for epoch in range(options.rounds):
            for way, photos in ways.items():
                found[way].append(rate(photos, options.batch, epoch))
    finally:
        shutil.rmtree(root)
    result = {
        way: {kind: round(float(np.median([r[kind] for r in rates]))) for kind in rates[0]}
        | {"range": [round(f(r["clock"] for r in rates)) for f in (min, max)]}
        for way, rates in found.items()
    }
    print(json.dumps({"batch": options.batch, "side": SIDE, "images_per_second": result}))


if __name__ == "__main__":
    main()
