"""Mixup and CutMix: weights of the pixels and targets of a batch."""

import jax
import jax.numpy as jnp

from hairjax.data.augment import Amounts


def own_shares(keys: jax.Array, amounts: Amounts, side: int) -> tuple[jax.Array, jax.Array]:
    """Weights of each image's own pixels and target under mixup and CutMix.

    With both, each image is mixed by one of them, equally likely (timm's ``Mixup`` with
    ``mode="elem"``). `keys` are one per image, `side` the input side in pixels.

    Returns:
        Weights of the pixels, float32 [batch] or [batch, side, side, 1], and of the target, float32
        [batch].
    """
    if not amounts.cutmix:
        shares = mixup_shares(keys, amounts.mixup)
        return shares, shares
    remaining, shares = cutmix_shares(keys, amounts.cutmix, side)
    if not amounts.mixup:
        return remaining, shares
    blended = mixup_shares(keys, amounts.mixup)
    cut = jax.vmap(lambda key: jax.random.bernoulli(_key_of(key, 4)))(keys)
    pixels = jax.vmap(jnp.where)(cut, remaining, blended)
    return pixels, jnp.where(cut, shares, blended)


def zero_missing_views(mixed: jax.Array, own: jax.Array, first: int) -> jax.Array:
    """Zero the missing views in mixed inputs, float32 [batch, side, side, channels].

    `own` are the inputs with the larger weight, `first` the number of channels of the first view. A
    trace of another image would keep the feature of a missing view from being learnt.
    """
    pairs = zip(jnp.split(mixed, [first], axis=-1), jnp.split(own, [first], axis=-1), strict=True)
    parts = [jnp.where(jnp.any(o != 0, axis=(1, 2, 3), keepdims=True), m, 0) for m, o in pairs]
    return jnp.concatenate(parts, axis=-1)


def mixup_shares(keys: jax.Array, alpha: float) -> jax.Array:
    """Sample mixup weights per image: float32 [batch] ≥ 0.5.

    max(λ, 1 - λ) with λ from Beta(α, α) (Zhang et al., "mixup", ICLR 2018).
    """

    def share(key: jax.Array) -> jax.Array:
        weight = jax.random.beta(_key_of(key, 0), alpha, alpha)
        return jnp.maximum(weight, 1 - weight)

    return jax.vmap(share)(keys)


def cutmix_shares(keys: jax.Array, alpha: float, side: int) -> tuple[jax.Array, jax.Array]:
    """Sample CutMix boxes per image (Yun et al., "CutMix", ICCV 2019; pixels as in timm).

    A uniformly placed box covers the share 1 - λ, with λ from Beta(α, α), and is clipped at the
    border. Returns 1 outside of the box and 0 inside, float32 [batch, side, side, 1], and the share
    outside, float32 [batch].
    """

    def sample_share(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        weight = jax.random.beta(_key_of(key, 1), alpha, alpha)
        length = jnp.floor(side * jnp.sqrt(1 - weight)).astype(jnp.int32)
        across, width = _interval(_key_of(key, 2), length, side)
        down, height = _interval(_key_of(key, 3), length, side)
        box = jnp.expand_dims(down, 1) & jnp.expand_dims(across, 0)
        remaining = jnp.expand_dims(~box, 2).astype(jnp.float32)
        return remaining, 1 - width * height / side**2

    return jax.vmap(sample_share)(keys)


def _interval(key: jax.Array, length: jax.Array, side: int) -> tuple[jax.Array, jax.Array]:
    """Membership of each pixel in a random interval, bool [side], and its clipped length."""
    centre = jax.random.randint(key, (), 0, side)
    first = jnp.maximum(centre - length // 2, 0)
    end = jnp.minimum(centre + (length + 1) // 2, side)
    pixels = jnp.arange(side)
    return (pixels >= first) & (pixels < end), end - first


def _key_of(key: jax.Array, use: int) -> jax.Array:
    *_, mixing_key = jax.random.split(key, 4)  # the others are used by `model_inputs`
    return jax.random.fold_in(mixing_key, use) if use else mixing_key
