"""Head from the side: face in profile, hairline with receding corners."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from hairjax.data.synthetic import profile
from hairjax.data.synthetic.face import EYE_SHADE, RELIEF, RELIEF_GRID, colour_skin, spots
from hairjax.data.synthetic.paint import (
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
from hairjax.data.synthetic.people import Person
from hairjax.data.synthetic.profile import Features, Pose, at_depth, curve, fill


@dataclass(frozen=True)
class Outlines:
    """Outlines of an image in the frame, each [n, 2]."""

    head: np.ndarray
    hair: np.ndarray
    neck: np.ndarray
    ear: np.ndarray
    garment: np.ndarray


def trace_outlines(features: Features, pose: Pose, severity: float, volume: float) -> Outlines:
    """Project a person's outlines in a pose."""

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
    """Height map of a cushion over a shape [h, w], with amplitudes of its middle and its rim."""
    coarse = np.asarray(Image.fromarray(shape).resize((32, 32), Image.Resampling.BOX))
    middle = np.sqrt(np.clip(2 * resize(blur(coarse, 0.26), len(shape)) - 0.95, 0, 1))
    rim = np.sqrt(np.clip(2 * blur(shape, 0.07) - 0.98, 0, 1))
    return wide * middle + narrow * rim


def model_surface(outlines: Outlines, pose: Pose, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals [3, h, w] of head, hair and neck, and ambient occlusion [h, w]."""
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


def grow_hair(
    outlines: Outlines,
    features: Features,
    pose: Pose,
    severity: float,
    rng: np.random.Generator,
    side: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Density [h, w] and direction [h, w] of the hair at a severity of 0 … 4."""
    x, y = pose.to_head(*coordinates(side))
    inside = resize(blur(fill(outlines.hair, RELIEF_GRID), 0.02 + 0.007 * severity), side)
    inside = np.clip(inside, 0, 1)
    ragged = inside + inside * (1 - inside) * 0.45 * smooth_noise(rng, 26, side)
    grown = np.clip((ragged - 0.5) / 0.42 + 0.5, 0, 1)
    # hair thins above the corners first
    lock, corner, _ = profile.hairline_points(severity, features)
    middle_x, middle_y = (0.5 * (lock + corner) + [0.08, -0.05]).astype(np.float32)
    crown = np.exp(-(((x - middle_x) / 0.30) ** 2) - ((y - middle_y) / 0.20) ** 2)
    thinned = 1 - np.clip(0.16 * severity - 0.05, 0, 0.6) * crown
    density = grown * thinned * (1 - fill(outlines.ear, side))

    # combed along the outline at the top, falling at the side
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
    """Paint room and garment [3, h, w]; return them and the garment's coverage [h, w]."""
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
    """Build the scene [side, side] of an image from the side.

    `shape_rng` samples the person's constant traits, `shot_rng` the rest.
    """
    features = profile.sample_features(shape_rng)
    pose = profile.sample_pose(shot_rng)
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
