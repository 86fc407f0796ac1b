import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.reliability import (
    BINS,
    EDGES,
    bin_indices,
    expected_calibration_error,
)


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 5), st.integers(0, 2**32 - 1), st.floats(0.1, 8))
def test_equals_scikit_learns_reliability_curve(n, k, seed, scale):
    """As the binary case of whether the likeliest class is the true one."""
    generator = np.random.default_rng(seed)
    labels, p = generator.integers(0, k, n), softmax(generator.normal(scale=scale, size=(n, k)))
    right, confidence = p.argmax(1) == labels, p.max(1)
    ours = expected_calibration_error(labels, p)
    with np.errstate(invalid="ignore"):
        true, mean = calibration_curve(right, confidence, n_bins=BINS)
    # The curve leaves out how many are in each bin; from the means alone they can be told.
    counts = np.histogram(confidence, EDGES)[0]
    assert ours == pytest.approx(abs(true - mean) @ counts[counts > 0] / n, abs=1e-12)
    assert 0 <= ours <= 1
    assert metrics.evaluate(labels, p)["expected_calibration_error"] == ours


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 10)), min_size=1, max_size=8))
def test_bins_that_are_as_often_right_as_they_say_have_no_error(bins):
    labels, rows = [], []
    for times, tenths in bins:
        right = 10 + tenths  # of 20, so that the first class is the likeliest
        labels += ([0] * right + [1] * (20 - right)) * times
        rows += [[right / 20, 1 - right / 20]] * (20 * times)
    assert expected_calibration_error(np.array(labels), np.array(rows)) == pytest.approx(
        0, abs=1e-12
    )


def test_the_worst_is_one():
    assert expected_calibration_error(np.array([1, 1]), np.array([[1.0, 0.0]] * 2)) == 1


def test_an_edge_belongs_to_the_bin_below():
    np.testing.assert_array_equal(bin_indices(EDGES), [0, *range(BINS)])
