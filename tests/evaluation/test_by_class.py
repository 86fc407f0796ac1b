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
    found = score_classes(Sample.resample(given, 30, 0), given.classes)
    theirs = precision_recall_fscore_support(true, guessed, labels=range(4), zero_division=0)
    for place, (one, precision, recall, f1, support) in enumerate(zip(found, *theirs, strict=True)):
        assert one.name == given.classes[place] and one.photographs == support
        hits = ((true == place) & (guessed == place)).sum()
        for (value, interval), wanted, total in (
            (one.precision, precision, (guessed == place).sum()),
            (one.recall, recall, support),
        ):
            assert value == pytest.approx(wanted)
            assert interval == (wilson(hits, total) if total else None)
        assert one.f1[0] == pytest.approx(f1)
        assert one.f1[1] is None or one.f1[1][0] <= one.f1[1][1] <= 1


def test_by_subject_as_resampling_one_set_at_a_time():
    given = predictions(300, 1, in_tens(300))
    one = score_classes(Sample.resample(given, 1500, 0), given.classes)[2]
    generator = np.random.default_rng(2)
    recalls, f1s = [], []
    for _ in range(1500):
        drawn = (10 * generator.integers(0, 30, 30)[:, None] + np.arange(10)).ravel()
        true, guessed = given.labels[drawn] == 2, given.predicted[drawn] == 2
        recalls.append(guessed[true].mean())
        f1s.append(f1_score(true, guessed))
    for (value, (low, high)), values in ((one.recall, recalls), (one.f1, f1s)):
        ends = np.quantile(values, [0.025, 0.975])
        assert (low, high) == pytest.approx(tuple(ends), abs=0.25 * (high - low))
        assert low < value < high


def test_without_a_mistake_f1_has_no_interval():
    given = predictions(60, 3, right=1)
    for one in score_classes(Sample.resample(given, 50, 0), given.classes):
        assert one.f1 == (1.0, None)
        assert one.recall[1][0] < 0.9
