import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.models.swin import Swin
from hairjax.weights.stem import RULES, expand_stem
from tests.models.example import options

channel_counts = st.integers(4, 12)
seeds = st.integers(0, 2**32 - 1)
# The first example of a shape compiles, which no deadline foresees.
unhurried = settings(deadline=None, max_examples=30)


def kernel(channels, seed):
    generator = np.random.default_rng(seed)
    return jnp.asarray(generator.normal(size=(4, 4, channels, 5)), jnp.float32)


def expand(rule, channels, seed=0):
    """The RGB kernel, the drawn one, and what the rule makes of both."""
    rgb, drawn = kernel(3, seed), kernel(channels, seed + 1)
    return rgb, drawn, np.asarray(expand_stem(rgb, drawn, rule))


# --- kernels


@unhurried
@given(channel_counts, seeds)
def test_copy_repeats_rgb(channels, seed):
    rgb, _, expanded = expand("copy", channels, seed)
    for channel in range(channels):
        expected = rgb[:, :, channel % 3] * (3 / channels)
        np.testing.assert_allclose(expanded[:, :, channel], expected, rtol=1e-6)


@unhurried
@given(channel_counts, seeds)
def test_zero_keeps_rgb_and_is_blind_to_the_rest(channels, seed):
    rgb, _, expanded = expand("zero", channels, seed)
    np.testing.assert_array_equal(expanded[:, :, :3], rgb)
    assert not expanded[:, :, 3:].any()


@unhurried
@given(channel_counts, seeds)
def test_mean_sees_grey_in_the_rest(channels, seed):
    rgb, _, expanded = expand("mean", channels, seed)
    np.testing.assert_allclose(expanded[:, :, :3], rgb * (3 / channels), rtol=1e-6)
    grey = np.asarray(rgb).mean(axis=2) * (3 / channels)
    for channel in range(3, channels):
        np.testing.assert_allclose(expanded[:, :, channel], grey, rtol=1e-4, atol=1e-6)


@unhurried
@given(channel_counts, seeds)
def test_random_mask_keeps_scaled_rgb_and_draws_the_rest(channels, seed):
    rgb, drawn, expanded = expand("random_mask", channels, seed)
    np.testing.assert_allclose(expanded[:, :, :3], rgb * (3 / channels), rtol=1e-6)
    np.testing.assert_array_equal(expanded[:, :, 3:], drawn[:, :, 3:])


@unhurried
@given(st.integers(3, 12), seeds)
def test_random_all_is_as_drawn(channels, seed):
    _, drawn, expanded = expand("random_all", channels, seed)
    np.testing.assert_array_equal(expanded, drawn)


@pytest.mark.parametrize("rule", ["copy", "zero", "mean", "random_mask"])
def test_three_channels_stay_as_they_are(rule):
    rgb, _, expanded = expand(rule, 3)
    np.testing.assert_array_equal(expanded, rgb)


@pytest.mark.parametrize("rule", ["copy", "mean", "random_mask"])
def test_rgb_and_mask_halve_rgb(rule):
    rgb, _, expanded = expand(rule, 6)
    np.testing.assert_array_equal(expanded[:, :, :3], rgb / 2)


@pytest.mark.parametrize("channels", [3, 6])
def test_unknown_rule_is_refused_with_the_rules(channels):
    with pytest.raises(ValueError, match=f"'copies'; the rules are {', '.join(RULES)}"):
        expand("copies", channels)


@pytest.mark.parametrize("rule", RULES)
def test_two_channels_are_refused(rule):
    with pytest.raises(ValueError, match="1 or at least 3 channels, not 2"):
        expand(rule, 2)


@pytest.mark.parametrize("rule", RULES)
def test_a_mask_alone_is_seen_as_grey(rule):
    """One channel answers as the RGB kernel does to a picture with three equal channels."""
    rgb, drawn, expanded = expand(rule, 1)
    mask = np.random.default_rng(0).random((1, 8, 8, 1)).astype(np.float32)
    patches = mask.reshape(1, 2, 4, 2, 4).transpose(0, 1, 3, 2, 4).reshape(4, 16)
    seen = patches @ np.asarray(expanded).reshape(16, -1)
    grey = np.repeat(patches[:, :, None], 3, axis=2).reshape(4, 48)
    if rule == "random_all":
        np.testing.assert_array_equal(expanded, drawn)
    else:
        np.testing.assert_allclose(
            seen, grey @ np.asarray(rgb).reshape(48, -1), rtol=1e-5, atol=1e-5
        )


# --- networks


def swin(channels):
    given = options(image_size=(16, 16), in_channels=channels, num_classes=5)
    return Swin(given, dim=8, depths=(1,), heads=(2,), window=4, rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def networks():
    """An RGB network, and one of six channels by any rule with the same parameters."""
    (graph3, shapes), (graph6, _) = (
        nnx.split(nnx.eval_shape(lambda channels=channels: swin(channels))) for channels in (3, 6)
    )
    generator = np.random.default_rng(0)
    parameters = jax.tree.map(
        lambda leaf: generator.normal(size=leaf.shape).astype(np.float32),
        nnx.to_pure_dict(shapes),
    )
    rgb_kernel = parameters["stem"]["proj"].pop("kernel")
    drawn = jnp.asarray(generator.normal(size=(4, 4, 6, 8)), jnp.float32)

    @functools.partial(jax.jit, static_argnums=0)
    def run(graph, kernel, images):
        stem = parameters["stem"]
        stem = stem | {"proj": stem["proj"] | {"kernel": kernel}}
        return nnx.merge(graph, parameters | {"stem": stem})(images)

    def run_six(photo, mask, rule):
        images = jnp.concatenate([photo, mask], axis=-1)
        return run(graph6, expand_stem(jnp.asarray(rgb_kernel), drawn, rule), images)

    return functools.partial(run, graph3, rgb_kernel), run_six


def photographs(seed):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(2, 16, 16, 3)), jnp.float32)


def test_copy_equals_the_rgb_network_where_the_mask_looks_like_the_photograph(networks):
    rgb, six = networks
    photo, mask = photographs(0), photographs(1)
    np.testing.assert_allclose(six(photo, photo, "copy"), rgb(photo), rtol=1e-4, atol=1e-4)
    assert np.abs(six(photo, mask, "copy") - rgb(photo)).max() > 0.1


def test_zero_equals_the_rgb_network_whatever_the_mask(networks):
    rgb, six = networks
    photo = photographs(0)
    first, second = (six(photo, photographs(seed), "zero") for seed in (1, 2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, rgb(photo), rtol=1e-4, atol=1e-4)
