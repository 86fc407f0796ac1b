import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc

from hairjax.evaluation.metrics.intervals import wilson
from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.metrics.selective import (
    COVERAGES,
    predict_selectively,
    risk_coverage,
    weighted_area,
)
from tests.evaluation.test_calibration import drawn


@st.composite
def scored(draw, values=None):
    n = draw(st.integers(1, 12))
    right = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    levels = st.sampled_from(values) if values else st.floats(0, 1)
    confidence = np.array(draw(st.lists(levels, min_size=n, max_size=n)))
    return right, confidence


def area(right, confidence):
    return weighted_area(right, confidence, np.ones((1, len(right))))[0]


@settings(deadline=None)
@given(scored())
def test_with_all_photographs_the_risk_is_the_error_rate(case):
    right, confidence = case
    coverage, risk = risk_coverage(right, confidence)
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx(1 - right.mean())
    for share, rate in zip(coverage, risk, strict=True):
        least = np.sort(confidence)[::-1][round(share * len(right)) - 1]
        assert rate == pytest.approx(1 - right[confidence >= least].mean())


@settings(deadline=None, max_examples=40)
@given(scored(values=(0.2, 0.5, 0.9)))
def test_equal_confidences_count_as_the_mean_of_all_their_orders(case):
    right, confidence = (values[:5] for values in case)
    areas = []
    for order in itertools.permutations(range(len(right))):
        order = list(order)
        if (np.diff(confidence[order]) <= 0).all():
            kept = np.arange(1, len(right) + 1)
            areas.append(np.mean(np.cumsum(~right[order]) / kept))
    assert area(right, confidence) == pytest.approx(np.mean(areas))


@settings(deadline=None)
@given(scored())
def test_no_order_is_better_than_mistakes_last_nor_worse_than_first(case):
    right, confidence = case
    found = area(right, confidence)
    assert area(right, right * 1.0) - 1e-12 <= found <= area(right, ~right * 1.0) + 1e-12
    assert area(right, np.ones(len(right))) == pytest.approx(1 - right.mean())


def test_the_area_is_the_one_below_the_curve():
    given = drawn(4000, 0, temperature=1.0)
    sample = Sample.from_predictions(given)
    coverage, risk = risk_coverage(sample.right, sample.confidence)
    # Trapezes leave out what is before the first photograph.
    assert area(sample.right, sample.confidence) == pytest.approx(auc(coverage, risk), abs=1e-3)


def test_a_photograph_that_counts_twice_is_there_twice():
    generator = np.random.default_rng(1)
    right, confidence = generator.random(400) < 0.7, generator.random(400)
    times = generator.multinomial(400, np.full(400, 1 / 400))
    repeated = np.repeat(np.arange(400), times)
    found = weighted_area(right, confidence, times[None].astype(float))[0]
    assert found == pytest.approx(area(right[repeated], confidence[repeated]), abs=5e-3)


def test_the_table():
    given = drawn(300, 2, temperature=1.0)
    sample = Sample.from_predictions(given)
    found = predict_selectively(sample)
    assert [one.coverage for one in found.kept] == list(COVERAGES)
    assert [one.photographs for one in found.kept] == [300, 270, 240, 210, 150]
    for one in found.kept:
        kept = sample.confidence >= one.confidence
        assert kept.sum() == one.photographs
        assert one.accuracy == sample.right[kept].mean()
        assert one.interval == wilson(int(sample.right[kept].sum()), one.photographs)
    # Confidence that is right tells mistakes.
    assert found.kept[-1].accuracy > found.kept[0].accuracy + 0.05
    low, high = found.area_interval
    assert found.least_area < low < found.area < high < 1 - found.kept[0].accuracy


def test_a_single_photograph():
    found = predict_selectively(Sample.from_predictions(drawn(1, 3, temperature=1.0)))
    assert [one.photographs for one in found.kept] == [1] * 5
    assert found.area_interval is None
