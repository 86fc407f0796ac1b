import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics import intervals
from hairjax.evaluation.metrics.jackknife import left_out_means, left_out_metrics, subject_indices

values_of_subjects = st.lists(st.floats(0.01, 0.99), min_size=2, max_size=20)


def alone(values):
    """The mean of values, and with each left out."""
    return float(np.mean(values)), left_out_means(values, np.arange(len(values)))


@given(values_of_subjects)
def test_the_standard_error_of_a_mean_is_scipys(values):
    estimate, left_out = alone(values)
    assert intervals.standard_error(estimate, left_out) == pytest.approx(
        stats.sem(values), abs=2e-9
    )


@given(values_of_subjects)
def test_the_interval_of_a_mean_is_scipys_t(values):
    assume(np.ptp(values) > 1e-3)
    degrees = 2 / (1.2 / len(values) + 2 / (len(values) - 1))
    low, high = stats.t.interval(0.95, degrees, np.mean(values), stats.sem(values))
    estimate, left_out = alone(values)
    found = intervals.t_interval(estimate, left_out, (-np.inf, np.inf))
    assert found == pytest.approx((low, high), rel=1e-6)
    # And its p is that of the same t.
    t = (np.mean(values) - 0.2) / stats.sem(values)
    assert intervals.t_test(estimate - 0.2, left_out - 0.2) == pytest.approx(
        2 * stats.t.sf(abs(t), degrees), rel=1e-6
    )


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20))
def test_p_and_interval_agree(differences):
    estimate, left_out = alone(differences)
    interval = intervals.t_interval(estimate, left_out, (-1.0, 1.0))
    p = intervals.t_test(estimate, left_out)
    if interval is None:
        assert p == 1
    elif abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (not interval[0] <= 0 <= interval[1])


def test_unequal_subjects_by_hand():
    """Three subjects with 1 of 2, 3 of 4 and 0 of 1 right."""
    right, unit = [1, 0, 1, 1, 1, 0, 0], np.array([0, 0, 1, 1, 1, 1, 2])
    left_out = left_out_means(right, unit)
    np.testing.assert_allclose(left_out, [3 / 5, 1 / 3, 4 / 6])
    squares = sum((one - 4 / 7) ** 2 for one in (3 / 5, 1 / 3, 4 / 6))
    error = np.sqrt(2 / 3 * squares)
    assert intervals.standard_error(4 / 7, left_out) == pytest.approx(error)
    # The shares θ with |4/7 - θ| ≤ t · √(θ (1 - θ) / trials), the ends by solving for equality.
    trials, t = 4 / 7 * 3 / 7 / error**2, stats.t.ppf(0.975, 2)
    for end in intervals.score_interval(4 / 7, left_out, kurtosis=0):
        assert abs(4 / 7 - end) == pytest.approx(t * np.sqrt(end * (1 - end) / trials))


@settings(deadline=None)
@given(st.integers(2, 30), st.integers(0, 2**32 - 1), st.floats(-3, 0), st.floats(0.1, 5))
def test_an_interval_holds_the_estimate_and_stays_within_the_bounds(units, seed, low, width):
    generator = np.random.default_rng(seed)
    bounds = (low, low + width)
    values = low + width * generator.beta(0.3, 0.3, units).round(generator.integers(0, 4))
    estimate, left_out = alone(values)
    for kurtosis in (0.0, 1.2, 6.0):
        ends = intervals.score_interval(estimate, left_out, bounds, kurtosis)
        assert low <= ends[0] <= estimate <= ends[1] <= low + width + 1e-9
        assert ends[0] < ends[1]
    positive = values - low
    if interval := intervals.log_interval(*alone(positive), width, 4.0):
        assert 0 < interval[0] < positive.mean() <= interval[1] <= width + 1e-9


