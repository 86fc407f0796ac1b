import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics import jackknife


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 40), st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_a_subject_left_out_is_as_if_it_had_not_been_there(n, people, seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, n)
    p = generator.dirichlet(np.ones(4), n)
    _, unit = np.unique(generator.integers(0, people, n), return_inverse=True)
    found = jackknife.left_out_metrics(labels, p, unit)
    values = generator.normal(size=n)
    means = jackknife.left_out_means(values, unit)
    for out in range(unit.max() + 1):
        rest = unit != out
        if not rest.any():
            continue
        expected = metrics.evaluate(labels[rest], p[rest])
        assert list(found) == list(expected)[:-1]  # but for the calibration error
        for name, left_out in found.items():
            # Kappa of the others is undefined where they are of one class, and counts as 0.
            wanted = 0.0 if expected[name] is None else expected[name]
            assert left_out[out] == pytest.approx(wanted, abs=1e-9)
        assert means[out] == pytest.approx(values[rest].mean())


def test_unknown_subjects_are_units_of_their_own():
    index = jackknife.subject_indices(["b", "", "a", "b", "", ""])
    np.testing.assert_array_equal(index, [0, 1, 2, 0, 3, 4])


def test_of_a_single_subject_nothing_is_left():
    assert jackknife.left_out_means([1.0, 2.0], np.zeros(2, np.int64)).tolist() == [0.0]
