"""Best of n trials, against all subsets and against distributions whose best is known."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hairjax.evaluation.metrics.expected_best import best_of_subset, expect_best

values = st.lists(st.floats(-5, 5), min_size=1, max_size=8)


@given(values)
def test_mean_and_median_are_those_of_all_subsets(values):
    found = expect_best(values)
    for n in range(1, len(values) + 1):
        best = sorted(max(subset) for subset in combinations(values, n))
        assert found.mean[n - 1] == pytest.approx(np.mean(best), abs=1e-9)
        assert found.median[n - 1] == best[(len(best) - 1) // 2]


@given(values)
def test_of_errors_the_least_is_the_best(values):
    best, least = expect_best(values), expect_best(np.negative(values), higher_is_better=False)
    for field in ("mean", "median"):
        np.testing.assert_allclose(getattr(least, field), np.negative(getattr(best, field)))
    np.testing.assert_array_equal(least.low, -best.high)
    np.testing.assert_array_equal(least.high, -best.low)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_more_trials_are_never_worse_and_an_interval_holds_its_median(values):
    found = expect_best(values)
    for curve in (found.mean, found.median, found.low, found.high):
        assert (curve[1:] >= curve[:-1] - 1e-12).all()
    assert (found.low <= found.median).all() and (found.median <= found.high).all()


def test_unbiased_where_drawing_with_replacement_is_not():
    generator = np.random.default_rng(0)
    drawn = generator.random((800, 8))
    found = np.mean([expect_best(one).mean for one in drawn], axis=0)
    n = np.arange(1, 9)
    np.testing.assert_allclose(found, n / (n + 1), atol=0.015)
    dodge = [np.sort(one) @ np.diff((np.arange(9) / 8) ** 8) for one in drawn]
    assert np.mean(dodge) < 8 / 9 - 0.04


@pytest.mark.parametrize("law", [stats.norm(), stats.beta(5, 1.2), stats.lognorm(1)])
def test_intervals_of_the_median_cover(law):
    generator = np.random.default_rng(1)
    truth = law.ppf(0.5 ** (1 / np.arange(1, 13)))
    held = [
        (found.low <= truth) & (truth <= found.high)
        for found in (expect_best(law.rvs(12, random_state=generator)) for _ in range(400))
    ]
    assert np.mean(held, axis=0).min() > 0.95 - 2 * np.sqrt(0.95 * 0.05 / 400)


def test_nobody_knows_how_good_the_best_of_as_many_would_be():
    found = expect_best(np.arange(12.0))
    assert np.isfinite(found.high).tolist() == [True, True, *[False] * 10]
    assert found.low[-1] == 8
    assert found.mean[-1] == found.median[-1] == 11


def test_thousands_of_trials_do_not_overflow():
    table = best_of_subset(1000)
    assert np.isfinite(table).all() and table[:, -1] == pytest.approx(1)
    assert expect_best(np.arange(1000)).mean[0] == pytest.approx(999 / 2)


@pytest.mark.parametrize("none", [[], [0.5, np.nan], [[0.5]]])
def test_what_is_no_trial_is_refused(none):
    with pytest.raises(ValueError, match="finite numbers"):
        expect_best(none)
