"""Random geometry, colour and erasing of photographs with their masks, on the device.

Geometry moves photograph and mask together; colour touches RGB alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange, reduce

IMAGENET_MEAN = (0.485, 0.456, 0.406)
GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601, as Pillow and torchvision have it
ERASED_AREA = (0.02, 1 / 3)  # shares of the picture, and of the sides: torchvision's and timm's
ERASED_ASPECT = (0.3, 1 / 0.3)
ASPECT = 4 / 3  # a random crop's sides differ at most by this, as in Inception and torchvision

# RGB to luma and two colour axes (NTSC's YIQ), in which a hue shift is a rotation.
_YIQ = np.array([GREY, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)], np.float32)
_RGB = np.linalg.inv(_YIQ)


class Amounts(NamedTuple):
    """Amount of each augmentation: the keys of ``config.augment``, explained there."""

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
    """One value per channel, the same for every pixel: [1, 1, channels]."""
    return rearrange(jnp.array(values), "c -> 1 1 c")


def sample_transform(key: jax.Array, amounts: Amounts) -> jax.Array:
    """Where the result looks in the stored picture: an affine map [2, 3] on x, y in [-1, 1].

    A random crop (area between ``crop_scale`` and 1, moderate aspect), turned and maybe flipped.
    """
    area_key, aspect_key, x_key, y_key, turn_key, flip_key = jax.random.split(key, 6)
    area = jax.random.uniform(area_key, minval=amounts.crop_scale, maxval=1.0)
    # No more aspect than the area leaves room for, so that a crop of everything is the square.
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
    """Resample bilinearly; beyond the border RGB is ImageNet's mean and the mask 0.

    Args:
        photo: uint8 [stored, stored, 4].
        transform: [2, 3], from the result's x, y in [-1, 1] to the photograph's.
        side: side of the result.

    Returns:
        float32 [side, side, 4] in [0, 1].
    """
    stored = photo.shape[0]
    centres = (jnp.arange(side) + 0.5) * 2 / side - 1
    grid = jnp.stack([*jnp.meshgrid(centres, centres), jnp.ones((side, side))])
    x, y = jnp.einsum("ij,jhw->ihw", transform, grid, precision="highest")
    inside = (jnp.abs(x) <= 1 + 1e-6) & (jnp.abs(y) <= 1 + 1e-6)
    # To pixels; within half a pixel of the border the border pixel is all there is.
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
    """Random brightness, contrast, saturation and hue of one RGB picture in [0, 1]."""
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
    """Turn the colour circle by an angle in radians, luma kept: [3, 3] on RGB."""
    cos, sin = jnp.cos(turn), jnp.sin(turn)
    rotation = jnp.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    return jnp.asarray(_RGB) @ rotation @ jnp.asarray(_YIQ)


def erase(seen: jax.Array, key: jax.Array, probability: float) -> jax.Array:
    """Blank a random rectangle in every channel (Zhong et al., "Random Erasing", AAAI 2020).

    Args:
        seen: float32 [side, side, channels], normalised: 0 is the mean colour, and no hair.
        key: random key.
        probability: probability that anything is blanked.
    """
    area_key, aspect_key, x_key, y_key, chance_key = jax.random.split(key, 5)
    area = jax.random.uniform(area_key, minval=ERASED_AREA[0], maxval=ERASED_AREA[1])
    low, high = jnp.log(ERASED_ASPECT[0]), jnp.log(ERASED_ASPECT[1])
    aspect = jnp.exp(jax.random.uniform(aspect_key, minval=low, maxval=high))
    # As shares of the side; a rectangle longer than the picture ends with it.
    width, height = jnp.sqrt(area * aspect), jnp.sqrt(area / aspect)
    left = jax.random.uniform(x_key, maxval=jnp.maximum(1 - width, 0))
    top = jax.random.uniform(y_key, maxval=jnp.maximum(1 - height, 0))
    centres = (jnp.arange(len(seen)) + 0.5) / len(seen)
    across = (centres >= left) & (centres < left + width)
    down = (centres >= top) & (centres < top + height)
    blank = rearrange(down, "h -> h 1 1") & rearrange(across, "w -> 1 w 1")
    return jnp.where(blank & jax.random.bernoulli(chance_key, probability), 0, seen)
