"""Geometry of a head in profile: outlines, features, receding hairline, pose.

Head coordinates: the face looks to -x, y points down, z towards the camera; the head is about 1.5
high. Rotation in 3D moves ear and hairline against the profile.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

# From the throat over chin, lips, nose, forehead and crown to the nape.
PROFILE = np.array(
    [
        *[(-0.30, 0.745), (-0.40, 0.755), (-0.485, 0.735), (-0.548, 0.665), (-0.532, 0.585)],
        *[(-0.573, 0.525), (-0.552, 0.480), (-0.588, 0.430), (-0.572, 0.340), (-0.635, 0.325)],
        *[(-0.735, 0.265), (-0.715, 0.215), (-0.650, 0.085), (-0.592, -0.035), (-0.612, -0.12)],
        *[(-0.612, -0.25), (-0.570, -0.42), (-0.455, -0.60), (-0.28, -0.72), (-0.08, -0.785)],
        *[(0.14, -0.79), (0.37, -0.715), (0.56, -0.55), (0.665, -0.32), (0.685, -0.08)],
        *[(0.63, 0.13), (0.52, 0.28)],
    ]
)
FOREHEAD = 16  # index into PROFILE of the first point with hair
# From the nape below the ear and along the jaw back to the throat.
JAW = np.array([(0.40, 0.36), (0.20, 0.38), (0.09, 0.40), (0.0, 0.52), (-0.14, 0.64)])
NECK = np.array(
    [
        *[
            (-0.40, 0.60),
            (-0.36, 0.72),
            (-0.215, 0.785),
            (-0.15, 0.93),
            (-0.16, 1.5),
            (0.66, 1.5),
            (0.54, 0.98),
        ],
        *[(0.47, 0.70), (0.48, 0.38), (0.40, 0.10), (0.10, 0.20)],
    ]
)
GARMENT = np.array(
    [
        *[(-0.30, 0.97), (-0.08, 1.02), (0.20, 0.98), (0.50, 0.80), (0.60, 0.82), (0.85, 0.95)],
        *[(1.3, 1.2), (1.5, 2.0), (-1.2, 2.0), (-0.95, 1.4), (-0.6, 1.12)],
    ]
)
EAR = np.array(
    [
        *[(0.06, 0.02), (0.065, -0.06), (0.11, -0.125), (0.19, -0.125), (0.245, -0.06)],
        *[(0.25, 0.04), (0.215, 0.13), (0.18, 0.20), (0.145, 0.265), (0.10, 0.275)],
        *[(0.08, 0.22), (0.075, 0.12)],
    ]
)
# Forelock (hairline at the outline of the forehead), receding corner, and temple in front of the
# ear, by integer severity 0 … 4.
FORELOCK = np.array(
    [(-0.56, -0.44), (-0.545, -0.475), (-0.50, -0.55), (-0.36, -0.67), (-0.08, -0.78)]
)
CORNER = np.array([(-0.43, -0.38), (-0.31, -0.45), (-0.14, -0.51), (0.06, -0.53), (0.28, -0.50)])
TEMPLE = np.array(
    [(-0.40, -0.13), (-0.385, -0.13), (-0.36, -0.125), (-0.33, -0.11), (-0.30, -0.10)]
)
# From the temple down the sideburn, around the ear and to the nape.
AROUND_EAR = np.array(
    [
        *[(-0.29, -0.05), (-0.19, 0.02), (-0.105, 0.06), (-0.085, 0.20), (-0.03, 0.24)],
        *[(0.03, 0.20), (0.05, 0.05), (0.06, -0.09), (0.13, -0.15), (0.21, -0.15)],
        *[(0.27, -0.06), (0.28, 0.08), (0.31, 0.22), (0.38, 0.34)],
    ]
)


@lru_cache
def spline_weights(count: int, closed: bool) -> np.ndarray:
    """Matrix from `count` points to the Catmull-Rom curve: [8 · segments, count]."""
    steps = 8
    t = np.arange(steps) / steps
    weights = np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2],
        axis=1,
    )
    segments = count if closed else count - 1
    matrix = np.zeros((segments * steps, count))
    for segment in range(segments):
        for k in range(4):
            point = segment + k - 1
            point = point % count if closed else min(max(point, 0), count - 1)
            matrix[segment * steps : (segment + 1) * steps, point] += weights[:, k] / 2
    return matrix


def curve(points: np.ndarray, closed: bool = True) -> np.ndarray:
    """Catmull-Rom curve through points [n, d]: [8 per segment, d]."""
    return spline_weights(len(points), closed) @ points


def depth_at(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Depth z of the near side of the head at x, y [n]; 0 outside."""
    return 0.48 * np.sqrt(np.clip(1 - ((x - 0.06) / 0.72) ** 2 - ((y + 0.1) / 0.95) ** 2, 0, 1))


def at_depth(points: np.ndarray, z: float | np.ndarray) -> np.ndarray:
    """Append a depth to points [n, 2]: [n, 3]."""
    return np.column_stack([points, np.broadcast_to(z, len(points))])


@dataclass(frozen=True)
class Features:
    """Deviations of a person's profile from the mean."""

    length: float
    height: float
    nose: float
    nose_drop: float
    chin: float
    brow: float
    back: float
    corner: np.ndarray  # [2]: offset of the hairline's corner
    stubble: float  # 0 … 1
    fall: float  # radius around the ear of falling hair, not combed back

    def shape(self, points: np.ndarray) -> np.ndarray:
        """Deform points [n, 3] of the mean head to this person."""
        x, y, z = points.T
        nose = np.exp(-(((x + 0.70) / 0.09) ** 2) - ((y - 0.22) / 0.14) ** 2)
        chin = np.exp(-(((x + 0.52) / 0.14) ** 2) - ((y - 0.68) / 0.10) ** 2)
        brow = np.exp(-(((x + 0.60) / 0.10) ** 2) - ((y + 0.12) / 0.07) ** 2)
        back = 1 / (1 + np.exp(-9 * (x - 0.35)))
        forward = self.nose * nose + self.chin * chin + self.brow * brow - self.back * back
        return np.stack(
            [x * (1 + self.length) - forward, y * (1 + self.height) + self.nose_drop * nose, z],
            axis=1,
        )


