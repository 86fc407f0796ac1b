"""Time per image by set size, and cost of streaming from disk.

Small JPEGs with masks (few distinct ones, copied with a comment) are found, prepared, split, and
read in batches. CPU seconds per image beside wall-clock seconds. Then training steps of the demo
model on images in memory and on disk, alternating.

    python -m benchmarks.growth --sizes=1000,10000,100000 --out=benchmarks/growth.json
"""

import argparse
import functools
import io
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hairjax.data.options import PrepareOptions
from hairjax.data.order import training_batches
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.load import load_photos
from hairjax.data.sources.photos import Index, Search, find_photos
from hairjax.data.split import check_split, make_split, read_split, write_split
from hairjax.parallel.mesh import join_shares, make_mesh

SMALL, SIDE = 64, 55  # sides of the files and of the demo's stored images, in pixels
DISTINCT = 64
BATCH, STEPS = 32, 50
batches = functools.partial(
    training_batches, seed=0, balanced=False, batch_size=BATCH, share=slice(None)
)


def write_photographs(root: Path, count: int) -> None:
    """Write noise JPEGs of 4 classes, ten per person, each with a mask."""
    rng = np.random.default_rng(0)
    encoded = []
    for _ in range(DISTINCT):
        jpeg, png = io.BytesIO(), io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (SMALL, SMALL, 3), np.uint8)).save(jpeg, "JPEG")
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(png, "PNG")
        encoded.append((jpeg.getvalue(), png.getvalue()))
    for kind in ("photos", "masks"):
        for label in range(4):
            (root / kind / f"level_{label}").mkdir(parents=True)
    for i in range(count):
        photo, mask = encoded[i % DISTINCT]
        person = rng.integers(max(count // 10, 8))
        name = f"level_{(i + person) % 4}/s{person}_{i:06}"
        # Trailing bytes change the checksum, not the image.
        (root / "photos" / f"{name}.jpg").write_bytes(photo + str(i).encode())
        (root / "masks" / f"{name}.png").write_bytes(mask)


class Stopwatch:
    """Wall-clock and CPU seconds by task."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.found[name] = {
            "clock": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
        }
        return result


def time_stages(root: Path) -> tuple[PhotoSet, dict[str, dict[str, float]]]:
    """Load images from files to batches; return them, on disk, with the seconds of every stage."""
    watch = Stopwatch()

    def find() -> Index:
        return find_photos(
            Search(
                photos=f"{root}/photos",
                masks=f"{root}/masks",
                manifest="",
                subject="/(s[0-9]+)_",
                classes=None,
                need_masks=True,
            )
        )

    def load(memory: float) -> PhotoSet:
        options = PrepareOptions(
            side=SIDE,
            fit="squash",
            on_bad="refuse",
            cache=f"{root}/cache",
            beam="",
            memory=memory,
            workers=os.cpu_count() or 1,
        )
        return load_photos(index, options, range(4))

    def first_batches(photos: PhotoSet) -> None:
        train = np.flatnonzero(split == "train")
        for _ in batches(photos, train, range(20)):
            pass

    index = watch.time("found", find)
    watch.time("prepared", lambda: load(1e-6))
    photos = watch.time("second start, left on disk", lambda: load(1e-6))
    resident = watch.time("second start, into memory", lambda: load(64.0))
    split = watch.time("divided", lambda: make_split(photos, (0.8, 0.1, 0.1), 0))
    watch.time("division checked", lambda: check_split(photos, split))
    path = root / "split.csv"
    watch.time("division written", lambda: write_split(path, photos, split))
    watch.time("division read", lambda: read_split(path, photos))
    watch.time("20 batches from memory", lambda: first_batches(resident))
    watch.time("20 batches from disk", lambda: first_batches(photos))
    return photos, watch.found


def compare_steps(photos: PhotoSet, rounds: int) -> dict[str, Any]:
    """Images per second of the demo's training step, in memory and streamed, alternating."""
    import jax

    from benchmarks.training_step import training_step
    from configs.top import get_config

    config, mesh = get_config("demo"), make_mesh(1, 1)
    config.train.batch_size = BATCH
    step = training_step(config, mesh)
    state = step.begin()
    sets = {"resident": replace(photos, images=photos.images[:]), "streamed": photos}
    rates: dict[str, list[float]] = {name: [] for name in sets}
    for turn in range(-1, rounds):  # the first round compiles
        for name, some in sets.items():
            steps = range(turn * STEPS + STEPS, (turn + 2) * STEPS)
            start = time.perf_counter()
            for images, answers in batches(some, np.arange(len(some)), steps):
                batch = (join_shares(rows, mesh) for rows in (images, answers))
                state, loss = step.run(state, *batch)
            jax.block_until_ready(loss)
            if turn >= 0:
                rates[name].append(STEPS * BATCH / (time.perf_counter() - start))
    ratios = np.array(rates["streamed"]) / np.array(rates["resident"])
    return {
        "model": config.model.name,
        "batch": BATCH,
        "steps_in_a_turn": STEPS,
        "turns": rounds,
        "images_per_second": {name: spread(values) for name, values in rates.items()},
        "streamed_over_resident": spread(ratios),
    }


def spread(values: np.ndarray | list[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    named = {"median": np.median(values), "least": min(values), "most": max(values)}
    return {name: float(f"{value:.4g}") for name, value in named.items()}


def main() -> None:
    """Print JSON; write it with --out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=9, help="of training steps")
    parser.add_argument("--out", default="", help="a JSON file")
    options = parser.parse_args()
    before = [round(value, 2) for value in os.getloadavg()]
    growth: dict[str, Any] = {}
    steps: dict[str, Any] = {}
    for size in map(int, options.sizes.split(",")):
        root = Path(tempfile.mkdtemp())
        try:
            write_photographs(root, size)
            photos, seconds = time_stages(root)
            growth[str(size)] = {
                part: {kind: float(f"{1e6 * value / size:.3g}") for kind, value in found.items()}
                for part, found in seconds.items()
            }
            print(json.dumps({size: growth[str(size)]}), file=sys.stderr, flush=True)
            if not steps and size >= STEPS * BATCH:
                steps = compare_steps(photos, options.rounds)
        finally:
            shutil.rmtree(root)
    found = {
        "microseconds_per_photograph": growth,
        "training": steps,
        "cores": os.cpu_count(),
        "load_average_before": before,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("jax", "grain", "array_record", "pillow", "numpy")},
    }
    text = json.dumps(found, indent=1)
    print(text)
    if options.out:
        Path(options.out).write_text(text + "\n")


if __name__ == "__main__":
    main()
