"""Stored images to model inputs, on the device, inside the jitted step.

Training and evaluation share the resampling: augmentation of zero strength equals evaluation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange, repeat

from hairjax.data.augment import (
    IDENTITY,
    IMAGENET_MEAN,
    Amounts,
    erase,
    jitter_colour,
    per_channel,
    sample_transform,
    warp,
)

IMAGENET_STD = (0.229, 0.224, 0.225)
# Mean and standard deviation of RGB in [0, 1] by name; ``half`` maps to [-1, 1], ``unit`` is the
# identity.
NORMALISATIONS = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


class InputSpecification(NamedTuple):
    """Input size, channels and normalisation of a model, the latter two by stream."""

    side: int  # input side in pixels
    # 3: normalised RGB; 1: the mask (0 … 1); 6: RGB and the mask, repeated three times
    channels: tuple[int, ...]
    normalise: tuple[str, ...]  # normalisation of RGB, a key of ``NORMALISATIONS``

    @property
    def masks(self) -> bool:
        """True if the model reads the hair mask."""
        return any(count != 3 for count in self.channels)


def model_inputs(
    photos: jax.Array,
    keys: jax.Array | None,
    amounts: Amounts | None,
    input_spec: InputSpecification,
) -> jax.Array:
    """Model inputs of a batch; two streams are concatenated along the channels.

    With two views, each stream takes its own view, independently augmented. A missing view is 0.

    Args:
        photos: uint8 [batch, stored, stored, 4]: RGB and mask; 8 channels for two views.
        keys: one random key per image; None for evaluation.
        amounts: augmentation strengths; None for evaluation.
        input_spec: input specification of the model.

    Returns:
        float32 [batch, side, side, channels].
    """
    side = input_spec.side
    streams = list(zip(input_spec.channels, input_spec.normalise, strict=True))
    if photos.shape[-1] == 4:
        return one_view(photos, keys, amounts, side, streams)
    views = jnp.split(photos, 2, axis=-1)
    present = jnp.stack([jnp.any(view != 0, axis=(1, 2, 3)) for view in views])
    if keys is not None and amounts is not None and amounts.drop_view:
        present &= ~jax.vmap(hide_view, (0, 1, None), 1)(keys, present, amounts.drop_view)
    parts = []
    for i, view in enumerate(views):
        own = None if keys is None else jax.vmap(jax.random.fold_in, (0, None))(keys, i)
        inputs = one_view(view, own, amounts, side, streams[i : i + 1])
        parts.append(jnp.where(rearrange(present[i], "b -> b 1 1 1"), inputs, 0))
    return jnp.concatenate(parts, axis=-1)


def one_view(
    photos: jax.Array,
    keys: jax.Array | None,
    amounts: Amounts | None,
    side: int,
    streams: Sequence[tuple[int, str]],
) -> jax.Array:
    """Stream inputs (channels, normalisation) of one view: float32 [batch, side, side, c]."""

    def finish(picture: jax.Array, rgb: jax.Array) -> jax.Array:
        inputs = [stream_channels(rgb, picture[..., 3:], *stream) for stream in streams]
        return jnp.concatenate(inputs, axis=-1)

    def whole_view(photo: jax.Array) -> jax.Array:
        picture = warp(photo, jnp.asarray(IDENTITY), side)
        return finish(picture, picture[..., :3])

    if keys is None or amounts is None:
        return jax.vmap(whole_view)(photos)

    def augmented(photo: jax.Array, key: jax.Array) -> jax.Array:
        geometry_key, colour_key, erase_key, _ = jax.random.split(key, 4)
        picture = warp(photo, sample_transform(geometry_key, amounts), side)
        inputs = finish(picture, jitter_colour(picture[..., :3], colour_key, amounts))
        return erase(inputs, erase_key, amounts.erase) if amounts.erase else inputs

    return jax.vmap(augmented)(photos, keys)


def hide_view(key: jax.Array, present: jax.Array, probability: float) -> jax.Array:
    """Sample the view to drop: bool [2]; none if a view is missing already."""
    chance_key, view_key = jax.random.split(jax.random.fold_in(key, 2))
    hidden = jax.random.bernoulli(chance_key, probability) & jnp.all(present)
    first = jax.random.bernoulli(view_key)
    return jnp.stack([hidden & first, hidden & ~first])


def stream_channels(rgb: jax.Array, mask: jax.Array, channels: int, normalise: str) -> jax.Array:
    """Input of one stream: float32 [h, w, channels]."""
    if channels == 1:
        return mask
    rgb = normalised(rgb, normalise)
    return rgb if channels == 3 else jnp.concatenate([rgb, repeat_mask(mask)], axis=-1)


def normalised(rgb: jax.Array, normalise: str) -> jax.Array:
    """Normalise RGB [h, w, 3] in [0, 1] by mean and standard deviation of ``NORMALISATIONS``."""
    mean, deviation = NORMALISATIONS[normalise]
    return (rgb - per_channel(mean)) / per_channel(deviation)


def denormalised(rgb: jax.Array, normalise: str) -> jax.Array:
    """Invert ``normalised``: RGB [h, w, 3] in [0, 1]."""
    mean, deviation = NORMALISATIONS[normalise]
    return rgb * per_channel(deviation) + per_channel(mean)


def repeat_mask(mask: jax.Array) -> jax.Array:
    """Repeat the mask channel: [h, w, 1] to [h, w, 3]."""
    return repeat(mask, "h w 1 -> h w c", c=3)
