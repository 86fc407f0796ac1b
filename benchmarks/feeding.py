"""How many photographs a process brings to its devices: batches from memory and from the disk.

A prepared set of photographs of noise is made in a temporary folder and read in the order of
training, from memory and as it stays on the disk, in turns. Nothing is computed. The system keeps
the files in its own memory, so that this is what reading costs the processor, not the disk.

    python -m benchmarks.feeding --count=1000 --batch=32 --rounds=5
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.preparation import SIDE, draw_photographs, load
from hairjax.data.order import training_batches
from hairjax.data.photoset import PhotoSet


def rate(photos: PhotoSet, batch: int, epoch: int) -> dict[str, float]:
    """Photographs per second of an epoch, by the clock and by the processor."""
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
    """Print one JSON line: medians, and the least and the most by the clock."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    try:
        draw_photographs(root, options.count, 1024, 768, masks=True)
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
