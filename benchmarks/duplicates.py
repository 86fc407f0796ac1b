"""Near-duplicate detection: recall on planted copies, false positives, time by set size.

Planted copies of images are edited in every supported way. Timing uses blends of two images.

    python -m benchmarks.duplicates tomato/photos --subject='/([A-Za-z]+)'
    python -m benchmarks.duplicates tomato/photos --subject='/([A-Za-z]+)' --sizes=2500,10000
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.read_options import read_options
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.read import prepare, read_photo
from hairjax.data.quality.duplicates import find_duplicates, turned
from hairjax.data.sources.photos import Search, find_photos

SIDE = 128  # of the prepared images, in pixels


def cut(share: float) -> Callable[[Image.Image], Image.Image]:
    """Central crop that removes a fraction of each side."""
    return lambda photo: edges(photo, share / 2, share / 2, share / 2, share / 2)


def edges(photo: Image.Image, *shares: float) -> Image.Image:
    """Crop by fractions at left, top, right and bottom."""
    left, top, right, bottom = shares
    width, height = photo.size
    box = (left * width, top * height, width - right * width, height - bottom * height)
    left, top, right, bottom = map(round, box)
    return photo.crop((left, top, right, bottom))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 60": lambda photo: photo,  # saved with quality 60
    "half size": lambda photo: photo.resize((photo.width // 2, photo.height // 2)),
    "mirrored": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "cropped 3 %": cut(0.03),
    "cropped 5 %": cut(0.05),
    "cropped 5 % at each edge": cut(0.10),
    "cropped 5 % at two edges": lambda photo: edges(photo, 0.05, 0.05, 0.0, 0.0),
    "turned 90°": lambda photo: photo.transpose(Image.Transpose.ROTATE_90),
    "turned 180°": lambda photo: photo.transpose(Image.Transpose.ROTATE_180),
    "turned 270°": lambda photo: photo.transpose(Image.Transpose.ROTATE_270),
}


def plant(photos: Path, files: list[str], copy: str, folder: Path) -> np.ndarray:
    """Write and load edited copies: uint8 [n, SIDE, SIDE, 4]."""
    pixels = []
    path = folder / ("copy.jpg" if copy == "JPEG 60" else "copy.png")
    for file in files:
        with Image.open(photos / file) as photo:
            COPIES[copy](photo.convert("RGB")).save(path, quality=60)
        pixels.append(read_photo(path, None, SIDE, "squash")[0])
    return np.stack(pixels)


def count_found(photos: Path, photoset: PhotoSet, count: int) -> dict[str, dict[str, int]]:
    """Copies paired with their image, for each edit, planted separately and together."""
    chosen = np.random.default_rng(0).permutation(len(photoset))[:count]
    files = [photoset.files[i] for i in chosen]
    with tempfile.TemporaryDirectory() as folder:
        planted = {copy: plant(photos, files, copy, Path(folder)) for copy in COPIES}
    found: dict[str, dict[str, int]] = {}
    for name, copies in {**{copy: [copy] for copy in COPIES}, "together": [*COPIES]}.items():
        images = np.concatenate([photoset.images, *(planted[copy] for copy in copies)])
        pairs = {(p.first, p.second) for p in find_duplicates(images, lambda done, total: None)}
        paired = {place for pair in pairs for place in pair}
        places = np.arange(len(photoset), len(images))
        original = np.tile(chosen, len(copies))
        found[name] = {
            "planted": len(places),
            "paired with its photograph": sum(
                pair in pairs for pair in zip(original.tolist(), places.tolist(), strict=True)
            ),
            "paired": sum(int(place) in paired for place in places),
        }
    return found


def count_false_positives(photoset: PhotoSet) -> dict[str, float | int]:
    """Pairs of different subjects without planted copies."""
    pairs = find_duplicates(photoset.images, lambda done, total: None)
    subjects = photoset.subjects
    other = {
        i for p in pairs for i in (p.first, p.second) if subjects[p.first] != subjects[p.second]
    }
    return {
        "photographs": len(photoset),
        "pairs": len(pairs),
        "paired with another subject": len(other),
        "share": len(other) / len(photoset),
    }


def measure_time(photoset: PhotoSet, count: int) -> dict[str, float]:
    """Seconds for ``count`` blended images."""
    rng = np.random.default_rng(0)
    images = np.empty((count, SIDE, SIDE, 3), np.uint8)
    for i in range(count):
        one, other = rng.choice(len(photoset), 2, replace=False)
        pair = (
            turned(photoset.images[k : k + 1][..., :3], int(rng.integers(8))) for k in (one, other)
        )
        images[i] = sum(0.5 * picture[0] for picture in pair)
    wall, cpu = time.perf_counter(), time.process_time()
    pairs = find_duplicates(images, lambda done, total: None)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"pictures": count, "seconds": round(wall, 1), "cpu": round(cpu, 1), "pairs": len(pairs)}


def main() -> None:
    """Print one JSON line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", help="a folder per class")
    parser.add_argument("--subject", default="", help="regular expression on a path")
    parser.add_argument("--count", type=int, default=50, help="photographs that are copied")
    parser.add_argument("--sizes", default="", help="only the time, for so many pictures")
    options = parser.parse_args()
    source = {"photos": options.photos, "masks": "", "manifest": "", "subject": options.subject}
    index = find_photos(Search(**source, classes=None, need_masks=False))
    workers = os.cpu_count() or 1
    photoset, _ = prepare(index, read_options(SIDE, workers), lambda done, total: None)
    if options.sizes:
        for size in map(int, options.sizes.split(",")):
            print(json.dumps(measure_time(photoset, size)), flush=True)
        return
    # Remove identical files.
    _, first = np.unique(photoset.sha256, return_index=True)
    photoset = photoset.subset(np.sort(first))
    print(json.dumps(count_false_positives(photoset)), flush=True)
    for name, counts in count_found(Path(options.photos), photoset, options.count).items():
        print(json.dumps({"copies": name} | counts), flush=True)


if __name__ == "__main__":
    main()
