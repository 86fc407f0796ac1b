"""Rendering shared by both views: noise, surfaces, hair, light, camera.

Images are float32 [h, w] or [3, h, w] in linear light, colours [3, 1, 1]. Lengths are in frame
units: the image spans -1 … 1, x to the right and y down.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from einops import einsum, rearrange
from PIL import Image
from scipy.ndimage import gaussian_filter

# Fixed grid, for strands independent of the image size.
STRAND_GRID = 288
# The room is out of focus: few pixels suffice.
ROOM_GRID = 64

# Display colours, 0 … 1.
CLOTHES = [
    (0.10, 0.10, 0.11),
    (0.15, 0.18, 0.28),
    (0.30, 0.31, 0.33),
    (0.55, 0.56, 0.58),
    (0.86, 0.86, 0.84),
    (0.38, 0.14, 0.16),
    (0.28, 0.33, 0.25),
    (0.30, 0.42, 0.58),
    (0.66, 0.56, 0.44),
]
WALLS = [
    (0.88, 0.87, 0.84),
    (0.80, 0.76, 0.68),
    (0.66, 0.68, 0.70),
    (0.70, 0.77, 0.80),
    (0.50, 0.44, 0.38),
    (0.32, 0.34, 0.37),
    (0.62, 0.66, 0.58),
    (0.18, 0.17, 0.17),
]
GREY = np.full((3, 1, 1), 0.4, dtype=np.float32)


@dataclass(frozen=True)
class HairStyle:
    """Hair of a person, constant over images."""

    colour: np.ndarray  # [3, 1, 1], linear
    grey: float  # share of grey strands, 0 … 1
    length: float  # visible length of a strand, frame units
    curl: float  # deviation of strands from the flow, radians
    sheen: float  # strength of the highlights
    volume: float  # thickness of the hair above the head, frame units
    fuzz: float  # width of the ragged outline, frame units


@dataclass(frozen=True)
class Scene:
    """Scene before hair and camera."""

    backdrop: np.ndarray  # [3, h, w]: background, lit
    skin: np.ndarray  # [3, h, w]: skin colour, unlit
    skin_alpha: np.ndarray  # [h, w]: coverage by head, face, ear and neck
    normal: np.ndarray  # [3, h, w]: unit surface normal, z towards the camera
    occlusion: np.ndarray  # [h, w]: ambient light, 1 if unoccluded
    density: np.ndarray  # [h, w]: coverage by hair, 0 … 1
    angle: np.ndarray  # [h, w]: direction of hair, radians
    light: np.ndarray  # [3]: unit vector towards the light


@lru_cache(maxsize=8)
def coordinates(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Frame coordinates x and y [side, side] of the pixel centres, read-only."""
    centres = (np.arange(side, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / side) - 1
    x, y = np.meshgrid(centres, centres)
    x.flags.writeable = y.flags.writeable = False  # shared by all callers
    return x, y


def unit(vectors: np.ndarray) -> np.ndarray:
    """Normalise `vectors` [3, ...] to unit length, float32."""
    return (vectors / np.sqrt((vectors * vectors).sum(axis=0))).astype(np.float32)


def resize(image: np.ndarray, side: int) -> np.ndarray:
    """Resample a float32 [h, w] image smoothly to [side, side]."""
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))


def smooth_noise(rng: np.random.Generator, cells: int, side: int) -> np.ndarray:
    """Sample noise [side, side] of about unit variance and correlation length 1 / `cells`."""
    return resize(rng.standard_normal((cells, cells), dtype=np.float32), side) * np.float32(1.3)


def ramp(value: np.ndarray, start: float, end: float) -> np.ndarray:
    """Smoothstep from 0 at `start` to 1 at `end`, in either direction, of the shape of `value`."""
    t = np.clip((value - np.float32(start)) / np.float32(end - start), 0, 1)
    return t * t * (3 - 2 * t)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of [h, w] or [c, h, w] by `sigma` frame units."""
    pixels = sigma * image.shape[-1] / 2
    if pixels < 0.2:  # the kernel would be a single pixel
        return image
    spread = (0,) * (image.ndim - 2) + (pixels, pixels)
    return gaussian_filter(image, spread, truncate=2.5, mode="nearest")


def blend(below: np.ndarray, above: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Composite `above` over `below`, both [3, h, w] or [3, 1, 1], by `alpha` [h, w]."""
    return below + alpha * (above - below)


