"""Photographs that are drawn rather than taken, with true hair masks, for trying everything out.

They stand in for photographs that cannot be shared: people of many looks, each photographed several
times from the top or from the side, at four stages of hair loss that overlap a little.
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
    """Draw synthetic photographs and their hair masks.

    Photograph i depends on (`seed`, `view`, i, `side`) only: not on `workers`, and a smaller
    `count` gives the start of what a larger one gives. The same scene is drawn at every `side`.
    Person number k is the same in both views, with the same hair loss.

    The label is the stage that a grader gives who errs a little, so that even who knows the true
    severity misses about one label in thirteen.

    Args:
        view: "top" for the crown from above, "side" for the hairline in profile.
        count: How many photographs, 1 or more; there are 3 to 6 of each person.
        side: Height and width in pixels, 32 … 1024.
        seed: 0 or more.
        workers: How many threads draw, 1 or more.
        progress: Called with (photographs done, `count`) after each of them, in this thread.

    Returns:
        Photographs with files such as "level_2/s0001_1.png", subjects such as "s0001" and the
        classes "level_0" … "level_3".

    Raises:
        ValueError: An argument is not one of the above.
    """
    check_arguments(view, count, side, seed, workers)
    shots = plan_shots(view, count, seed)
    images = np.empty((count, side, side, 4), dtype=np.uint8)
    digests: list[str] = []

    def draw_into_place(i: int) -> str:
        images[i] = draw_shot(view, shots[i], i, side, seed)
        return hashlib.sha256(images[i]).hexdigest()

    # Large photographs are drawn almost without the interpreter's lock, so that threads help; with
    # small ones they help little, but starting processes would take longer than it saves.
    pool = ThreadPoolExecutor(workers)
    try:
        for digest in pool.map(draw_into_place, range(count)):
            digests.append(digest)
            progress(len(digests), count)
    finally:  # an interrupted drawing does not first draw what is still waiting
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
    """Refuse what cannot be drawn."""
    if view not in VIEWS:
        raise ValueError(f"view is {view!r}; the views are {' and '.join(map(repr, VIEWS))}")
    if not SIDES[0] <= side <= SIDES[1]:
        raise UserError(f"side is {side}; it may be {SIDES[0]} to {SIDES[1]} pixels")
    for name, value, least in (("count", count, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if value < least:
            raise ValueError(f"{name} is {value}; it may be {least} or more")


def draw_shot(view: str, shot: Shot, index: int, side: int, seed: int) -> np.ndarray:
    """Draw photograph `index` of a seed: uint8 [side, side, 4], RGB and mask."""
    # what a person keeps in a view, and what is new in each photograph, have streams of their own
    stream = 4 + 2 * VIEWS.index(view)
    shape_rng = np.random.default_rng([seed, stream, shot.person.number])
    shot_rng = np.random.default_rng([seed, stream + 1, index])
    canvas = side + max(side // 4, 32)  # larger than the photograph: shrinking smooths the edges
    paint = paint_top if view == "top" else paint_side
    scene = paint(shot.person, shot.severity, shape_rng, shot_rng, canvas)
    picture, cover = lay_hair(scene, shot.person.hair, shot_rng)
    return photograph(picture, cover, side, shot_rng)
