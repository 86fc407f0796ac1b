"""Augmentation on the device: geometry of image and mask, colour of RGB, random erasing."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange, reduce

IMAGENET_MEAN = (0.485, 0.456, 0.406)
GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601, as in Pillow and torchvision
ERASED_AREA = (0.02, 1 / 3)  # fraction of the image; the defaults of torchvision and timm
ERASED_ASPECT = (0.3, 1 / 0.3)
ASPECT = 4 / 3  # largest aspect ratio of a random crop, as in Inception and torchvision

# RGB to YIQ (NTSC); a hue shift is a rotation of I and Q.
_YIQ = np.array([GREY, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)], np.float32)
_RGB = np.linalg.inv(_YIQ)


class Amounts(NamedTuple):
    """Augmentation strengths: the keys of ``config.augment``."""

    rotation: float
    flip: float
    brightness: float
    contrast: float
    saturation: float
    hue: float
    crop_scale: float
    erase: float
    mixup: float
    cutmix: float
    drop_view: float


IDENTITY = np.eye(2, 3, dtype=np.float32)


def per_channel(values: Sequence[float]) -> jax.Array:
    """Broadcastable channel values: [1, 1, channels]."""
    return rearrange(jnp.array(values), "c -> 1 1 c")


def sample_transform(key: jax.Array, amounts: Amounts) -> jax.Array:
    """Sample a random resized crop with rotation and flip.

    Returns the affine map [2, 3] from output to input coordinates, x and y in [-1, 1]. The area
    lies between ``crop_scale`` and 1, the aspect ratio within ``ASPECT``.
    """
    area_key, aspect_key, x_key, y_key, turn_key, flip_key = jax.random.split(key, 6)
    area = jax.random.uniform(area_key, minval=amounts.crop_scale, maxval=1.0)
    # Limit the aspect ratio by the area: a crop of area 1 is the whole square.
    limit = jnp.minimum(jnp.log(ASPECT), -jnp.log(area))
    aspect = jnp.exp(limit * jax.random.uniform(aspect_key, minval=-1.0))
    width, height = jnp.sqrt(area * aspect), jnp.sqrt(area / aspect)
    x = (1 - width) * jax.random.uniform(x_key, minval=-1.0)
    y = (1 - height) * jax.random.uniform(y_key, minval=-1.0)
    turn = jnp.deg2rad(amounts.rotation) * jax.random.uniform(turn_key, minval=-1.0)
    mirror = jnp.where(jax.random.bernoulli(flip_key, amounts.flip), -1.0, 1.0)
    cos, sin = jnp.cos(turn), jnp.sin(turn)
    return jnp.array(
        [[cos * width * mirror, -sin * height, x], [sin * width * mirror, cos * height, y]]
    )


def warp(photo: jax.Array, transform: jax.Array, side: int) -> jax.Array:
    """Resample uint8 [stored, stored, 4] bilinearly to float32 [side, side, 4] in [0, 1].

    `transform`, float [2, 3], maps output to input coordinates, x and y from -1 to 1 between outer
    edges. Outside the image RGB is the ImageNet mean and the mask 0.
    """
    stored = photo.shape[0]
    centres = (jnp.arange(side) + 0.5) * 2 / side - 1
    grid = jnp.stack([*jnp.meshgrid(centres, centres), jnp.ones((side, side))])
    x, y = jnp.einsum("ij,jhw->ihw", transform, grid, precision="highest")
    inside = (jnp.abs(x) <= 1 + 1e-6) & (jnp.abs(y) <= 1 + 1e-6)
    # To pixels; within half a pixel of the border, the border pixel.
    column = jnp.clip((x + 1) * stored / 2 - 0.5, 0, stored - 1)
    row = jnp.clip((y + 1) * stored / 2 - 0.5, 0, stored - 1)
    left = jnp.minimum(column.astype(jnp.int32), stored - 2)
    top = jnp.minimum(row.astype(jnp.int32), stored - 2)
    right_share, low_share = (column - left)[..., None], (row - top)[..., None]
    flat = rearrange(photo, "h w c -> (h w) c")

    def pixel(down: int, right: int) -> jax.Array:
        return flat[(top + down) * stored + left + right].astype(jnp.float32)

    upper = pixel(0, 0) * (1 - right_share) + pixel(0, 1) * right_share
    lower = pixel(1, 0) * (1 - right_share) + pixel(1, 1) * right_share
    picture = (upper * (1 - low_share) + lower * low_share) / 255
    return jnp.where(inside[..., None], picture, per_channel((*IMAGENET_MEAN, 0)))


def jitter_colour(rgb: jax.Array, key: jax.Array, amounts: Amounts) -> jax.Array:
    """Apply random brightness, contrast, saturation and hue to RGB [h, w, 3] in [0, 1]."""
    keys = jax.random.split(key, 4)

    def factor(key: jax.Array, amount: float) -> jax.Array:
        return 1 + amount * jax.random.uniform(key, minval=-1.0)

    def blend(rgb: jax.Array, other: jax.Array, factor: jax.Array) -> jax.Array:
        return jnp.clip(other + factor * (rgb - other), 0, 1)

    def grey(rgb: jax.Array) -> jax.Array:
        return jnp.sum(rgb * per_channel(GREY), axis=-1, keepdims=True)

    if amounts.brightness:
        rgb = blend(rgb, jnp.zeros((1, 1, 1)), factor(keys[0], amounts.brightness))
    if amounts.contrast:
        mean = reduce(grey(rgb), "h w 1 -> 1 1 1", "mean")
        rgb = blend(rgb, mean, factor(keys[1], amounts.contrast))
    if amounts.saturation:
        rgb = blend(rgb, grey(rgb), factor(keys[2], amounts.saturation))
    if amounts.hue:
        turn = 2 * jnp.pi * amounts.hue * jax.random.uniform(keys[3], minval=-1.0)
        rgb = jnp.clip(rgb @ hue_matrix(turn).T, 0, 1)
    return rgb


def hue_matrix(turn: jax.Array) -> jax.Array:
    """Hue rotation by an angle in radians, luma unchanged: [3, 3] on RGB."""
    cos, sin = jnp.cos(turn), jnp.sin(turn)
    rotation = jnp.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    return jnp.asarray(_RGB) @ rotation @ jnp.asarray(_YIQ)


def erase(inputs: jax.Array, key: jax.Array, probability: float) -> jax.Array:
    """Erase a random rectangle of float32 [side, side, channels], normalised, to 0.

    Zhong et al., "Random Erasing", AAAI 2020.
    """
    area_key, aspect_key, x_key, y_key, chance_key = jax.random.split(key, 5)
    area = jax.random.uniform(area_key, minval=ERASED_AREA[0], maxval=ERASED_AREA[1])
    low, high = jnp.log(ERASED_ASPECT[0]), jnp.log(ERASED_ASPECT[1])
    aspect = jnp.exp(jax.random.uniform(aspect_key, minval=low, maxval=high))
    # In fractions of the side; a rectangle longer than the image is cut off.
    width, height = jnp.sqrt(area * aspect), jnp.sqrt(area / aspect)
    left = jax.random.uniform(x_key, maxval=jnp.maximum(1 - width, 0))
    top = jax.random.uniform(y_key, maxval=jnp.maximum(1 - height, 0))
    centres = (jnp.arange(len(inputs)) + 0.5) / len(inputs)
    across = (centres >= left) & (centres < left + width)
    down = (centres >= top) & (centres < top + height)
    blank = rearrange(down, "h -> h 1 1") & rearrange(across, "w -> 1 w 1")
    return jnp.where(blank & jax.random.bernoulli(chance_key, probability), 0, inputs)