def linear(shown: np.ndarray) -> np.ndarray:
    """Display colour [3], 0 … 1, to linear light [3, 1, 1]."""
    return (shown**2).astype(np.float32).reshape(3, 1, 1)


def choose_colour(
    rng: np.random.Generator, palette: list[tuple[float, float, float]]
) -> np.ndarray:
    """Sample a linear colour [3, 1, 1] near one of a palette of display colours."""
    shown = np.array(palette[rng.integers(len(palette))]) * rng.normal(1, 0.08)
    varied = np.clip(shown + rng.normal(0, 0.02, 3), 0.03, 0.97)
    return linear(varied)


def paint_room(rng: np.random.Generator, side: int) -> np.ndarray:
    """Paint an out-of-focus background [3, side, side]: wall or floor, uneven light, furniture."""
    x, y = coordinates(ROOM_GRID)
    towards = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(0, 0.35)
    light = 1 + slope * (np.cos(towards) * x + np.sin(towards) * y)
    light += np.float32(rng.uniform(0.02, 0.10)) * smooth_noise(rng, 5, ROOM_GRID)
    room = choose_colour(rng, WALLS)
    for _ in range(rng.integers(0, 4)):
        centre_x, centre_y = rng.uniform(-1.1, 1.1, 2)
        width, height = rng.uniform(0.08, 0.7, 2)
        edge = rng.uniform(0.03, 0.10)
        inside = ramp(np.abs(x - centre_x), width + edge, width - edge)
        inside = inside * ramp(np.abs(y - centre_y), height + edge, height - edge)
        room = blend(room, choose_colour(rng, WALLS), inside * np.float32(rng.uniform(0.3, 0.9)))
    return np.stack([resize(channel, side) for channel in (room * light).astype(np.float32)])


def comb(noise: np.ndarray, angle: np.ndarray, length: float) -> np.ndarray:
    """Line integral convolution of noise [c, h, w] along `angle`, to unit variance per channel.

    Covers `length` frame units; each pass doubles the length by averaging pixels with their
    displaced positions.
    """
    side = len(angle)
    pixels = max(length * side / 2, 1.5)
    passes = max(round(np.log2(pixels)), 1)
    step = np.float32(pixels / 2**passes)
    run = np.stack([np.sin(angle), np.cos(angle)]).reshape(2, -1) * step
    start = np.indices((side, side), dtype=np.float32).reshape(2, -1)
    smeared = noise.reshape(len(noise), -1)
    for _ in range(passes):
        row, column = np.clip(np.rint(start + run), 0, side - 1)
        displaced = (row * side + column).astype(np.intp)
        smeared = smeared + smeared.take(displaced, axis=1)
        run = run + run.take(displaced, axis=1)
    smeared = smeared - smeared.mean(axis=1, keepdims=True)
    smeared /= smeared.std(axis=1, keepdims=True)
    return smeared.reshape(noise.shape)


