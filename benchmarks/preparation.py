"""Reading photographs: the first start and the second, beside Pillow alone.

Photographs of 1024 × 768 with masks are drawn into a temporary folder, then read in turns, rounds
times over: by one thread of Pillow that does nothing but decode and resize; into memory without a
cache; preparing a set; from the prepared set.

    python -m benchmarks.preparation --count=1000 --rounds=3
"""

import argparse
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from hairjax.data.load import load_photos
from hairjax.data.photos import Index, find_photos
from hairjax.display import Display

SIDE = 256  # what the recipe stores
WIDTH, HEIGHT = 1024, 768


def draw_photographs(root: Path, count: int) -> None:
    """Two classes of JPEGs of smooth noise, each with a mask."""
    rng = np.random.default_rng(0)
    for kind in ("photos", "masks"):
        for label in ("level_0", "level_1"):
            (root / kind / label).mkdir(parents=True)
    for i in range(count):
        noise = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
        picture = noise.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        name = f"level_{i % 2}/{i:05}"
        picture.save(root / "photos" / f"{name}.jpg", quality=90)
        hair = picture.convert("L").point(lambda value: 255 * (value > 128))
        hair.save(root / "masks" / f"{name}.png")


def decode_alone(index: Index) -> None:
    """What Pillow needs for the same pixels, in one thread and without hairjax."""
    for entry in index.entries:
        with Image.open(entry.path) as photo:
            photo.draft("RGB", (2 * SIDE, 2 * SIDE))
            photo.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        assert entry.mask is not None
        with Image.open(entry.mask) as mask:
            mask.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)


def main() -> None:
    """Print one JSON line: median seconds, and rates as multiples of one thread of Pillow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    try:
        draw_photographs(root, options.count)
        seconds = measure(root, options.rounds)
    finally:
        shutil.rmtree(root)
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    ratios = {name: medians["Pillow, one thread"] / value for name, value in medians.items()}
    print(
        json.dumps(
            {
                "photographs": options.count,
                "cores": os.cpu_count(),
                "seconds_median": {name: round(value, 2) for name, value in medians.items()},
                "times_one_thread_of_pillow": {k: round(v, 2) for k, v in ratios.items()},
            }
        )
    )


def measure(root: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of every way, in turns."""
    display, cache = Display(Console(file=io.StringIO())), root / "cache"
    place = {"photos": str(root / "photos"), "masks": str(root / "masks")}

    def find() -> Index:
        return find_photos(**place, manifest="", subject="", classes=None, need_masks=True)

    def load(where: str, memory: float) -> None:
        how = {"side": SIDE, "fit": "squash", "on_bad": "refuse", "display": display}
        load_photos(find(), expected=range(2), cache=where, memory=memory, **how)

    ways: dict[str, Callable[[], None]] = {
        "Pillow, one thread": lambda: decode_alone(find()),
        "into memory, no cache": lambda: load("", 16.0),
        "first start": lambda: load(str(cache), 16.0),
        "second start": lambda: load(str(cache), 16.0),
        "second start, left on disk": lambda: load(str(cache), 1e-6),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    main()
