"""Face in profile: relief, colours, eye, brow, lips, nostril, ear."""

from dataclasses import dataclass

import numpy as np
from einops import einsum, rearrange
from PIL import Image, ImageDraw

from hairjax.data.synthetic.paint import coordinates, resize, smooth_noise
from hairjax.data.synthetic.people import Person
from hairjax.data.synthetic.profile import Features, Pose, at_depth, curve, to_pixels

# Surfaces are smooth: a coarse grid suffices at any resolution.
RELIEF_GRID = 80

# Relief of the near side: x, y, width, height in head coordinates, amount.
RELIEF = np.array(
    [
        (-0.56, -0.13, 0.07, 0.05, 0.030),  # brow
        (-0.50, -0.03, 0.07, 0.06, -0.055),  # eye socket
        (-0.40, 0.14, 0.13, 0.09, 0.050),  # cheekbone
        (-0.60, 0.28, 0.05, 0.045, 0.050),  # wing of the nose
        (-0.50, 0.30, 0.04, 0.10, -0.030),  # nasolabial fold
        (-0.53, 0.50, 0.06, 0.06, 0.030),  # lips
        (-0.46, 0.485, 0.035, 0.04, -0.035),  # corner of the mouth
        (-0.30, 0.32, 0.13, 0.13, -0.040),  # hollow of the cheek
        (-0.52, 0.66, 0.07, 0.06, 0.030),  # chin
        (-0.38, -0.15, 0.10, 0.12, -0.030),  # temple
        (-0.05, 0.45, 0.15, 0.08, 0.040),  # angle of the jaw
    ],
    dtype=np.float32,
)
EYE_SHADE = np.array([(-0.50, -0.03, 0.05, 0.05, 1.0)], dtype=np.float32)
BLUSH = np.array(
    [(-0.42, 0.22, 0.14, 0.12, 1.0), (-0.68, 0.25, 0.07, 0.07, 1.0), (0.16, 0.10, 0.12, 0.20, 0.8)],
    dtype=np.float32,
)
STUBBLE = np.array(
    [
        (-0.42, 0.61, 0.16, 0.14, 0.9),
        (-0.14, 0.50, 0.15, 0.12, 0.7),
        (-0.57, 0.38, 0.04, 0.05, 0.5),
    ],
    dtype=np.float32,
)
BLUSH_COLOUR = np.array([0.10, -0.03, -0.04], dtype=np.float32).reshape(3, 1, 1)
STUBBLE_COLOUR = np.array([0.42, 0.36, 0.32], dtype=np.float32).reshape(3, 1, 1)


@dataclass(frozen=True)
class Mark:
    """Facial feature: an outline or a line."""

    points: list[tuple[float, float]]
    depth: float
    colour: tuple[int, int, int] | None  # factor of the skin colour, 128: 1; None: hair colour
    width: float = 0.0  # of a line through the points; 0: filled outline


