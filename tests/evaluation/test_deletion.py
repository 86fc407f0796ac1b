"""Deletion and insertion: each step against the photograph changed by hand, areas, orders."""

import functools

import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics
from flax import nnx
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.evaluation.explain.deletion import (
    CURVES,
    STEPS,
    area,
    blank,
    blur_photographs,
    make_curves,
    random_maps,
    removal_order,
)
from hairjax.evaluation.explain.maps import upsample
from hairjax.parallel.mesh import make_mesh

SIDE, STORED = 8, 10
INPUT_SPEC = InputSpecification(SIDE, (6,), ("imagenet",))
traced = []


class Corner(nnx.Module):
    """Sees nothing but how red the upper left quarter is."""

    def __init__(self):
        self.strength = nnx.Param(np.float32(4))

    def __call__(self, images):
        traced.append(len(images))
        red = images[:, : SIDE // 2, : SIDE // 2, 0].mean((1, 2))
        return red[:, None] * self.strength[...] * np.array([1.0, 0.0, -1.0])[None]


@functools.cache
def follow(batch_size=4, devices=1):
    graphdef, _ = nnx.split(Corner())
    mesh = make_mesh(devices, 1)
    return make_curves(graphdef, mesh, input_spec=INPUT_SPEC, batch_size=batch_size)


PARAMS = {"strength": np.float32(4)}


def photographs(count):
    generator = np.random.default_rng(0)
    photos = generator.integers(0, 256, (count, STORED, STORED, 4), np.uint8)
    photos[:, :5, :5, 0] = 255
    return photos


def probability(photos, label):
    """Of one class, without any of the code that is tested."""
    graphdef, _ = nnx.split(Corner())
    logits = nnx.merge(graphdef, PARAMS)(model_inputs(photos, None, None, INPUT_SPEC))
    return scipy.special.softmax(np.asarray(logits, np.float64), axis=1)[:, label]


def test_every_step_is_the_photograph_changed_by_hand():
    photos, maps = photographs(5), random_maps(np.empty((5, 2, 2)), 1)
    curves = follow()(PARAMS, photos, maps, np.array([0, 1, 2, 0, 1]))
    large = upsample(maps, STORED)
    for photo, label in ((0, 0), (1, 1), (4, 1)):
        order = np.argsort(-large[photo], axis=None, kind="stable")
        for step in (0, 1, 7, STEPS):
            first = order[: round(STORED**2 * step / STEPS)]
            for name, start, end in (
                ("deletion", photos, blank(photos)),
                ("insertion", blur_photographs(photos), photos),
            ):
                changed = start[photo].reshape(-1, 4).copy()
                changed[first] = end[photo].reshape(-1, 4)[first]
                expected = probability(changed.reshape(1, STORED, STORED, 4), label)
                assert curves[name][photo, step] == pytest.approx(expected[0], abs=1e-5)


def test_what_the_model_sees_is_worth_more_than_what_it_does_not():
    photos = photographs(6)
    true = np.zeros((6, 2, 2), np.float32)
    true[:, 0, 0] = 1
    classes = np.zeros(6, int)
    right, wrong = (follow()(PARAMS, photos, maps, classes) for maps in (true, -true))
    assert (area(right["deletion"]) < area(wrong["deletion"]) - 0.3).all()
    assert (area(right["insertion"]) > area(wrong["insertion"])).all()


def test_one_program_for_both_curves_any_number_of_photographs_and_devices():
    maps, classes = random_maps(np.empty((9, 2, 2)), 0), np.zeros(9, int)
    expected = follow()(PARAMS, photographs(9), maps, classes)
    before = len(traced)
    again = follow()(PARAMS, photographs(9)[:2], maps[:2], classes[:2])
    assert len(traced) == before
    found = follow(batch_size=3, devices=2)(PARAMS, photographs(9), maps, classes)
    for name in CURVES:
        np.testing.assert_allclose(again[name], expected[name][:2], atol=1e-6)
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


def test_blank_is_nothing_to_the_model():
    seen = np.asarray(model_inputs(blank(photographs(1)), None, None, INPUT_SPEC))
    assert np.abs(seen).max() < 0.02  # the mean colour, to eight bits


@settings(deadline=None)
@given(arrays(np.float32, (2, 4, 4)).filter(lambda maps: np.isfinite(maps).all()))
def test_the_order_is_scipys_rank(maps):
    for order, values in zip(removal_order(maps), maps, strict=True):
        rank = scipy.stats.rankdata(-values, method="ordinal").reshape(4, 4) - 1
        np.testing.assert_allclose(order * 16, rank)


@settings(deadline=None)
@given(arrays(np.float32, (3, STEPS + 1), elements={"min_value": 0, "max_value": 1}))
def test_area_is_scikit_learns(curves):
    shares = np.linspace(0, 1, STEPS + 1)
    expected = [sklearn.metrics.auc(shares, curve) for curve in curves]
    np.testing.assert_allclose(area(curves), expected, atol=1e-6)


def test_random_maps_are_drawn_by_the_seed():
    like = np.empty((4, 3, 3))
    np.testing.assert_array_equal(random_maps(like, 1), random_maps(like, 1))
    assert (random_maps(like, 1) != random_maps(like, 2)).all()
