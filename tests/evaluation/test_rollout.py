"""Attention rollout: against numpy, a closed form, and weights that know nothing.

timm's attention is the reference in ``tests/parity``.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.evaluation.explain.deletion import area, make_curves, random_maps
from hairjax.evaluation.explain.maps import make_explain
from hairjax.evaluation.explain.rollout import rollout_step
from hairjax.models.vit import ViT
from hairjax.parallel.mesh import make_mesh
from tests.evaluation import squares
from tests.evaluation.squares import GRID, INPUT_SPEC, alike, inputs, noisy, photographs

BLOCKS, HEADS, DIM = (1, 2), 2, 16
TOKENS = 1 + GRID**2


@functools.cache
def graph():
    return squares.graph(ViT, patch=16, dim=DIM, depths=BLOCKS, heads=HEADS)


def drawn(seed):
    return squares.drawn(graph()[1], seed)


@functools.cache
def trained():
    return squares.train(*graph(), 3e-3)


OPTIONS = {"input_spec": INPUT_SPEC, "batch_size": 16}


@functools.cache
def make_explainer(stage=-1):
    mesh = make_mesh(1, 1)
    return make_explain(graph()[0], mesh, method="attention_rollout", stage=stage, **OPTIONS)


def normed(x, norm):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * norm["scale"] + norm["bias"]


def dense(x, layer):
    return x @ layer["kernel"] + layer["bias"]


def rolled_in_numpy(params, image):
    """The method written out in float64, with a ViT of its own: the rollout after each block."""
    params = jax.tree.map(np.float64, params)
    stem = params["stem"]
    patches = image.reshape(GRID, 16, GRID, 16, 3).swapaxes(1, 2).reshape(-1, 16 * 16 * 3)
    kernel = stem["proj"]["kernel"].reshape(-1, DIM)
    x = np.concatenate([stem["token"][0], patches @ kernel + stem["proj"]["bias"]])
    x = x + stem["position"][0]
    rolled, found = np.eye(TOKENS), []
    for stage in params["stages"].values():
        for block in stage["blocks"].values():
            attention = block["attention"]
            qkv = dense(normed(x, block["norm1"]), attention["qkv"])
            q, k, v = qkv.reshape(TOKENS, 3, HEADS, DIM // HEADS).transpose(1, 2, 0, 3)
            shares = scipy.special.softmax(q @ k.swapaxes(1, 2) / np.sqrt(DIM / HEADS), axis=-1)
            x = x + dense((shares @ v).swapaxes(0, 1).reshape(TOKENS, DIM), attention["proj"])
            h = dense(normed(x, block["norm2"]), block["mlp"]["expand"])
            x = x + dense(h * scipy.stats.norm.cdf(h), block["mlp"]["reduce"])
            rolled = (shares.mean(0) + np.eye(TOKENS)) / 2 @ rolled
            found.append(rolled)
    return found


@pytest.mark.parametrize("stage", [-1, 0])
def test_maps_are_numpys(stage):
    """Of attention that is far from even, so that nothing can be confused with anything."""
    params, (photos, _) = drawn(2), photographs(3, 0)
    params["stages"] = jax.tree.map(lambda leaf: 3 * leaf, params["stages"])
    found = make_explainer(stage)(params, photos, np.array([2, 0, 1]))
    after = np.cumsum(BLOCKS)[stage] - 1
    for image, ours in zip(np.float64(inputs(photos)), found, strict=True):
        expected = rolled_in_numpy(params, image)[after][0, 1:].reshape(GRID, GRID)
        assert np.ptp(expected) > 0.1 * expected.max()
        np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_weights_are_those_of_the_forward_pass():
    """The values weighted by them, put together, are what attention gives."""
    graphdef, state = nnx.split(nnx.merge(graph()[0], drawn(0)).stages[0].blocks[0].attention)
    x = np.random.default_rng(0).normal(size=(2, TOKENS, DIM)).astype(np.float32)

    @jax.jit
    def run(state, x):
        attention = nnx.merge(graphdef, state)
        values = jnp.split(attention.qkv(x), 3, axis=-1)[2].reshape(2, TOKENS, HEADS, -1)
        taken = jnp.einsum("bhqk,bkhd->bqhd", attention.weights(x), values)
        return attention(x), attention.proj(taken.reshape(x.shape))

    np.testing.assert_allclose(*run(state, x), rtol=1e-5, atol=1e-6)


def test_even_attention_has_the_closed_form():
    """Where queries are 0, a token takes as much of each: J/n, which is its own square."""
    params, (photos, _) = drawn(1), photographs(2, 0)
    for stage in params["stages"].values():
        for block in stage["blocks"].values():
            for leaf in block["attention"]["qkv"].values():
                leaf[..., :DIM] = 0
    found = make_explainer()(params, photos, photos.labels)
    np.testing.assert_allclose(found, (1 - 2.0 ** -sum(BLOCKS)) / TOKENS, rtol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 1.0, 30.0]))
def test_rows_of_the_product_add_up_to_one_and_it_is_numpys(seed, spread):
    scores = np.random.default_rng(seed).normal(0, spread, (4, 2, 3, 5, 5))
    weights = scipy.special.softmax(scores, axis=-1)
    rolled = jnp.eye(5)[None]
    for block in weights.astype(np.float32):
        rolled = compiled_rollout_step(block, rolled)
    mixed = (weights.mean(2) + np.eye(5)) / 2
    np.testing.assert_allclose(rolled.sum(-1), 1, atol=1e-6)
    for one, blocks in zip(rolled, mixed.swapaxes(0, 1), strict=True):
        np.testing.assert_allclose(one, np.linalg.multi_dot(blocks[::-1]), rtol=1e-4, atol=1e-7)


compiled_rollout_step = jax.jit(rollout_step)


def test_maps_know_no_class_and_add_up_to_what_is_not_the_class_tokens_own():
    photos, _ = photographs(5, 3)
    maps = make_explainer()(drawn(0), photos, photos.labels)
    np.testing.assert_array_equal(maps, make_explainer()(drawn(0), photos, (photos.labels + 1) % 3))
    total = maps.sum((1, 2))
    assert (maps > 0).all() and (total < 1 - 2.0 ** -sum(BLOCKS)).all() and (total > 0.5).all()


@pytest.mark.slow
def test_maps_point_at_what_the_classes_are_told_by_and_random_weights_do_not():
    """Adebayo et al., "Sanity checks for saliency maps", 2018: a map must depend on the weights."""
    photos, places = photographs(64, 5)
    explain = make_explainer()
    maps = explain(trained(), photos, photos.labels)
    hits = np.mean(maps.reshape(64, -1).argmax(1) == places)
    assert hits > 0.9
    assert alike(maps, explain(trained(), noisy(photos), photos.labels)) > 0.9
    for seed in range(3):
        assert abs(alike(maps, explain(drawn(seed), photos, photos.labels))) < 0.4
    follow = make_curves(graph()[0], make_mesh(1, 1), **OPTIONS)
    found, chance = (
        area(follow(trained(), photos.images, ranked, photos.labels)["deletion"]).mean()
        for ranked in (maps, random_maps(maps, 0))
    )
    assert found < chance - 0.1
