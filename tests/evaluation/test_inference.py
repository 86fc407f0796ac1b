import functools

import jax
import numpy as np
import pytest
import scipy.special
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.inference import make_predict, softmax
from hairjax.parallel.mesh import make_mesh

STORED, SIDE, BATCH = 18, 16, 4
INPUT_SPEC = InputSpecification(SIDE, (6,), ("imagenet",))
CLASSES = ("normal", "mild", "severe")


class Linear(nnx.Module):
    """Enough of a model: its logits depend on every pixel."""

    def __init__(self, rngs):
        self.head = nnx.Linear(SIDE * SIDE * 6, len(CLASSES), rngs=rngs)

    def __call__(self, images):
        return self.head(images.reshape(len(images), -1))


@functools.cache
def model():
    graphdef, shapes = nnx.split(nnx.eval_shape(lambda: Linear(nnx.Rngs(0))))
    generator = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: np.float32(generator.normal(size=leaf.shape) / 20), nnx.to_pure_dict(shapes)
    )
    return graphdef, params


@functools.cache
def predictor(devices=1, batch_size=BATCH):
    mesh = make_mesh(devices, 1)
    return make_predict(model()[0], mesh, input_spec=INPUT_SPEC, batch_size=batch_size)


def photographs(n, seed=0):
    generator = np.random.default_rng(seed)
    return PhotoSet(
        images=generator.integers(0, 256, (n, STORED, STORED, 4), dtype=np.uint8),
        labels=np.arange(n, dtype=np.int32) % len(CLASSES),
        files=tuple(f"{i}.jpg" for i in range(n)),
        subjects=tuple(f"s{i}" for i in range(n)),
        sha256=("",) * n,
        classes=CLASSES,
        has_masks=True,
    )


@jax.jit
def logits_alone(photo):
    graphdef, params = model()
    return nnx.merge(graphdef, params)(model_inputs(photo[None], None, None, INPUT_SPEC))[0]


@pytest.mark.parametrize("n", [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, 3 * BATCH - 1])
def test_every_photograph_is_counted_once_and_in_order(n):
    photos = photographs(n)
    found = predictor()(model()[1], photos)
    assert found.files == photos.files
    assert found.subjects == photos.subjects
    assert found.classes == CLASSES
    np.testing.assert_array_equal(found.labels, photos.labels)
    assert found.probabilities.shape == (n, 3)
    assert found.probabilities.dtype == np.float32
    np.testing.assert_allclose(found.probabilities.sum(axis=1), np.ones(n), rtol=1e-6)
    alone = scipy.special.softmax([logits_alone(photo) for photo in photos.images], axis=1)
    np.testing.assert_allclose(found.probabilities, alone, atol=1e-5)


def test_a_photographs_probabilities_do_not_depend_on_its_company():
    photos = photographs(2 * BATCH)
    together = predictor()(model()[1], photos).probabilities
    for chosen in ([0], [5, 2], [7, 6, 5, 4, 3]):
        some = predictor()(model()[1], photos.subset(chosen)).probabilities
        np.testing.assert_allclose(some, together[chosen], atol=1e-6)


@pytest.mark.parametrize(("devices", "batch_size"), [(8, 8), (8, 3), (3, 4)])
def test_any_number_of_devices_and_any_batch_give_the_same(devices, batch_size):
    photos = photographs(11)
    expected = predictor()(model()[1], photos).probabilities
    found = predictor(devices, batch_size)(model()[1], photos).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_program_serves_sets_of_any_size():
    count = []

    class Counting(Linear):
        def __call__(self, images):
            count.append(len(images))
            return super().__call__(images)

    graphdef, _ = nnx.split(nnx.eval_shape(lambda: Counting(nnx.Rngs(0))))
    predict = make_predict(graphdef, make_mesh(1, 1), input_spec=INPUT_SPEC, batch_size=BATCH)
    for n in (1, BATCH, BATCH + 1):
        predict(model()[1], photographs(n))
    assert count == [BATCH]  # traced once


close = st.floats(-20, 20, width=32)
far = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=close | far))
def test_softmax_is_scipys(logits):
    found = softmax(logits)
    assert found.dtype == np.float32
    expected = scipy.special.softmax(np.float64(logits), axis=1)
    # Half a unit in the last place of float32: nothing is lost on the way.
    np.testing.assert_allclose(found, expected, rtol=6e-8, atol=1e-45)
