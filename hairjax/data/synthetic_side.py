"""A head photographed from the side: a face in profile and a hairline whose corners recede."""

from dataclasses import dataclass

import numpy as np
from einops import einsum, rearrange
from PIL import Image, ImageDraw

from hairjax.data import synthetic_profile as profile
from hairjax.data.synthetic_paint import (
    CLOTHES,
    Scene,
    blend,
    blur,
    choose_colour,
    coordinates,
    paint_room,
    ramp,
    resize,
    smooth_noise,
    unit,
)
from hairjax.data.synthetic_people import Person
from hairjax.data.synthetic_profile import Features, Pose, at_depth, curve, fill, to_pixels

# Surfaces and creases are smooth: a coarse grid holds them at any number of pixels.
RELIEF_GRID = 80

# Bumps and hollows of the near side of the face: x, y, width, height in head coordinates, amount.
RELIEF = np.array(
    [
        (-0.56, -0.13, 0.07, 0.05, 0.030),  # brow
        (-0.50, -0.03, 0.07, 0.06, -0.055),  # eye socket
        (-0.40, 0.14, 0.13, 0.09, 0.050),  # cheekbone
        (-0.60, 0.28, 0.05, 0.045, 0.050),  # wing of the nose
        (-0.50, 0.30, 0.04, 0.10, -0.030),  # fold beside it
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


def spots(table: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sum soft spots (rows of x, y, width, height, amount) at head coordinates [h, w]."""
    centre_x, centre_y, width, height, amount = table.T[:, :, None, None]
    shapes = np.exp(-(((x - centre_x) / width) ** 2) - ((y - centre_y) / height) ** 2)
    return einsum(amount[:, 0, 0], shapes, "n, n h w -> h w").astype(np.float32)


@dataclass(frozen=True)
class Outlines:
    """The outlines of one photograph in the frame, each [n, 2]."""

    head: np.ndarray
    hair: np.ndarray
    neck: np.ndarray
    ear: np.ndarray
    garment: np.ndarray


def trace_outlines(features: Features, pose: Pose, severity: float, volume: float) -> Outlines:
    """Project the outlines of one person in one pose."""

    def project(points: np.ndarray) -> np.ndarray:
        return pose.to_frame(features.shape(points))

    return Outlines(
        head=project(profile.head_outline()),
        hair=project(profile.hair_region(severity, features, volume)),
        neck=project(at_depth(curve(profile.NECK), 0.12)),
        ear=project(at_depth(curve(profile.EAR), 0.5)),
        garment=project(at_depth(curve(profile.GARMENT), 0.1)),
    )


def inflate(shape: np.ndarray, wide: float, narrow: float) -> np.ndarray:
    """Round off a filled shape [h, w] like a cushion: the height of its middle and of its rim."""
    coarse = np.asarray(Image.fromarray(shape).resize((32, 32), Image.Resampling.BOX))
    middle = np.sqrt(np.clip(2 * resize(blur(coarse, 0.26), len(shape)) - 0.95, 0, 1))
    rim = np.sqrt(np.clip(2 * blur(shape, 0.07) - 0.98, 0, 1))
    return wide * middle + narrow * rim


def model_surface(outlines: Outlines, pose: Pose, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return unit normals [3, h, w] of head, hair and neck, and where light reaches them [h, w]."""
    grid = RELIEF_GRID
    head, hair, neck, ear = (
        fill(outline, grid)
        for outline in (outlines.head, outlines.hair, outlines.neck, outlines.ear)
    )
    x, y = pose.to_head(*coordinates(grid))
    near = np.maximum(head, hair)
    height = np.maximum(
        inflate(near, 0.42, 0.10) + 0.05 * near + spots(RELIEF, x, y), inflate(neck, 0.16, 0.08)
    )
    height = blur(height + 0.05 * blur(ear, 0.015), 0.017)
    slope_y, slope_x = np.gradient(height, 2 / grid)
    normal = np.stack([-slope_x, -slope_y, np.ones_like(height)]).astype(np.float32)

    bare_neck = np.clip(blur(neck, 0.02) - blur(near, 0.02), 0, 1)
    under_jaw = bare_neck * (0.25 + 0.32 * ramp(y, 1.0, 0.62))
    behind_ear = np.clip(blur(ear, 0.03) - ear, 0, 1)
    light = (1 - under_jaw) * (1 - 0.6 * behind_ear) * (1 - 0.25 * spots(EYE_SHADE, x, y))
    return (
        unit(np.stack([resize(part, side) for part in normal])),
        np.clip(resize(light.astype(np.float32), side), 0, 1),
    )


def draw_marks(features: Features, pose: Pose, person: Person, side: int) -> np.ndarray:
    """Draw eye, brow, lips, nostril and ear as factors [3, side, side] of the skin's colour."""
    size = side * 2
    image = Image.new("RGB", (size, size), (128, 128, 128))  # 128 is a factor of 1
    draw = ImageDraw.Draw(image)
    brow = np.clip(190 * person.hair.colour / np.maximum(person.skin, 0.02), 20, 120).astype(int)
    points = pose.to_frame(features.shape(profile.MARK_POINTS))
    for mark, part in zip(profile.MARKS, np.split(points, profile.MARK_ENDS), strict=True):
        colour = mark.colour or tuple(brow.ravel().tolist())
        if mark.width:
            width = max(1, round(mark.width * pose.scale * side))
            draw.line(to_pixels(part, size), fill=colour, width=width, joint="curve")
        else:
            draw.polygon(to_pixels(part, size), fill=colour)
    factors = np.asarray(image.reduce(2), dtype=np.float32) / 128
    return rearrange(factors, "h w c -> c h w")


def colour_skin(
    features: Features, pose: Pose, person: Person, rng: np.random.Generator, side: int
) -> np.ndarray:
    """Return the colour of the skin [3, side, side], not lit, with everything drawn on the face."""
    x, y = pose.to_head(*coordinates(RELIEF_GRID))
    blush = 1 + resize(spots(BLUSH, x, y), side) * BLUSH_COLOUR
    beard = np.float32(features.stubble) * np.clip(spots(STUBBLE, x, y), 0, 1)
    shaved = 1 - resize(beard, side) * (0.8 + 0.3 * smooth_noise(rng, 90, side)) * STUBBLE_COLOUR
    mottled = 1 + 0.05 * smooth_noise(rng, 9, side) + 0.03 * smooth_noise(rng, 60, side)
    marks = draw_marks(features, pose, person, side)
    return person.skin * mottled * blush * shaved * marks


def grow_hair(
    outlines: Outlines,
    features: Features,
    pose: Pose,
    severity: float,
    rng: np.random.Generator,
    side: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return density [h, w] and direction [h, w] of the hair; `severity` runs over 0 … 4."""
    x, y = pose.to_head(*coordinates(side))
    inside = resize(blur(fill(outlines.hair, RELIEF_GRID), 0.02 + 0.007 * severity), side)
    inside = np.clip(inside, 0, 1)
    ragged = inside + inside * (1 - inside) * 0.45 * smooth_noise(rng, 26, side)
    grown = np.clip((ragged - 0.5) / 0.42 + 0.5, 0, 1)
    # above the corners hair is thin before it is gone
    lock, corner, _ = profile.hairline_points(severity, features)
    middle_x, middle_y = (0.5 * (lock + corner) + [0.08, -0.05]).astype(np.float32)
    crown = np.exp(-(((x - middle_x) / 0.30) ** 2) - ((y - middle_y) / 0.20) ** 2)
    thinned = 1 - np.clip(0.16 * severity - 0.05, 0, 0.6) * crown
    density = grown * thinned * (1 - fill(outlines.ear, side))

    # over the top it lies along the outline of the head, at the side it falls
    off_x, off_y = x - np.float32(0.05), y + np.float32(0.05)
    radius = np.sqrt(off_x**2 + off_y**2) + np.float32(1e-4)
    combed = ramp(radius, features.fall, features.fall + 0.32)
    along_x = combed * (-off_y / radius) + (1 - combed) * np.float32(0.3)
    along_y = combed * (off_x / radius) + (1 - combed)
    angle = np.arctan2(along_y, along_x * pose.facing) + pose.roll * pose.facing
    angle = angle + 0.10 * smooth_noise(rng, 6, side)
    return density.astype(np.float32), angle.astype(np.float32)


def dress(
    outlines: Outlines, normal: np.ndarray, rng: np.random.Generator, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Paint the room [3, h, w] with the garment in it, and return what that covers [h, w]."""
    garment = fill(outlines.garment, side)
    weave = 0.75 + 0.15 * smooth_noise(rng, 5, side) + 0.06 * smooth_noise(rng, 100, side)
    cloth = choose_colour(rng, CLOTHES) * (weave * (0.7 + 0.3 * normal[2]))
    near = np.maximum(fill(outlines.head, RELIEF_GRID), fill(outlines.neck, RELIEF_GRID))
    room = paint_room(rng, side) * (1 - 0.25 * resize(blur(near, 0.12), side))
    return blend(room, cloth, garment), garment


def paint_side(
    person: Person,
    severity: float,
    shape_rng: np.random.Generator,
    shot_rng: np.random.Generator,
    side: int,
) -> Scene:
    """Build the scene [side, side] of one photograph from the side.

    `shape_rng` gives what the person keeps from photograph to photograph, `shot_rng` the rest.
    """
    features = profile.draw_features(shape_rng)
    pose = profile.draw_pose(shot_rng)
    outlines = trace_outlines(features, pose, severity, 0.9 * person.hair.volume)
    normal, occlusion = model_surface(outlines, pose, side)
    backdrop, garment = dress(outlines, normal, shot_rng, side)
    bare = [fill(outline, side) for outline in (outlines.head, outlines.neck, outlines.ear)]
    density, angle = grow_hair(outlines, features, pose, severity, shot_rng, side)
    return Scene(
        backdrop=backdrop,
        skin=colour_skin(features, pose, person, shot_rng, side),
        skin_alpha=np.maximum.reduce(bare) * (1 - garment),
        normal=normal,
        occlusion=occlusion,
        density=density,
        angle=angle,
        light=unit(np.array([*shot_rng.normal([0, -0.45], [0.6, 0.35]), 0.9])),
    )
