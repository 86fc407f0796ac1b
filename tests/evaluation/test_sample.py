import numpy as np
import pytest
from scipy import stats

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.intervals import percentiles, resampled_metrics, wilson
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
    sample = Sample.resample(predictions(120, 0, subjects), 300, 1)
    found, right = sample.intervals(), int(sample.right.sum())
    wanted = stats.binomtest(right, 120).proportion_ci(method="wilson")
    assert found["accuracy"] == pytest.approx((wanted.low, wanted.high))
    near = round(metrics.evaluate(sample.labels, sample.probabilities)["within_one"] * 120)
    assert found["within_one"] == pytest.approx(wilson(near, 120))
    resampled = resampled_metrics(sample.labels, sample.probabilities, sample.unit, sample.weights)
    for name in ("balanced_accuracy", "macro_f1", "quadratic_kappa", "log_loss"):
        assert found[name] == percentiles(resampled[name])
    assert list(found) == list(metrics.evaluate(sample.labels, sample.probabilities))


def test_shares_by_subject_are_bootstrapped_as_scipy_does():
    given = predictions(200, 3, in_tens(200))
    sample = Sample.resample(given, 4000, 1)
    by_subject = sample.right.reshape(20, 10).mean(1)
    theirs = stats.bootstrap(
        (by_subject,), np.mean, n_resamples=4000, method="percentile", rng=2
    ).confidence_interval
    low, high = sample.intervals()["accuracy"]
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.15 * (high - low))


def test_photographs_of_a_subject_that_agree_widen_the_interval():
    """Ten alike of each subject: as many trials as subjects, and Wilson's would not see it."""
    alone = predictions(30, 4)
    labels, p = np.repeat(alone.labels, 10), np.repeat(alone.probabilities, 10, axis=0)
    files = tuple(map(str, range(300)))
    tenfold = Predictions(files, labels, p, tuple(in_tens(300)), alone.classes)
    low, high = Sample.resample(tenfold, 1000, 0).intervals()["accuracy"]
    few, many = wilson(22, 30), wilson(220, 300)
    assert high - low > 0.85 * (few[1] - few[0]) > 1.5 * (many[1] - many[0])


def test_where_all_subjects_agree_each_is_one_trial():
    sample = Sample.resample(predictions(80, 5, in_tens(80), right=1), 200, 0)
    everything = np.ones(80, bool)
    assert sample.share(sample.right, everything) == pytest.approx(wilson(8, 8))
    assert sample.share(~sample.right, everything) == pytest.approx(wilson(0, 8))


def test_what_says_nothing_has_no_interval():
    sample = Sample.resample(predictions(40, 6, in_tens(40)), 200, 0)
    assert sample.share(sample.right, np.arange(40) < 10) is None  # a single subject
    assert sample.share(sample.right, np.zeros(40, bool)) is None
    assert set(sample.part(np.arange(40) < 10).intervals().values()) == {None}
    alone = Sample.resample(predictions(40, 6), 200, 0)
    assert alone.share(alone.right, np.zeros(40, bool)) is None


def test_a_part_is_drawn_as_in_the_whole():
    sample = Sample.resample(predictions(90, 7, in_tens(90)), 500, 0)
    chosen = np.arange(90) % 3 == 0
    part = sample.part(chosen)
    assert len(part) == 30 and part.units == 9
    np.testing.assert_array_equal(part.right, sample.right[chosen])
    assert part.share(part.right, np.ones(30, bool)) == sample.share(sample.right, chosen)
    ends = sample.part(chosen & (np.arange(90) >= 20))
    assert ends.units == 7
    assert len(ends.weights) <= 500 and ends.weights.any(1).all()


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
    for seed in range(150):
        given = calibrated(200, generator, too_sure=too_sure)
        sample = Sample.resample(given, 200, seed)
        low, high = sample.intervals()["expected_calibration_error"]
        error = metrics.evaluate(sample.labels, sample.probabilities)["expected_calibration_error"]
        assert 0 <= low <= error + 1e-12 and error - 1e-12 <= high <= 1
        covered += low <= too_sure <= high
        by_chance += sample.calibration_error_by_chance() / 150
    # 95 % is meant. Percentiles would cover an error of 0 in none of them.
    assert covered >= 0.85 * 150
    assert 0.04 < by_chance < 0.1


def test_chance_alone_is_what_right_probabilities_show():
    generator = np.random.default_rng(9)
    shown, said = [], []
    for seed in range(60):
        sample = Sample.resample(calibrated(300, generator, too_sure=0), 200, seed)
        shown.append(
            metrics.evaluate(sample.labels, sample.probabilities)["expected_calibration_error"]
        )
        said.append(sample.calibration_error_by_chance())
    assert np.mean(said) == pytest.approx(np.mean(shown), rel=0.15)
