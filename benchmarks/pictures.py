"""Plot synthetic images for the README: docs/synthetic.png.

python -m benchmarks.pictures
"""

from pathlib import Path

import numpy as np
from einops import rearrange, repeat
from PIL import Image

from hairjax.data.synthetic import synthesise

SIDE = 160  # of each image, in pixels
PER_STAGE = 3


def sheet(view: str) -> np.ndarray:
    """Contact sheet, a row per stage, images beside masks: uint8 [4 · SIDE, 2 · 3 · SIDE, 3]."""
    photos = synthesise(view, 120, SIDE, 7, 2, lambda done, total: None)
    # One image per person.
    _, first = np.unique(photos.subjects, return_index=True)
    rows = []
    for stage in range(len(photos.classes)):
        images = photos.images[first[photos.labels[first] == stage][:PER_STAGE]]
        mask = repeat(images[..., 3], "n h w -> n h w c", c=3)
        both = np.stack([images[..., :3], mask])
        rows.append(rearrange(both, "pair n h w c -> h (n pair w) c"))
    return np.concatenate(rows)


if __name__ == "__main__":
    both = np.concatenate(
        [sheet("top"), np.full((4 * SIDE, 16, 3), 255, np.uint8), sheet("side")], 1
    )
    target = Path(__file__).parents[1] / "docs" / "synthetic.png"
    target.parent.mkdir(exist_ok=True)
    Image.fromarray(both).quantize(128).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB")
