"""Head from above: outline, whorl, hair thinning around the crown."""

from dataclasses import dataclass

import numpy as np

from hairjax.data.synthetic.paint import (
    CLOTHES,
    Scene,
    blend,
    choose_colour,
    coordinates,
    paint_room,
    ramp,
    smooth_noise,
    unit,
)
from hairjax.data.synthetic.people import Person


@dataclass(frozen=True)
class Crown:
    """Head shape from above in frame units; the face points up."""

    half_width: float
    half_length: float
    hairline: float  # y of the front hairline
    ear_y: float
    whorl: np.ndarray  # [2]: x, y
    turn: int  # 1 or -1: direction of the whorl
    wobble: np.ndarray  # [2, 3]: amplitude and phase of the waves in the thinning outline


def sample_crown(rng: np.random.Generator) -> Crown:
    """Sample a head shape."""
    half_length = rng.normal(0.76, 0.03)
    return Crown(
        half_width=rng.normal(0.60, 0.025),
        half_length=half_length,
        hairline=-half_length * rng.uniform(0.83, 1.08),
        ear_y=rng.normal(0.02, 0.03),
        whorl=rng.normal([0, 0.20], [0.06, 0.05]),
        turn=1 if rng.random() < 0.8 else -1,
        wobble=np.stack([rng.normal(0, [0.08, 0.06, 0.045]), rng.uniform(0, 2 * np.pi, 3)]),
    )


@dataclass(frozen=True)
class CameraPose:
    """Camera pose, as head coordinates of each pixel."""

    x: np.ndarray  # [h, w], head coordinates
    y: np.ndarray  # [h, w]
    roll: float  # from head to frame, radians
    rim: np.ndarray  # [h, w]: 0 at the head's centre, 1 on its outline
    shadow_rim: np.ndarray  # [h, w]: the same for the head's shadow
    light: np.ndarray  # [3]


def pose_camera(crown: Crown, rng: np.random.Generator, side: int) -> CameraPose:
    """Sample a camera pose and a light direction."""
    frame_x, frame_y = coordinates(side)
    roll, scale = rng.normal(0, 0.18), rng.uniform(0.88, 1.12)
    shift_x, shift_y = rng.normal(0, 0.05, 2).astype(np.float32)
    cos, sin = np.float32(np.cos(roll) / scale), np.float32(np.sin(roll) / scale)
    x = cos * (frame_x - shift_x) + sin * (frame_y - shift_y)
    y = cos * (frame_y - shift_y) - sin * (frame_x - shift_x)
    light = unit(np.array([*rng.normal([0, -0.25], 0.45), 1.0]))

    def rim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        width = np.float32(crown.half_width) * (1 + np.float32(0.10) * y)  # wider at the back
        return np.sqrt((x / width) ** 2 + (y / np.float32(crown.half_length)) ** 2)

    thrown = rim(x + light[0] * np.float32(0.25), y + light[1] * np.float32(0.25))
    return CameraPose(x, y, float(roll), rim(x, y), thrown, light)


def paint_surroundings(pose: CameraPose, rng: np.random.Generator, side: int) -> np.ndarray:
    """Paint room, shoulders and shadow of the head, linear [3, h, w]."""
    back = pose.y - np.float32(rng.normal(0.34, 0.05))
    width, depth = rng.uniform(1.15, 1.4), rng.uniform(0.42, 0.52)
    reach = (np.abs(pose.x) / np.float32(width)) ** 2.6 + (np.abs(back) / np.float32(depth)) ** 2
    room = paint_room(rng, side) * (1 - 0.4 * ramp(reach, 2.4, 0.9))
    weave = 1 + 0.12 * smooth_noise(rng, 9, side) + 0.04 * smooth_noise(rng, 110, side)
    # shoulders slope down from their middle
    height = np.sqrt(np.clip(1.08 - reach, 0.03, 1))
    folds = (0.25 + 0.75 * height) * (1 - 0.35 * pose.light[1] * back / np.float32(depth)) * weave
    cloth = choose_colour(rng, CLOTHES) * folds
    collar = ramp(np.abs(pose.rim - 1.22), 0.045, 0.015) * ramp(pose.y, 0.0, 0.3)
    cloth = cloth * (1 - 0.3 * collar)
    scene = blend(room, cloth, ramp(reach, 1.12, 0.90))
    return scene * (1 - 0.62 * ramp(pose.shadow_rim, 1.5, 0.85))