def sample_features(rng: np.random.Generator) -> Features:
    """Sample a person's profile."""
    return Features(
        length=rng.normal(0, 0.025),
        height=rng.normal(0, 0.02),
        nose=rng.normal(0, 0.022),
        nose_drop=rng.normal(0, 0.015),
        chin=rng.normal(0, 0.025),
        brow=rng.normal(0, 0.012),
        back=rng.normal(0, 0.03),
        corner=rng.normal(0, 0.02, 2),
        stubble=float(np.clip(rng.normal(0.1, 0.3), 0, 0.8)),
        fall=rng.uniform(0.2, 0.45),
    )


@dataclass(frozen=True)
class Pose:
    """Pose of the head relative to the camera."""

    yaw: float  # radians, towards the camera
    roll: float  # radians
    scale: float
    shift: np.ndarray  # [2]
    facing: int  # 1: to the left, -1: to the right

    def to_frame(self, points: np.ndarray) -> np.ndarray:
        """Project head points [n, 3] to the frame [n, 2]."""
        x = points[:, 0] * np.cos(self.yaw) + points[:, 2] * np.sin(self.yaw)
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        rolled = np.stack([cos * x - sin * points[:, 1], sin * x + cos * points[:, 1]], axis=1)
        return (rolled * self.scale + self.shift) * [self.facing, 1]

    def to_head(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Near-side head coordinates x and y of frame positions, float32 [h, w] each."""
        across = (x * self.facing - np.float32(self.shift[0])) / np.float32(self.scale)
        down = (y - np.float32(self.shift[1])) / np.float32(self.scale)
        cos, sin = np.float32(np.cos(self.roll)), np.float32(np.sin(self.roll))
        turned, head_y = cos * across + sin * down, cos * down - sin * across
        head_x = turned / np.float32(np.cos(self.yaw))
        for _ in range(2):  # the depth depends weakly on x: two fixed-point iterations
            head_x = turned / np.float32(np.cos(self.yaw)) - depth_at(head_x, head_y) * np.float32(
                np.tan(self.yaw)
            )
        return head_x, head_y


def sample_pose(rng: np.random.Generator) -> Pose:
    """Sample a pose: mostly profile, turned by at most about 20 degrees."""
    return Pose(
        yaw=float(np.clip(rng.normal(0.03, 0.16), -0.3, 0.35)),
        roll=rng.normal(0, 0.09),
        scale=rng.uniform(0.88, 1.06),
        shift=rng.normal([0, 0], 0.05),
        facing=1 if rng.random() < 0.5 else -1,
    )


def hairline_points(severity: float, features: Features) -> np.ndarray:
    """Forelock, corner and temple [3, 2] of the hairline at a severity of 0 … 4."""
    tracks = np.stack([FORELOCK, CORNER + features.corner, TEMPLE])
    before = min(int(severity), len(FORELOCK) - 2)
    part = severity - before
    return (1 - part) * tracks[:, before] + part * tracks[:, before + 1]


def head_outline() -> np.ndarray:
    """Outline [n, 3] of head and face, without ear and neck."""
    outline = curve(np.concatenate([PROFILE, JAW]))
    # the profile lies in the median plane, the jaw on the near side
    return at_depth(outline, np.repeat([0.0, 0.3], [8 * len(PROFILE), 8 * len(JAW)]))


def hair_region(severity: float, features: Features, volume: float) -> np.ndarray:
    """Outline [n, 3] of the hair: hairline, back and top of the head."""
    lock, corner, temple = hairline_points(severity, features)
    bay = (corner + temple) / 2 + [0.05 + 0.02 * severity, 0.02]
    hairline = curve(
        np.array([lock, 0.55 * lock + 0.45 * corner, corner, bay, temple, *AROUND_EAR]),
        closed=False,
    )
    depth = depth_at(*hairline.T)
    depth[:9] *= np.linspace(0, 1, 9)  # the forelock lies in the median plane

    top = curve(PROFILE[FOREHEAD:], closed=False)[::-1]
    top = top[(top[:, 0] > lock[0]) | (top[:, 1] > 0)]
    near_lock = np.clip(np.hypot(*(top - lock).T) / 0.25, 0, 1)
    near_nape = np.clip((0.45 - top[:, 1]) / 0.3, 0.2, 1)
    middle = np.array([0.03, -0.12])
    lifted = middle + (top - middle) * (1 + volume * near_lock * near_nape)[:, None]
    return np.concatenate([at_depth(hairline, depth), at_depth(lifted, 0.0)])


def fill(outline: np.ndarray, side: int, oversample: int = 2) -> np.ndarray:
    """Rasterise a closed outline [n, 2]: float32 [side, side], 0 … 1, antialiased."""
    image = Image.new("L", (side * oversample, side * oversample))
    ImageDraw.Draw(image).polygon(to_pixels(outline, side * oversample), fill=255)
    return np.asarray(image.reduce(oversample), dtype=np.float32) / 255


def to_pixels(points: np.ndarray, side: int) -> list[float]:
    """Frame points [n, 2] to pillow coordinates of an image of `side` pixels."""
    return ((points + 1) * (side / 2) - 0.5).ravel().tolist()