def sample_strands(
    angle: np.ndarray, style: HairStyle, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sample textures [h, w] of unit variance: height and tone of strands, tone of locks."""
    side = len(angle)
    fine = rng.random((2, STRAND_GRID, STRAND_GRID), dtype=np.float32)
    locks = [smooth_noise(rng, cells, side) for cells in (80, 48)]
    strayed = angle + np.float32(style.curl) * smooth_noise(rng, 22, side)
    noise = np.stack([*(resize(grain, side) for grain in fine), *locks])
    height, tone, lock_height, lock_tone = comb(noise, strayed, style.length)
    together = np.float32(0.45 + 0.35 * min(style.curl, 1))
    return (height + together * lock_height) / np.sqrt(1 + together**2), tone, lock_tone


def lay_hair(
    scene: Scene, style: HairStyle, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Light the scene and add hair: linear [3, h, w], and the coverage by hair [h, w]."""
    height, tone, lock_tone = sample_strands(scene.angle, style, rng)
    # uniform in 0 … 1, low for the top strands, which remain in thin hair
    depth = 1 / (1 + np.exp(np.float32(1.7) * height))
    cover = np.clip((scene.density - depth) / np.float32(0.45) + scene.density, 0, 1)
    shade = np.clip(einsum(scene.light, scene.normal, "i, i h w -> h w"), 0, None)
    halfway = unit(scene.light + np.array([0, 0, 1]))  # between the light and the camera
    skin = light_skin(scene, shade, halfway, blur(cover, 0.02))
    body = np.clip(0.80 + 0.17 * height + 0.14 * tone + 0.12 * lock_tone, 0.15, 1.6)
    hair = light_hair(scene, style, shade, halfway, body, tone)
    return blend(blend(scene.backdrop, skin, scene.skin_alpha), hair, cover), cover


def light_skin(
    scene: Scene, shade: np.ndarray, halfway: np.ndarray, hair_above: np.ndarray
) -> np.ndarray:
    """Light the skin [3, h, w]: shadows of the hair above, specular highlights on bare skin."""
    light = (0.34 + 0.74 * shade) * scene.occlusion * (1 - 0.45 * hair_above)
    # subsurface scattering: warm shadows
    warm = np.stack([light**0.88, light, light**1.06])
    facing = np.clip(einsum(halfway, scene.normal, "i, i h w -> h w"), 0, 1)
    shine = (0.11 * facing**28 + 0.015 * facing**6) * scene.occlusion**2 * (1 - hair_above)
    return scene.skin * warm + shine


def light_hair(
    scene: Scene,
    style: HairStyle,
    shade: np.ndarray,
    halfway: np.ndarray,
    body: np.ndarray,
    tone: np.ndarray,
) -> np.ndarray:
    """Light strands [3, h, w] as thin cylinders (Kajiya and Kay)."""
    normal_x, normal_y, normal_z = scene.normal
    along_x, along_y = np.cos(scene.angle), np.sin(scene.angle)
    along_z = -(normal_x * along_x + normal_y * along_y) / np.maximum(normal_z, 0.35)
    cosine = halfway[0] * along_x + halfway[1] * along_y + halfway[2] * along_z
    glint = np.clip(1 - cosine**2 / (1 + along_z**2), 0, 1) ** 12 * np.clip(0.6 + 0.4 * tone, 0, 2)
    first = 1.6 - 4 * style.grey  # threshold tone of grey strands
    greyed = min(2 * style.grey, 0.7) * ramp(tone, first, first + 0.8)
    colour = blend(style.colour, GREY, greyed)
    light = (0.30 + 0.75 * shade) * body * (0.45 + 0.55 * scene.occlusion)
    return colour * light + np.sqrt(colour) * (style.sheen * glint * shade)


def photograph(
    picture: np.ndarray, cover: np.ndarray, side: int, rng: np.random.Generator
) -> np.ndarray:
    """Simulate a camera: uint8 [side, side, 4], RGB and mask.

    The mask shares the optics of the image, not its exposure, colour and noise.
    """
    exposure, warmth, tint = rng.normal(0, [0.25, 0.08, 0.03])
    softness = rng.gamma(2.0, 0.0025)
    noise = rng.gamma(2.0, 0.008)
    gains = 1.1 * np.exp(exposure + np.array([warmth, tint, -warmth]))
    shrunk = [
        Image.fromarray(layer).resize((side, side), Image.Resampling.BOX)
        for layer in (*picture, cover)
    ]
    taken = blur(np.stack([np.asarray(layer) for layer in shrunk]), softness)
    light = np.clip(taken[:3], 0, None) * gains.astype(np.float32).reshape(3, 1, 1)
    # tone curve with a film-like shoulder, then a square root as display gamma
    tones = np.sqrt(light * (1 + light * np.float32(0.12)) / (1 + light * np.float32(0.35)))
    tones += np.float32(noise) * rng.standard_normal(tones.shape, dtype=np.float32)
    finished = np.clip(np.concatenate([tones, taken[3:]]), 0, 1)
    return rearrange(np.rint(finished * 255).astype(np.uint8), "c h w -> h w c")
