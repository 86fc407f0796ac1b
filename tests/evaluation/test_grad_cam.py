"""Explanation maps: against closed forms, finite differences, scipy, and weights that know nothing.

torch's autograd through timm's Swin is the reference in ``tests/parity``.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hairjax.evaluation.explain.maps import (
    evidence,
    grad_cam,
    make_explain,
    share_inside,
    upsample,
)
from hairjax.models.swin import Swin
from hairjax.parallel.mesh import make_mesh
from tests.evaluation import squares
from tests.evaluation.squares import GRID, INPUT_SPEC, alike, inputs, noisy, photographs


@functools.cache
def graph():
    return squares.graph(Swin, dim=16, depths=(1, 1, 1), heads=(1, 2, 4), window=3)


def drawn(seed):
    return squares.drawn(graph()[1], seed)


@functools.cache
def trained():
    return squares.train(*graph(), 3e-3)


@functools.cache
def make_explainer(stage=-1, devices=1, batch_size=16):
    mesh = make_mesh(devices, 1)
    options = {"method": "grad_cam", "batch_size": batch_size, "stage": stage}
    return make_explain(graph()[0], mesh, input_spec=INPUT_SPEC, **options)


def test_last_stages_map_is_the_closed_form():
    """Norm, mean, dense: the gradient written out, in float64."""
    params, (photos, _) = drawn(2), photographs(3, 0)
    classes = np.array([2, 0, 1])
    found = make_explainer()(params, photos, classes)
    assert found.shape == (3, GRID, GRID)
    seen = inputs(photos)
    features = jax.jit(lambda p: nnx.merge(graph()[0], p).features(seen)[-1])(params)
    head = params["head"]
    for k, a, cam in zip(classes, np.float64(features), found, strict=True):
        spread = np.sqrt(a.var(-1, keepdims=True) + 1e-5)
        normed = (a - a.mean(-1, keepdims=True)) / spread
        v = head["norm"]["scale"] * np.float64(head["classifier"]["kernel"][:, k])
        gradient = v - v.mean() - normed * (v * normed).mean(-1, keepdims=True)
        gradient /= spread * GRID**2
        np.testing.assert_allclose(cam, a @ gradient.mean((0, 1)), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("stage", [0, -2])
def test_earlier_stages_map_is_a_finite_difference(stage):
    """A place's value is how the logit grows when every place is given more of what it holds."""
    params, (photos, _) = drawn(3), photographs(1, 0)
    graphdef = graph()[0]
    seen = inputs(photos)
    cam = np.asarray(
        jax.jit(lambda p: grad_cam(nnx.merge(graphdef, p), seen, jnp.array([1]), stage))(params)
    )[0]

    @jax.jit
    def logit(params, share, row, column):
        model = nnx.merge(graphdef, params)
        x = model.stem(seen, None)
        for i, part in enumerate(model.stages):
            x = part(x, None)
            if i == stage % 3:
                x = x + share * x[:, row, column][:, None, None, :]
        return model.head(x, None)[0, 1]

    step = 0.02
    for row, column in ((0, 0), (3, 2), (5, 5)):
        ends = (float(logit(params, share, row, column)) for share in (step, -step))
        change = next(ends) - next(ends)
        assert cam[row, column] * cam.size == pytest.approx(change / (2 * step), rel=0.02, abs=2e-3)


@pytest.mark.slow
def test_maps_point_at_what_the_class_is_told_by_and_random_weights_do_not():
    """Adebayo et al., "Sanity checks for saliency maps", 2018: a map must depend on the weights."""
    photos, places = photographs(64, 5)
    explain = make_explainer()
    maps = explain(trained(), photos, photos.labels)
    hits = np.mean(maps.reshape(64, -1).argmax(1) == places)
    # Coarse maps that are not sharp: held to be better than chance, not to be always right.
    assert hits > scipy.stats.binom.ppf(0.999, 64, 1 / GRID**2) / 64
    assert alike(maps, explain(trained(), noisy(photos), photos.labels)) > 0.9
    for seed in range(3):
        assert abs(alike(maps, explain(drawn(seed), photos, photos.labels))) < 0.4


def test_any_number_of_devices_and_any_batch_give_the_same():
    photos, _ = photographs(11, 7)
    expected = make_explainer()(drawn(0), photos, photos.labels)
    found = make_explainer(devices=3, batch_size=4)(drawn(0), photos, photos.labels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_upsampling_is_scipys():
    maps = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32)
    expected = scipy.ndimage.zoom(maps, (1, 18, 18), order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(upsample(maps, 54), expected, atol=1e-6)


masks = arrays(np.uint8, (1, 12, 12))
values = arrays(np.float32, (1, 3, 3), elements=st.floats(-10, 10, width=32))


@settings(deadline=None)
@given(masks, values, st.floats(0.125, 8, width=32))
def test_share_inside(mask, maps, factor):
    level = np.ones((1, 12, 12), np.float32)
    np.testing.assert_allclose(share_inside(level, mask), mask.mean() / 255, atol=1e-6)
    large = evidence(maps, 12)
    assert large.min() >= 0
    inside, outside = share_inside(large, mask), share_inside(large, 255 - mask)
    if (maps <= 0).all():
        assert np.isnan(inside).all() and (large == 0).all()
    elif maps.max() > 1e-3:
        assert large.max() == 1
        np.testing.assert_allclose(inside + outside, 1, atol=1e-6)
        np.testing.assert_allclose(evidence(maps * factor, 12), large, atol=1e-5)
