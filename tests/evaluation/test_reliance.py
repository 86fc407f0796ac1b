"""Masks changed as said, and what that does to the metrics."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.explain.reliance import (
    edge_pixels,
    measure_reliance,
    other_photographs,
    predict_changed,
)
from hairjax.evaluation.predictions import Predictions
from hairjax.system.errors import UserError

N, SIDE, CLASSES = 40, 100, ("a", "b", "c")


@pytest.fixture(scope="module")
def photos():
    """Each with a mask of a size of its own, which is its class."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (N, SIDE, SIDE, 4), np.uint8)
    images[..., 3] = 0
    labels = np.arange(N, dtype=np.int32) % 3
    for i, image in enumerate(images):
        image[10 : 30 + 10 * labels[i], i : i + 40, 3] = 255
    return PhotoSet(
        images=images,
        labels=labels,
        files=tuple(f"{i}.png" for i in range(N)),
        subjects=tuple(f"s{i // 4}" for i in range(N)),
        sha256=("",) * N,
        classes=CLASSES,
        has_masks=True,
    )


def predict(photos):
    """Knows the class by the mask's height, and nothing else."""
    height = (photos.images[..., 3] > 127).any(2).sum(1)
    guess = ((height - 10) // 10).clip(1, 3) - 1
    return Predictions(
        files=photos.files,
        labels=photos.labels,
        probabilities=np.eye(3, dtype=np.float32)[guess] * np.float32(0.7) + np.float32(0.1),
        subjects=photos.subjects,
        classes=CLASSES,
    )


def test_masks_and_photographs_are_changed_as_said(photos, monkeypatch):
    monkeypatch.setattr("hairjax.evaluation.explain.reliance._AT_ONCE", 16)
    seen = []

    def remember(part):
        seen.append(part)
        return predict(part)

    changed = predict_changed(remember, photos, 3)
    images = {
        name: np.concatenate([part.images for part in seen[i :: len(changed)]])
        for i, name in enumerate(changed)
    }
    assert list(images) == [
        "without the mask",
        "mask of another photograph",
        "mask eroded by 2 pixels",
        "mask dilated by 2 pixels",
        "without the photograph",
    ]
    assert edge_pixels(SIDE) == 2 and edge_pixels(20) == 1
    for name, found in images.items():
        if name != "without the photograph":
            np.testing.assert_array_equal(found[..., :3], photos.images[..., :3])
    mask = photos.images[..., 3] > 0
    square = np.ones((1, 5, 5))
    assert not images["without the mask"][..., 3].any()
    for name, expected in (
        # Beyond the border everything goes on as it was.
        ("mask eroded by 2 pixels", scipy.ndimage.binary_erosion(mask, square, border_value=1)),
        ("mask dilated by 2 pixels", scipy.ndimage.binary_dilation(mask, square)),
    ):
        np.testing.assert_array_equal(images[name][..., 3] > 0, expected)
    shuffled = images["mask of another photograph"][..., 3]
    whose = [
        next(j for j in range(N) if (one == photos.images[j, ..., 3]).all()) for one in shuffled
    ]
    assert whose == other_photographs(N, 3).tolist()
    blind = images["without the photograph"]
    np.testing.assert_array_equal(blind[..., 3], photos.images[..., 3])
    assert (blind[..., :3] == (124, 116, 104)).all()  # 255 × (0.485, 0.456, 0.406)


def test_differences_are_those_of_the_metrics(photos):
    original, changed = predict(photos), predict_changed(predict, photos, 3)
    plain, *others = measure_reliance(original, changed)
    assert plain.change == "" and plain.differences == {}
    assert plain.values["accuracy"][0] == 1
    for line in others:
        guess = changed[line.change].predicted
        accuracy = sklearn.metrics.accuracy_score(photos.labels, guess)
        kappa = sklearn.metrics.cohen_kappa_score(photos.labels, guess, weights="quadratic")
        for name, value in (("accuracy", accuracy), ("quadratic_kappa", kappa)):
            assert line.values[name][0] == pytest.approx(value)
            difference, interval = line.differences[name]
            assert difference == pytest.approx(value - plain.values[name][0])
            assert interval is None or interval[0] <= difference <= interval[1]
    by_name = {line.change: line.differences["accuracy"] for line in others}
    assert by_name["without the photograph"] == (0, None)
    assert by_name["mask of another photograph"][1][1] < 0


@settings(deadline=None)
@given(st.integers(2, 60), st.integers(0, 99))
def test_nobody_is_given_their_own(count, seed):
    others = other_photographs(count, seed)
    assert sorted(others) == list(range(count))
    assert (others != np.arange(count)).all()


def test_one_photograph_has_no_other(photos):
    with pytest.raises(UserError, match="fewer than two"):
        predict_changed(predict, replace(photos.subset([0])), 0)
