import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics import intervals


def predictions(n, seed, right=0.75):
    """Labels and probabilities of a classifier that is right about three times in four."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, n)
    guess = np.where(generator.random(n) < right, labels, generator.integers(0, 4, n))
    return labels, 0.6 * np.eye(4)[guess] + 0.1


def bootstrap(labels, p, subjects, resamples, seed):
    """The percentile interval of every metric, subjects resampled."""
    unit = intervals.subject_indices(subjects)
    weights = intervals.resampling_weights(unit.max() + 1, resamples, seed)
    resampled = intervals.resampled_metrics(labels, p, unit, weights)
    return {name: intervals.percentiles(values) for name, values in resampled.items()}


def width(interval):
    return interval[1] - interval[0]


def test_agrees_with_scipy_over_photographs():
    labels, p = predictions(300, 0)
    correct = (p.argmax(1) == labels).astype(float)
    losses = metrics.negative_log_likelihood(labels, p)
    ours = bootstrap(labels, p, [""] * 300, 4000, 1)
    for name, values in {"accuracy": correct, "log_loss": losses}.items():
        theirs = stats.bootstrap(
            (values,), np.mean, n_resamples=4000, method="percentile", rng=2
        ).confidence_interval
        # Each end is a quantile of 4,000 draws: its own standard error is about 4 % of the width.
        assert ours[name] == pytest.approx((theirs.low, theirs.high), abs=0.15 * width(ours[name]))


def test_agrees_with_resampling_photographs_one_set_at_a_time():
    labels, p = predictions(90, 3)
    subjects = np.array([f"s{index // 3}" for index in range(90)])
    generator = np.random.default_rng(4)
    members = [np.flatnonzero(subjects == subject) for subject in dict.fromkeys(subjects)]
    drawn = []
    for _ in range(1500):
        rows = np.concatenate([members[i] for i in generator.integers(0, 30, 30)])
        drawn.append(metrics.evaluate(labels[rows], p[rows]))
    ours = bootstrap(labels, p, subjects, 1500, 5)
    assert [*ours, "expected_calibration_error"] == list(metrics.evaluate(labels, p))
    for name, interval in ours.items():
        ends = np.quantile([metric[name] for metric in drawn], [0.025, 0.975])
        assert interval == pytest.approx(tuple(ends), abs=0.25 * width(interval))


def test_repeated_photographs_of_a_subject_add_no_certainty():
    labels, p = predictions(80, 6)
    alone = bootstrap(labels, p, [f"s{i}" for i in range(80)], 2000, 7)
    fivefold = np.tile(labels, 5), np.tile(p, (5, 1))
    by_subject = bootstrap(*fivefold, [f"s{i}" for i in range(80)] * 5, 2000, 7)
    by_photograph = bootstrap(*fivefold, [""] * 400, 2000, 7)
    assert by_subject["accuracy"] == pytest.approx(alone["accuracy"])
    assert width(by_photograph["accuracy"]) < 0.6 * width(alone["accuracy"])


def test_same_seed_same_intervals():
    labels, p = predictions(50, 8)
    first, again = (bootstrap(labels, p, [""] * 50, 200, 9) for _ in range(2))
    assert first == again
    assert first != bootstrap(labels, p, [""] * 50, 200, 10)


def test_intervals_hold_the_metric():
    labels, p = predictions(200, 11)
    found = bootstrap(labels, p, [""] * 200, 500, 12)
    values = metrics.evaluate(labels, p)
    for name, (low, high) in found.items():
        assert low <= values[name] <= high


def test_resamples_of_a_single_class_are_no_error():
    found = bootstrap([0, 0, 1], np.eye(2)[[0, 0, 1]], ["a", "a", "b"], 100, 0)
    assert found["accuracy"] == (1.0, 1.0)
    assert found["quadratic_kappa"] == (0.0, 1.0)


def test_unknown_subjects_are_drawn_one_by_one():
    index = intervals.subject_indices(["b", "", "a", "b", "", ""])
    np.testing.assert_array_equal(index, [0, 1, 2, 0, 3, 4])


def test_a_mean_of_right_and_wrong_has_accuracys_interval():
    labels, p = predictions(200, 3)
    subjects = [f"s{index // 3}" for index in range(200)]
    right = (p.argmax(1) == labels).astype(float)
    mean, interval = intervals.mean_interval(right, subjects, 500, 4)
    assert mean == pytest.approx(right.mean())
    expected = bootstrap(labels, p, subjects, 500, 4)["accuracy"]
    assert interval == pytest.approx(expected)


def test_the_mean_of_a_single_subject_has_no_interval():
    assert intervals.mean_interval([1.0, 2.0, 6.0], ["s"] * 3, 500, 4) == (3.0, None)


def test_weights_draw_as_many_subjects_as_there_are():
    weights = intervals.resampling_weights(7, 50, 0)
    assert weights.shape == (50, 7)
    np.testing.assert_array_equal(weights.sum(1), 7)


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(1, 400))
def test_wilson_is_the_textbook_formula(successes, total):
    successes = min(successes, total)
    z = stats.norm.ppf(0.975)
    share = successes / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    low, high = intervals.wilson(successes, total)
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-12)
    assert 0 <= low <= share <= high <= 1


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_proportion(successes, total):
    with pytest.raises(ValueError, match=f"no proportion: {successes} of {total}"):
        intervals.wilson(successes, total)
