"""Synthetic images with exact hair masks, for demos and tests.

Several images per person, from the top or the side, at four slightly overlapping stages of hair
loss.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hairjax.data.options import VIEWS
from hairjax.data.photoset import PhotoSet
from hairjax.data.synthetic.paint import lay_hair, photograph
from hairjax.data.synthetic.people import STAGES, Shot, plan_shots
from hairjax.data.synthetic.side import paint_side
from hairjax.data.synthetic.top import paint_top
from hairjax.system.errors import UserError

SIDES = (32, 1024)


def synthesise(
    view: str,
    count: int,
    side: int,
    seed: int,
    workers: int,
    progress: Callable[[int, int], None],
) -> PhotoSet:
    """Synthesise images and hair masks.

    Image i depends on (`seed`, `view`, i, `side`) only, its scene not on `side`. Person k has the
    same hair loss in both views. A noisy grader labels the images: the true severity predicts about
    12 of 13 labels.

    Args:
        view: "top" for the crown from above, "side" for the hairline in profile.
        count: number of images, 1 or more, 3 to 6 per person.
        side: height and width in pixels, 32 … 1024.
        seed: 0 or more.
        workers: number of threads, 1 or more.
        progress: called in this thread with (images done, `count`).

    Returns:
        Images with files such as "level_2/s0001_1.png", subjects such as "s0001" and the classes
        "level_0" … "level_3".

    Raises:
        UserError: `side` is out of range.
        ValueError: another argument is out of range.
    """
    check_arguments(view, count, side, seed, workers)
    shots = plan_shots(view, count, seed)
    images = np.empty((count, side, side, 4), dtype=np.uint8)
    digests: list[str] = []

    def render(i: int) -> str:
        images[i] = render_shot(view, shots[i], i, side, seed)
        return hashlib.sha256(images[i]).hexdigest()

    # Rendering large images mostly releases the interpreter's lock; for small ones, starting
    # processes would cost more than it saves.
    pool = ThreadPoolExecutor(workers)
    try:
        for digest in pool.map(render, range(count)):
            digests.append(digest)
            progress(len(digests), count)
    finally:  # cancel the pending images on interruption
        pool.shutdown(cancel_futures=True)
    subjects = tuple(f"s{shot.person.number + 1:04d}" for shot in shots)
    return PhotoSet(
        images=images,
        labels=np.array([shot.label for shot in shots], dtype=np.int32),
        files=tuple(
            f"level_{shot.label}/{subject}_{shot.take}.png"
            for shot, subject in zip(shots, subjects, strict=True)
        ),
        subjects=subjects,
        sha256=tuple(digests),
        classes=tuple(f"level_{stage}" for stage in range(STAGES)),
        has_masks=True,
    )


def check_arguments(view: str, count: int, side: int, seed: int, workers: int) -> None:
    """Raise on invalid arguments of `synthesise`.

    Raises:
        UserError: `side` is out of range.
        ValueError: another argument is out of range.
    """
    if view not in VIEWS:
        raise ValueError(f"view is {view!r}; the views are {' and '.join(map(repr, VIEWS))}")
    if not SIDES[0] <= side <= SIDES[1]:
        raise UserError(f"side is {side}; it may be {SIDES[0]} to {SIDES[1]} pixels")
    for name, value, least in (("count", count, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if value < least:
            raise ValueError(f"{name} is {value}; it may be {least} or more")


def render_shot(view: str, shot: Shot, index: int, side: int, seed: int) -> np.ndarray:
    """Render image `index` of a seed: uint8 [side, side, 4], RGB and mask."""
    # separate random streams for a person in a view, and for each image
    stream = 4 + 2 * VIEWS.index(view)
    shape_rng = np.random.default_rng([seed, stream, shot.person.number])
    shot_rng = np.random.default_rng([seed, stream + 1, index])
    canvas = side + max(side // 4, 32)  # larger than the image; downsizing antialiases
    paint = paint_top if view == "top" else paint_side
    scene = paint(shot.person, shot.severity, shape_rng, shot_rng, canvas)
    picture, cover = lay_hair(scene, shot.person.hair, shot_rng)
    return photograph(picture, cover, side, shot_rng)
