"""Each photograph mixed with another of its batch, its target in the same shares."""

import jax
import jax.numpy as jnp

from hairjax.data.augment import Amounts


def own_shares(keys: jax.Array, amounts: Amounts, side: int) -> tuple[jax.Array, jax.Array]:
    """Share of each photograph's own pixels and target under mixup and CutMix.

    With mixup and CutMix both, each photograph is mixed by one of them, as likely by the one as by
    the other (timm's ``Mixup`` with ``mode="elem"``).

    Args:
        keys: one random key per photograph.
        amounts: with an α of mixup or of CutMix.
        side: side of the model's input, in pixels.

    Returns:
        Shares of its pixels, float32 [batch] or [batch, side, side, 1], and of its target, float32
        [batch].
    """
    if not amounts.cutmix:
        shares = mixup_shares(keys, amounts.mixup)
        return shares, shares
    kept, shares = cutmix_shares(keys, amounts.cutmix, side)
    if not amounts.mixup:
        return kept, shares
    blended = mixup_shares(keys, amounts.mixup)
    cut = jax.vmap(lambda key: jax.random.bernoulli(_key_of(key, 4)))(keys)
    pixels = jax.vmap(jnp.where)(cut, kept, blended)
    return pixels, jnp.where(cut, shares, blended)


def without_missing(mixed: jax.Array, own: jax.Array, first: int) -> jax.Array:
    """Set the mixed inputs back to 0 where a photograph's own view is missing.

    A trace of another's view is no view, and the features that stand for a missing one would hardly
    ever be learnt.

    Args:
        mixed: float32 [batch, side, side, channels] of both views.
        own: the inputs with the larger share, of the same shape.
        first: number of channels of the first view.
    """
    pairs = zip(jnp.split(mixed, [first], axis=-1), jnp.split(own, [first], axis=-1), strict=True)
    parts = [jnp.where(jnp.any(o != 0, axis=(1, 2, 3), keepdims=True), m, 0) for m, o in pairs]
    return jnp.concatenate(parts, axis=-1)


def mixup_shares(keys: jax.Array, alpha: float) -> jax.Array:
    """Share of each photograph under mixup: float32 [batch] ≥ 0.5.

    Drawn from Beta(α, α) (Zhang et al., "mixup", ICLR 2018) for each photograph by itself, and
    folded to its upper half, so that a photograph stays mostly itself.
    """

    def share(key: jax.Array) -> jax.Array:
        drawn = jax.random.beta(_key_of(key, 0), alpha, alpha)
        return jnp.maximum(drawn, 1 - drawn)

    return jax.vmap(share)(keys)


def cutmix_shares(keys: jax.Array, alpha: float, side: int) -> tuple[jax.Array, jax.Array]:
    """Which pixels of each photograph remain when a box of another is laid on it.

    The box has its centre anywhere and the share 1 - λ of the picture, λ from Beta(α, α), before
    what lies outside the picture is cut off (Yun et al., "CutMix", ICCV 2019; pixels as in timm).

    Returns:
        1 for pixels that remain, else 0, float32 [batch, side, side, 1]; and their exact share,
        float32 [batch].
    """

    def sample_share(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        drawn = jax.random.beta(_key_of(key, 1), alpha, alpha)
        length = jnp.floor(side * jnp.sqrt(1 - drawn)).astype(jnp.int32)
        across, width = _interval(_key_of(key, 2), length, side)
        down, height = _interval(_key_of(key, 3), length, side)
        box = jnp.expand_dims(down, 1) & jnp.expand_dims(across, 0)
        kept = jnp.expand_dims(~box, 2).astype(jnp.float32)
        return kept, 1 - width * height / side**2

    return jax.vmap(sample_share)(keys)


def _interval(key: jax.Array, length: jax.Array, side: int) -> tuple[jax.Array, jax.Array]:
    """Which of so many pixels lie in an interval around one of them, and how many do."""
    centre = jax.random.randint(key, (), 0, side)
    first = jnp.maximum(centre - length // 2, 0)
    end = jnp.minimum(centre + (length + 1) // 2, side)
    pixels = jnp.arange(side)
    return (pixels >= first) & (pixels < end), end - first


def _key_of(key: jax.Array, use: int) -> jax.Array:
    """A photograph's key for one of the things that are drawn here; mixup's came first."""
    *_, mixing_key = jax.random.split(key, 4)  # the others are `model_inputs`'
    return jax.random.fold_in(mixing_key, use) if use else mixing_key
