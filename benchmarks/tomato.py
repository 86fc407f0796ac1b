"""Arrange the public FGrade photographs of ageing tomatoes as four stages with masks and subjects.

FGrade (Das, Kar, Sekh, CVIP 2020, MIT): 64 of its series, 2,538 images. Like hair-loss grading:
ordered stages, several images per subject, one mask each.

    git clone https://github.com/skarifahmed/FGrade
    python benchmarks/tomato.py FGrade tomato
"""

import argparse
import csv
import re
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

STAGE_OF_GRADE = (0, 1, 1, 1, 2, 2, 2, 3, 3, 3)
PER_STAGE = 10  # images per series and stage
WHITE = 215  # minimum level of the background in every channel


def series_of(name: str) -> str:
    """Leading letters of a file name: the series of one ageing tomato."""
    return re.split("[^A-Za-z]", Path(name).stem, maxsplit=1)[0] or "plain"


def find(source: Path) -> dict[tuple[str, int], list[Path]]:
    """Images by (series, stage), sorted by name over both halves of the set."""
    found = defaultdict(list)
    for path in source.glob("data/*_set/*/*.jpg"):
        found[series_of(path.name), STAGE_OF_GRADE[int(path.parent.name)]].append(path)
    return {key: sorted(paths, key=lambda path: path.name) for key, paths in found.items()}


def segment(photo: Path) -> Image.Image:
    """Segment the tomato: largest non-white component, holes filled."""
    with Image.open(photo) as image:
        dark = np.asarray(image.convert("RGB")).min(axis=2) < WHITE
    parts, count = ndimage.label(dark)
    sizes = ndimage.sum(dark, parts, range(1, count + 1))
    return Image.fromarray(ndimage.binary_fill_holes(parts == 1 + np.argmax(sizes)))


def arrange(source: Path, target: Path) -> None:
    """Write ``photos/level_N``, ``masks/level_N`` and ``manifest.csv``."""
    found = find(source)
    if not found:
        raise SystemExit(f"no photographs under {source}/data: is it a clone of FGrade?")
    series = sorted({name for name, _ in found})
    selected = [name for i, name in enumerate(series) if i % 3 != 2]
    rows = []
    for name in selected:
        for stage in range(4):
            paths = found[name, stage]
            # Evenly spaced; all images of a shorter series.
            for i in sorted(set(np.linspace(0, len(paths) - 1, PER_STAGE).round().astype(int))):
                stem = paths[i].name if name != "plain" else f"plain{paths[i].name}"
                file = Path(f"level_{stage}") / stem
                (target / "photos" / file).parent.mkdir(parents=True, exist_ok=True)
                (target / "masks" / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(paths[i], target / "photos" / file)
                segment(paths[i]).save(target / "masks" / file.with_suffix(".png"))
                rows.append((file.as_posix(), stage, name, paths[i].parent.name))
    with (target / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file", "label", "subject", "grade"))
        writer.writerows(sorted(rows))
    print(f"{len(rows):,} photographs of {len(selected)} tomatoes in {target}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="a clone of the FGrade repository")
    parser.add_argument("target", type=Path, help="the folder to write")
    arguments = parser.parse_args()
    arrange(arguments.source, arguments.target)
