from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn.metrics import log_loss

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.calibration import (
    LIMITS,
    apply_temperature,
    evaluate_temperature,
    find_temperature,
    fit_temperature,
    measure_calibration,
)
from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.predictions import Predictions


def drawn(n, seed, *, temperature, k=4):
    """Labels drawn from softmax(logits), probabilities of a model that is surer by a factor."""
    generator = np.random.default_rng(seed)
    logits = 1.5 * generator.normal(size=(n, k))
    right = special.softmax(logits, axis=1)
    labels = (generator.random((n, 1)) > np.cumsum(right, axis=1)).sum(1).clip(0, k - 1)
    return Predictions(
        files=tuple(map(str, range(n))),
        labels=labels,
        probabilities=special.softmax(logits * temperature, axis=1).astype(np.float32),
        subjects=("",) * n,
        classes=tuple(map(str, range(k))),
    )


@st.composite
def scored(draw):
    n, k = draw(st.integers(1, 30)), draw(st.integers(2, 5))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    p = special.softmax(draw(st.floats(0.1, 60)) * generator.normal(size=(n, k)), axis=1)
    return generator.integers(0, k, n), p.astype(np.float32)


@settings(deadline=None)
@given(scored())
def test_no_temperature_of_a_grid_is_better(case):
    labels, p = case
    fitted = fit_temperature(labels, p)
    assert LIMITS[0] * 0.99 < fitted < LIMITS[1] * 1.01
    least = np.float64(np.finfo(np.float32).smallest_subnormal)
    logits = np.log(np.maximum(np.float64(p), least))

    def loss(temperature):
        logs = special.log_softmax(logits / temperature, axis=1)
        return -logs[np.arange(len(labels)), labels].mean()

    best = min(map(loss, np.geomspace(*LIMITS, 400)))
    # Where the reported log-loss stops at 36 nats, the temperature may be 1 for want of a gain.
    if metrics.negative_log_likelihood(labels, p).max() < 36:
        assert loss(fitted) <= best + 1e-5 * max(best, 1)


@settings(deadline=None)
@given(scored())
def test_the_fitted_one_is_never_worse_than_none(case):
    labels, p = case
    after = metrics.log_loss(labels, apply_temperature(p, fit_temperature(labels, p)))
    assert after <= metrics.log_loss(labels, apply_temperature(p, 1.0))


@settings(deadline=None)
@given(scored(), st.floats(0.2, 10))
def test_a_temperature_changes_no_class_and_one_changes_nothing(case, temperature):
    _, p = case
    np.testing.assert_allclose(apply_temperature(p, 1.0), p, atol=1e-6)
    cooled = apply_temperature(p, temperature)
    np.testing.assert_allclose(cooled.sum(1), 1, atol=1e-12)
    chosen = cooled[np.arange(len(p)), p.argmax(1)]
    np.testing.assert_allclose(chosen, cooled.max(1), atol=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_finds_by_what_logits_were_multiplied(temperature):
    given = drawn(6000, 0, temperature=temperature)
    found = fit_temperature(given.labels, given.probabilities)
    assert found == pytest.approx(temperature, rel=0.06)


def test_a_set_without_mistakes_gives_the_least():
    assert fit_temperature([0, 1], [[0.9, 0.1], [0.2, 0.8]]) == pytest.approx(LIMITS[0], rel=1e-3)


def test_other_photographs_are_judged_with_it():
    validation = drawn(800, 1, temperature=2.0)
    test = drawn(700, 2, temperature=2.0)
    sample = Sample.from_predictions(test)
    value, reason = find_temperature(validation)
    assert value == pytest.approx(fit_temperature(validation.labels, validation.probabilities))
    assert reason == ""
    found = evaluate_temperature(sample, value, 800, own=False)
    cooled = apply_temperature(test.probabilities, found.value)
    assert found.photographs == 800
    assert found.after.log_loss == pytest.approx(log_loss(test.labels, cooled))
    before = measure_calibration(sample)
    change, (low, high) = found.log_loss_change
    assert change == pytest.approx(found.after.log_loss - before.log_loss)
    assert low < change < high < 0
    assert found.after.error < before.error_interval[0]


def test_the_same_photographs_are_not_judged_with_it():
    given = drawn(100, 3, temperature=2.0)
    found = evaluate_temperature(Sample.from_predictions(given), 2.0, 100, own=True)
    assert found.after is None and found.log_loss_change is None


def test_bins_hold_every_photograph_once():
    given = drawn(500, 4, temperature=1.0)
    sample = Sample.from_predictions(given)
    found = measure_calibration(sample)
    assert sum(one.photographs for one in found.bins) == 500
    error = sum(one.photographs * abs(one.accuracy - one.confidence) for one in found.bins) / 500
    assert found.error == pytest.approx(error)
    for one in found.bins:
        assert one.low < one.confidence <= one.high
        assert one.interval[0] <= one.accuracy <= one.interval[1]


def test_photographs_of_one_subject_give_no_interval():
    given = replace(drawn(50, 5, temperature=1.0), subjects=("anna",) * 50)
    found = evaluate_temperature(Sample.from_predictions(given), 1.5, 50, own=False)
    assert found.log_loss_change[1] is None
    assert found.after.log_loss_interval is None