@given(values_of_subjects)
def test_the_same_subjects_again_make_it_narrower(values):
    assume(np.ptp(values) > 1e-3)
    once = intervals.score_interval(*alone(values))
    twice = intervals.score_interval(*alone(values * 2))
    assert twice[1] - twice[0] < once[1] - once[0]


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("units", [2, 8, 64])
def test_where_all_agree_each_subject_is_one_trial(units, share):
    ends = intervals.score_interval(share, np.full(units, share), kurtosis=0)
    t = stats.t.ppf(0.975, units - 1)
    far = t**2 / (units + t**2)  # Wilson's, with t
    assert ends == pytest.approx((0, far) if share == 0 else (1 - far, 1))


@given(st.integers(2, 200), st.floats(0, 9), st.floats(0.1, 3))
def test_fewer_subjects_and_heavier_tails_need_more_standard_errors(units, kurtosis, more):
    found = intervals.t_quantile(units, kurtosis)
    assert found > intervals.t_quantile(units + 1, kurtosis) > stats.norm.ppf(0.975)
    assert intervals.t_quantile(units, kurtosis + more) > found
    assert intervals.t_quantile(units, 0.0) == pytest.approx(stats.t.ppf(0.975, units - 1))


def test_the_degrees_of_freedom_are_those_of_a_variance():
    """Of exponential values: a variance of so many degrees has 2 / degrees as relative variance."""
    values = np.random.default_rng(0).exponential(size=(200_000, 10))
    variances = values.var(1, ddof=1)
    relative = variances.var() / variances.mean() ** 2
    assert 2 / intervals.degrees_of_freedom(10, 6.0) == pytest.approx(relative, rel=0.05)


@pytest.mark.situation(
    "Results",
    "photographs of a single person",
    "no interval",
)
def test_one_subject_says_nothing_of_others():
    one = np.zeros(1)
    assert intervals.score_interval(0.5, one) is None
    assert intervals.log_interval(0.5, one, 36.0, 4.0) is None
    assert intervals.t_interval(0.5, one, (-1, 1)) is None
    assert intervals.mean_interval([1.0, 2.0, 6.0], ["s"] * 3, (0, 9)) == (3.0, None)


@pytest.mark.situation(
    "Results",
    "many photographs of few people",
    "intervals over people, by Student's t, that cover (docs/results.md)",
)
def test_a_mean_of_right_and_wrong_is_over_subjects():
    generator = np.random.default_rng(3)
    right = generator.random(200) < np.repeat(generator.random(20), 10)
    subjects = [f"s{i // 10}" for i in range(200)]
    mean, interval = intervals.mean_interval(right, subjects, (0.0, 1.0))
    by_subject = right.reshape(20, 10).mean(1)
    theirs = stats.t.interval(0.95, 2 / (1.2 / 20 + 2 / 19), mean, stats.sem(by_subject))
    assert mean == right.mean() and interval == pytest.approx(theirs)
    apart = intervals.mean_interval(right, [""] * 200, (0.0, 1.0))[1]
    assert apart[1] - apart[0] < 0.8 * (interval[1] - interval[0])


def test_metrics_of_one_that_says_always_the_same_do_not_vary():
    labels, p = np.arange(12) % 3, np.tile([0.2, 0.5, 0.3], (12, 1))
    unit = subject_indices([f"s{i // 3}" for i in range(12)])
    left_out, values = left_out_metrics(labels, p, unit), metrics.evaluate(labels, p)
    found = {
        name: intervals.metric_interval(name, values[name], one, 3)
        for name, one in left_out.items()
    }
    assert found["quadratic_kappa"] is None and found["log_loss"] is None
    assert found["within_one"][1] == 1


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(1, 400))
def test_wilson_is_scipys(successes, total):
    successes = min(successes, total)
    theirs = stats.binomtest(successes, total).proportion_ci(method="wilson")
    low, high = intervals.wilson(successes, total)
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= low <= successes / total <= high <= 1


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_proportion(successes, total):
    with pytest.raises(ValueError, match=f"no proportion: {successes} of {total}"):
        intervals.wilson(successes, total)
