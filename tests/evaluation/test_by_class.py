import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score, precision_recall_fscore_support

from hairjax.evaluation.metrics.by_class import score_classes
from hairjax.evaluation.metrics.sample import Sample
from tests.evaluation.test_sample import in_tens, predictions


def wilson(found, total):
    interval = stats.binomtest(int(found), int(total)).proportion_ci(method="wilson")
    return pytest.approx((interval.low, interval.high))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_equals_scikit_learn_with_wilsons_intervals(n, seed):
    given = predictions(n, seed)
    true, guessed = given.labels, given.predicted
    found = score_classes(Sample.from_predictions(given), given.classes)
    theirs = precision_recall_fscore_support(true, guessed, labels=range(4), zero_division=np.nan)
    for place, (one, precision, recall, f1, support) in enumerate(zip(found, *theirs, strict=True)):
        assert one.name == given.classes[place] and one.photographs == support
        hits = ((true == place) & (guessed == place)).sum()
        for score, wanted, total in (
            (one.precision, precision, (guessed == place).sum()),
            (one.recall, recall, support),
        ):
            assert (score is None) == (total == 0) == np.isnan(wanted)
            if score is not None:
                assert score == (pytest.approx(wanted), wilson(hits, total))
        assert (one.f1 is None) == np.isnan(f1)
        if one.f1 is not None:
            assert one.f1[0] == pytest.approx(f1)
            assert one.f1[1] is None or one.f1[1][0] <= one.f1[1][1] <= 1


def test_of_many_subjects_as_resampling_one_set_at_a_time():
    given = predictions(2000, 1, in_tens(2000))
    one = score_classes(Sample.from_predictions(given), given.classes)[2]
    generator = np.random.default_rng(2)
    recalls, f1s = [], []
    for _ in range(500):
        drawn = (10 * generator.integers(0, 200, 200)[:, None] + np.arange(10)).ravel()
        true, guessed = given.labels[drawn] == 2, given.predicted[drawn] == 2
        recalls.append(guessed[true].mean())
        f1s.append(f1_score(true, guessed))
    for (value, (low, high)), values in ((one.recall, recalls), (one.f1, f1s)):
        ends = np.quantile(values, [0.025, 0.975])
        assert (low, high) == pytest.approx(tuple(ends), abs=0.25 * (high - low))
        assert low < value < high


def test_only_the_subjects_of_a_class_count_for_it():
    """Ten subjects, but of class 0 there are photographs of two: few, so the interval is wide."""
    given = predictions(100, 3, in_tens(100), right=1)
    labels = np.where(np.arange(100) < 20, 0, np.maximum(given.labels, 1))
    p = np.eye(4, dtype=np.float32)[labels]
    given = type(given)(given.files, labels, p, given.subjects, given.classes)
    rare, *others = score_classes(Sample.from_predictions(given), given.classes)
    for one in others:
        assert one.f1[0] == 1 and rare.f1[1][0] < 0.05 < 0.4 < one.f1[1][0]
        assert rare.recall[1] == rare.f1[1]