def cover_head(crown: Crown, pose: CameraPose, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Coverage by skin [h, w] (head, ears, nose) and ambient occlusion [h, w]."""
    edge = 3 / side / crown.half_width
    head = ramp(pose.rim, 1 + edge, 1 - edge)
    out = np.abs(pose.x) - np.float32(crown.half_width)
    ear = (out / 0.075) ** 2 + ((pose.y - np.float32(crown.ear_y) - 0.3 * out) / 0.13) ** 2
    nose = (pose.x / 0.075) ** 2 + ((pose.y + np.float32(crown.half_length - 0.02)) / 0.075) ** 2
    skin = np.maximum(head, np.maximum(ramp(ear, 1.15, 0.85), ramp(nose, 1.25, 0.75)))
    occlusion = np.where(head < 0.5, np.float32(0.62), 1 - 0.35 * ramp(pose.rim, 0.8, 1.02))
    return skin, occlusion


def grow_hair(
    crown: Crown, pose: CameraPose, person: Person, severity: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Density [h, w] and direction [h, w] of the hair at a severity of 0 … 4."""
    side = len(pose.x)
    off_x, off_y = pose.x - np.float32(crown.whorl[0]), pose.y - np.float32(crown.whorl[1])
    radius = np.sqrt(off_x**2 + off_y**2) + np.float32(1e-4)
    around = np.arctan2(off_y, off_x)
    swirl = 1.15 * np.exp(-radius / 0.16) + 0.25 * np.exp(-radius / 0.6)
    angle = around + crown.turn * swirl + pose.roll + 0.12 * smooth_noise(rng, 6, side)

    waves = sum(
        size * np.cos(k * around + phase) for k, (size, phase) in enumerate(crown.wobble.T, start=1)
    )
    # the bald area starts at the whorl and grows towards the forehead
    stretch = 1 - (0.06 + 0.11 * severity) * ramp(-off_y, 0, 0.6)
    distance = radius * (1 + waves) * stretch
    reach = 0.07 + 0.15 * severity
    bare = min(0.12 + 0.33 * severity, 1.0) * ramp(distance, 1.25 * reach + 0.06, 0.45 * reach)
    bare = bare * (1 - 0.85 * ramp(pose.rim, 0.72, 0.95) * ramp(pose.y, -0.5, -0.1))  # the fringe
    bare = np.maximum(bare, 0.8 * ramp(radius, 0.05, 0))  # scalp at the whorl at any severity
    full = np.clip(np.float32(1.08 - 0.04 * severity) * (1 - bare), 0, 1)

    volume, fuzz = person.hair.volume, person.hair.fuzz
    ragged = pose.rim + np.float32(0.012) * smooth_noise(rng, 18, side)
    outline = ramp(ragged, 1 + volume + fuzz, 1 + volume - fuzz)
    forehead = ramp(pose.y + 0.15 * pose.x**2, crown.hairline - 0.05, crown.hairline + 0.05)
    return (full * outline * forehead).astype(np.float32), angle.astype(np.float32)


def paint_top(
    person: Person,
    severity: float,
    shape_rng: np.random.Generator,
    shot_rng: np.random.Generator,
    side: int,
) -> Scene:
    """Build the scene [side, side] of an image from above.

    `shape_rng` samples the person's constant traits, `shot_rng` the rest.
    """
    crown = sample_crown(shape_rng)
    pose = pose_camera(crown, shot_rng, side)
    skin_alpha, occlusion = cover_head(crown, pose, side)
    density, angle = grow_hair(crown, pose, person, severity, shot_rng)
    slope_x = pose.x * np.float32(0.6 / crown.half_width**2)
    slope_y = pose.y * np.float32(0.6 / crown.half_length**2)
    cos, sin = np.float32(np.cos(pose.roll)), np.float32(np.sin(pose.roll))
    up = np.sqrt(np.clip(1 - pose.rim**2 / 1.18, 0.06, 1))
    mottled = 1 + 0.05 * smooth_noise(shot_rng, 9, side) + 0.03 * smooth_noise(shot_rng, 60, side)
    return Scene(
        backdrop=paint_surroundings(pose, shot_rng, side),
        skin=person.skin * mottled,
        skin_alpha=skin_alpha,
        normal=unit(np.stack([cos * slope_x - sin * slope_y, sin * slope_x + cos * slope_y, up])),
        occlusion=occlusion,
        density=density,
        angle=angle,
        light=pose.light,
    )
