import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.intervals import wilson
from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.predictions import Predictions


def predictions(n, seed, subjects=None, right=0.75):
    """Predictions of a classifier that is right about three times in four."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, n)
    guess = np.where(generator.random(n) < right, labels, generator.integers(0, 4, n))
    p = 0.6 * np.eye(4)[guess] + 0.1
    return Predictions(
        files=tuple(f"{i}.jpg" for i in range(n)),
        labels=labels,
        probabilities=p.astype(np.float32),
        subjects=tuple(subjects or [""] * n),
        classes=tuple("abcd"),
    )


def in_tens(n):
    return [f"s{i // 10}" for i in range(n)]


@pytest.mark.parametrize("subjects", [None, [f"s{i}" for i in range(120)]])
def test_shares_of_independent_photographs_are_wilsons(subjects):
    sample = Sample.from_predictions(predictions(120, 0, subjects))
    found, right = sample.intervals(), int(sample.right.sum())
    wanted = stats.binomtest(right, 120).proportion_ci(method="wilson")
    assert found["accuracy"] == pytest.approx((wanted.low, wanted.high))
    near = round(metrics.evaluate(sample.labels, sample.probabilities)["within_one"] * 120)
    assert found["within_one"] == pytest.approx(wilson(near, 120))
    assert list(found) == list(metrics.evaluate(sample.labels, sample.probabilities))


def test_of_many_subjects_intervals_are_those_of_scipys_bootstrap():
    """With hundreds of subjects it does not matter how they are made."""
    given = predictions(1600, 3, [f"s{i // 4}" for i in range(1600)])
    labels, p = given.labels.reshape(400, 4), given.probabilities.reshape(400, 4, 4)
    found = Sample.from_predictions(given).intervals()
    for name in ("macro_f1", "quadratic_kappa", "log_loss"):

        def value(chosen, name=name):
            return metrics.evaluate(labels[chosen].ravel(), p[chosen].reshape(-1, 4))[name]

        theirs = stats.bootstrap(
            (np.arange(400),), value, n_resamples=300, method="percentile", vectorized=False, rng=2
        ).confidence_interval
        low, high = found[name]
        # An end of theirs, a quantile of 300 draws, has a standard error of 7 % of the width.
        assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.25 * (high - low))


def test_photographs_of_a_subject_that_agree_widen_the_interval():
    """Ten alike of each subject: as many trials as subjects, and Wilson's would not see it."""
    one_each = predictions(30, 4)
    labels, p = np.repeat(one_each.labels, 10), np.repeat(one_each.probabilities, 10, axis=0)
    files = tuple(map(str, range(300)))
    tenfold = Predictions(files, labels, p, tuple(in_tens(300)), one_each.classes)
    low, high = Sample.from_predictions(tenfold).intervals()["accuracy"]
    right = int((one_each.predicted == one_each.labels).sum())
    few, many = wilson(right, 30), wilson(10 * right, 300)
    assert high - low > few[1] - few[0] > 1.5 * (many[1] - many[0])


def test_where_all_subjects_agree_each_is_one_trial():
    sample = Sample.from_predictions(predictions(80, 5, in_tens(80), right=1))
    everything = np.ones(80, bool)
    low, high = sample.share(sample.right, everything)
    assert low < wilson(8, 8)[0] and high == 1
    assert sample.share(~sample.right, everything) == pytest.approx((0, 1 - low))


def test_what_says_nothing_has_no_interval():
    sample = Sample.from_predictions(predictions(40, 6, in_tens(40)))
    assert sample.share(sample.right, np.arange(40) < 10) is None  # a single subject
    assert sample.share(sample.right, np.zeros(40, bool)) is None
    assert set(sample.part(np.arange(40) < 10).intervals().values()) == {None}
    one_each = Sample.from_predictions(predictions(40, 6))
    assert one_each.share(one_each.right, np.zeros(40, bool)) is None


@settings(deadline=None, max_examples=40)
@drawn(st.integers(2, 60), st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_every_interval_holds_the_metric_and_stays_within_its_range(n, people, seed, right):
    generator = np.random.default_rng(seed)
    subjects = [f"s{i}" for i in generator.integers(0, people, n)]
    sample = Sample.from_predictions(predictions(n, seed, subjects, right))
    values = metrics.evaluate(sample.labels, sample.probabilities)
    for name, interval in sample.intervals().items():
        if sample.units == 1 and not sample.independent:
            assert interval is None
        elif interval is not None:
            least, greatest = metrics.bounds(name, 4)
            low, high = interval
            assert least - 1e-9 <= low <= values[name] + 1e-9
            assert values[name] - 1e-9 <= high <= greatest + 1e-9


def test_a_part_is_of_the_same_subjects():
    sample = Sample.from_predictions(predictions(90, 7, in_tens(90)))
    chosen = np.arange(90) % 3 == 0
    part = sample.part(chosen)
    assert len(part) == 30 and part.units == 9
    np.testing.assert_array_equal(part.right, sample.right[chosen])
    assert part.share(part.right, np.ones(30, bool)) == sample.share(sample.right, chosen)
    assert sample.part(chosen & (np.arange(90) >= 20)).units == 7


def calibrated(n, generator, *, too_sure):
    """Photographs whose likeliest class is right as often as said, less ``too_sure``."""
    confidence = 0.55 + 0.44 * generator.random(n)
    labels = (generator.random(n) >= confidence - too_sure).astype(int)
    p = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    names = tuple(map(str, range(n)))
    return Predictions(names, labels, p, ("",) * n, ("a", "b"))


@pytest.mark.parametrize("too_sure", [0.0, 0.15])
def test_calibration_error_is_covered_where_percentiles_miss_it(too_sure):
    generator = np.random.default_rng(8)
    covered = by_chance = 0
    for _ in range(150):
        given = calibrated(200, generator, too_sure=too_sure)
        sample = Sample.from_predictions(given)
        low, high = sample.intervals()["expected_calibration_error"]
        error = metrics.evaluate(sample.labels, sample.probabilities)["expected_calibration_error"]
        assert 0 <= low <= error + 1e-12 and error - 1e-12 <= high <= 1
        covered += low <= too_sure <= high
        by_chance += sample.calibration_error().by_chance / 150
    # 95 % is meant. Percentiles would cover an error of 0 in none of them.
    assert covered >= 0.85 * 150
    assert 0.04 < by_chance < 0.1


def test_chance_alone_is_what_right_probabilities_show():
    generator = np.random.default_rng(9)
    shown, said = [], []
    for _ in range(60):
        sample = Sample.from_predictions(calibrated(300, generator, too_sure=0))
        shown.append(
            metrics.evaluate(sample.labels, sample.probabilities)["expected_calibration_error"]
        )
        said.append(sample.calibration_error().by_chance)
    assert np.mean(said) == pytest.approx(np.mean(shown), rel=0.15)
