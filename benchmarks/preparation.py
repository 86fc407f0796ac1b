"""Image loading at the first and second start, relative to Pillow.

Phone-like JPEGs (12 megapixels, rotated by EXIF, grain) are loaded in alternating rounds: by one
thread of plain Pillow (draft mode and resize); by a Pillow process per core; into memory without
cache; preparing a set; from the prepared set.

    python -m benchmarks.preparation --count=200 --rounds=5 --out=benchmarks/preparation.json
    python -m benchmarks.preparation --count=1000 --width=1024 --height=768 --masks
"""

import argparse
import io
import json
import multiprocessing
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, features

from hairjax.data.options import PrepareOptions
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.load import load_photos
from hairjax.data.sources.photos import Entry, Index, Search, find_photos
from hairjax.system.malloc import keep_freed_memory

SIDE = 256  # stored side of the recipe, in pixels
DISTINCT = 20  # distinct images, each written several times
LYING = 6  # EXIF orientation of an upright phone
ALONE = "Pillow, one thread"


def write_photographs(root: Path, count: int, width: int, height: int, masks: bool) -> None:
    """Write JPEGs of smooth noise with grain in two classes, and optionally masks."""
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = LYING
    for label in ("level_0", "level_1"):
        for kind in ("photos", "masks")[: 1 + masks]:
            (root / kind / label).mkdir(parents=True)
    for number in range(min(DISTINCT, count)):
        noise = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
        smooth = np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC))
        grain = np.rint(rng.normal(0, 6, (height, width, 1))).astype(np.int16)
        picture = Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))
        photo, hair = io.BytesIO(), io.BytesIO()
        picture.save(photo, "JPEG", quality=90, exif=exif)
        dark = Image.fromarray(smooth).convert("L").point(lambda value: 255 * (value > 128))
        dark.transpose(Image.Transpose.ROTATE_270).save(hair, "PNG")
        for i in range(number, count, DISTINCT):
            name = f"level_{i % 2}/{i:05}"
            (root / "photos" / f"{name}.jpg").write_bytes(photo.getvalue())
            if masks:
                (root / "masks" / f"{name}.png").write_bytes(hair.getvalue())


def find(root: Path, masks: bool) -> Index:
    """Index of the images."""
    return find_photos(
        Search(
            photos=str(root / "photos"),
            masks=str(root / "masks") if masks else "",
            manifest="",
            subject="",
            classes=None,
            need_masks=masks,
        )
    )


def load(root: Path, masks: bool, cache: str, memory: float) -> PhotoSet:
    """Load the images; `memory` in GiB limits those of a prepared set in memory."""
    options = PrepareOptions(
        side=SIDE,
        fit="squash",
        on_bad="refuse",
        cache=cache,
        beam="",
        memory=memory,
        workers=os.cpu_count() or 1,
    )
    return load_photos(find(root, masks), options, range(2))


def decode(entry: Entry) -> None:
    """Decode with Pillow alone, to the same size."""
    with Image.open(str(entry.path)) as photo:
        photo.draft("RGB", (2 * SIDE, 2 * SIDE))
        photo.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    if entry.mask is not None:
        with Image.open(str(entry.mask)) as mask:
            mask.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)


def measure(root: Path, masks: bool, rounds: int) -> dict[str, list[float]]:
    """Seconds of every way, alternating."""
    cache = str(root / "cache")
    cores, spawn = os.cpu_count() or 1, multiprocessing.get_context("spawn")
    seconds: dict[str, list[float]] = {}
    with ProcessPoolExecutor(cores, spawn) as pool:
        list(pool.map(decode, find(root, masks).entries[: 2 * cores]))
        ways: dict[str, Callable[[], object]] = {
            ALONE: lambda: list(map(decode, find(root, masks).entries)),
            "Pillow, a process per core": lambda: list(pool.map(decode, find(root, masks).entries)),
            "into memory, no cache": lambda: load(root, masks, "", 16.0),
            "first start": lambda: load(root, masks, cache, 16.0),
            "second start": lambda: load(root, masks, cache, 16.0),
            "second start, left on disk": lambda: load(root, masks, cache, 1e-6),
        }
        for _ in range(rounds):
            shutil.rmtree(cache, ignore_errors=True)
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                seconds.setdefault(name, []).append(time.perf_counter() - start)
    return seconds


def summary(seconds: dict[str, list[float]], options: argparse.Namespace) -> dict[str, object]:
    """Seconds, and the rate relative to cores × one thread of Pillow, by round."""
    cores = os.cpu_count() or 1
    ratios = {
        name: np.array(seconds[ALONE]) / np.array(times) / cores for name, times in seconds.items()
    }

    def spread(values: np.ndarray | list[float], digits: int) -> dict[str, float]:
        named = {"median": np.median(values), "least": min(values), "most": max(values)}
        return {name: round(float(value), digits) for name, value in named.items()}

    return {
        "photographs": options.count,
        "pixels": [options.width, options.height],
        "masks": options.masks,
        "rounds": options.rounds,
        "cores": cores,
        "versions": {"python": platform.python_version(), "pillow": version("pillow")}
        | {"libjpeg-turbo": features.version("libjpeg_turbo")},
        "seconds": {name: spread(times, 2) for name, times in seconds.items()},
        "share_of_cores_times_one_thread": {k: spread(v, 3) for k, v in ratios.items()},
    }


def main() -> None:
    """Print JSON; write it with --out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--width", type=int, default=4032)
    parser.add_argument("--height", type=int, default=3024)
    parser.add_argument("--masks", action="store_true", help="add masks of the same size")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", default="", help="a JSON file")
    options = parser.parse_args()
    keep_freed_memory()  # as launch.py does
    before = os.getloadavg()
    root = Path(tempfile.mkdtemp())
    try:
        write_photographs(root, options.count, options.width, options.height, options.masks)
        seconds = measure(root, options.masks, options.rounds)
    finally:
        shutil.rmtree(root)
    found = summary(seconds, options) | {"load_average_before": [round(v, 2) for v in before]}
    text = json.dumps(found, indent=1)
    print(text)
    if options.out:
        Path(options.out).write_text(text + "\n")


if __name__ == "__main__":
    main()