MARKS = [
    Mark(
        [(-0.61, 0.395), (-0.592, 0.43), (-0.56, 0.478), (-0.475, 0.487), (-0.53, 0.445)],
        0.05,
        (122, 94, 93),
    ),  # upper lip
    Mark(
        [(-0.56, 0.48), (-0.60, 0.525), (-0.56, 0.555), (-0.52, 0.53), (-0.475, 0.487)],
        0.05,
        (132, 102, 101),
    ),  # lower lip
    Mark([(-0.57, 0.478), (-0.52, 0.478), (-0.47, 0.49)], 0.05, (58, 40, 40), 0.010),  # mouth
    Mark(
        [(-0.655, 0.315), (-0.632, 0.30), (-0.605, 0.303), (-0.61, 0.32), (-0.635, 0.327)],
        0.05,
        (52, 34, 30),
    ),  # nostril
    Mark([(-0.575, 0.315), (-0.56, 0.27), (-0.575, 0.23)], 0.1, (98, 88, 85), 0.016),  # its wing
    Mark(
        [
            (-0.548, -0.035),
            (-0.53, -0.05),
            (-0.50, -0.035),
            (-0.462, 0.008),
            (-0.50, 0.014),
            (-0.54, 0.012),
        ],
        0.15,
        (170, 178, 186),
    ),  # eye
    Mark(
        [(-0.548, -0.035), (-0.53, -0.046), (-0.515, -0.02), (-0.518, 0.008), (-0.54, 0.012)],
        0.15,
        (45, 32, 25),
    ),  # iris
    Mark(
        [(-0.568, -0.035), (-0.535, -0.055), (-0.495, -0.04), (-0.452, 0.01)],
        0.15,
        (42, 32, 30),
        0.013,
    ),  # lashes
    Mark([(-0.56, -0.075), (-0.52, -0.088), (-0.465, -0.045)], 0.15, (94, 86, 82), 0.012),  # lid
    Mark(
        [
            (-0.625, -0.115),
            (-0.57, -0.16),
            (-0.49, -0.16),
            (-0.41, -0.115),
            (-0.49, -0.138),
            (-0.57, -0.125),
        ],
        0.12,
        None,
    ),  # brow
    Mark(
        [
            (0.10, 0.045),
            (0.14, 0.0),
            (0.185, 0.03),
            (0.18, 0.10),
            (0.145, 0.155),
            (0.105, 0.145),
            (0.118, 0.09),
        ],
        0.49,
        (82, 70, 68),
    ),  # hollow of the ear
    Mark(
        [
            (0.095, -0.03),
            (0.13, -0.088),
            (0.19, -0.085),
            (0.218, -0.02),
            (0.212, 0.06),
            (0.188, 0.125),
        ],
        0.5,
        (100, 90, 88),
        0.02,
    ),  # its groove
]
# All marks as one array of curves [n, 3] for joint projection, and the end of each.
_MARK_CURVES = [
    at_depth(curve(np.array(mark.points), closed=not mark.width), mark.depth) for mark in MARKS
]
MARK_POINTS = np.concatenate(_MARK_CURVES)
MARK_ENDS = np.cumsum([len(points) for points in _MARK_CURVES])[:-1]


def spots(table: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sum of soft spots (rows of x, y, width, height, amount) at head coordinates: [h, w]."""
    centre_x, centre_y, width, height, amount = table.T[:, :, None, None]
    shapes = np.exp(-(((x - centre_x) / width) ** 2) - ((y - centre_y) / height) ** 2)
    return einsum(amount[:, 0, 0], shapes, "n, n h w -> h w").astype(np.float32)


def render_marks(features: Features, pose: Pose, person: Person, side: int) -> np.ndarray:
    """Render facial features as factors [3, side, side] of the skin colour."""
    size = side * 2
    image = Image.new("RGB", (size, size), (128, 128, 128))  # 128 is a factor of 1
    canvas = ImageDraw.Draw(image)
    brow = np.clip(190 * person.hair.colour / np.maximum(person.skin, 0.02), 20, 120).astype(int)
    points = pose.to_frame(features.shape(MARK_POINTS))
    for mark, part in zip(MARKS, np.split(points, MARK_ENDS), strict=True):
        colour = mark.colour or tuple(brow.ravel().tolist())
        if mark.width:
            width = max(1, round(mark.width * pose.scale * side))
            canvas.line(to_pixels(part, size), fill=colour, width=width, joint="curve")
        else:
            canvas.polygon(to_pixels(part, size), fill=colour)
    factors = np.asarray(image.reduce(2), dtype=np.float32) / 128
    return rearrange(factors, "h w c -> c h w")


def colour_skin(
    features: Features, pose: Pose, person: Person, rng: np.random.Generator, side: int
) -> np.ndarray:
    """Unlit skin colour [3, side, side] with facial features."""
    x, y = pose.to_head(*coordinates(RELIEF_GRID))
    blush = 1 + resize(spots(BLUSH, x, y), side) * BLUSH_COLOUR
    beard = np.float32(features.stubble) * np.clip(spots(STUBBLE, x, y), 0, 1)
    shaved = 1 - resize(beard, side) * (0.8 + 0.3 * smooth_noise(rng, 90, side)) * STUBBLE_COLOUR
    mottled = 1 + 0.05 * smooth_noise(rng, 9, side) + 0.03 * smooth_noise(rng, 60, side)
    marks = render_marks(features, pose, person, side)
    return person.skin * mottled * blush * shaved * marks
