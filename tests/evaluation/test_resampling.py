"""Metrics of resampled sets, against scikit-learn on the photographs written out."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from hairjax.evaluation.metrics.jackknife import left_out_metrics
from hairjax.evaluation.metrics.resampling import SELECTED_BY, bootstrap_counts, sign, sum_by_unit
from tests.evaluation.several import draw

SCORES = {
    "accuracy": sklearn_metrics.accuracy_score,
    "balanced_accuracy": sklearn_metrics.balanced_accuracy_score,
    "macro_f1": lambda a, b: sklearn_metrics.f1_score(a, b, average="macro"),
    "quadratic_kappa": lambda a, b: sklearn_metrics.cohen_kappa_score(a, b, weights="quadratic"),
    "mean_absolute_error": sklearn_metrics.mean_absolute_error,
    "within_one": lambda a, b: np.mean(abs(a - b) <= 1),
}


@pytest.mark.parametrize("name", SELECTED_BY)
def test_a_sample_is_evaluated_as_scikit_learn_does_its_photographs(name):
    labels, configurations, unit = draw(2, seeds=2, people=15)
    sums = sum_by_unit(name, labels, configurations, unit)
    counts = bootstrap_counts(sums.units, 5, 1)
    found = sums.weighted(counts)
    for sample, values in zip(counts, found, strict=True):
        rows = np.repeat(np.arange(len(labels)), sample[unit].astype(int))
        for p, value in zip((p for seeds in configurations for p in seeds), values, strict=True):
            if name == "log_loss":
                expected = sklearn_metrics.log_loss(labels[rows], p[rows], labels=[0, 1, 2])
            else:
                expected = SCORES[name](labels[rows], p[rows].argmax(1))
            assert value == pytest.approx(expected)


@pytest.mark.parametrize("name", SELECTED_BY)
def test_leaving_out_agrees_with_the_jackknife(name):
    labels, configurations, unit = draw(3, people=15)
    sums = sum_by_unit(name, labels, configurations, unit)
    for run, (p,) in enumerate(configurations):
        expected = left_out_metrics(labels, p, unit)[name]
        np.testing.assert_allclose(sums.left_out[:, run], expected, atol=1e-12)


def test_seeds_of_each_configuration_are_averaged():
    labels, configurations, unit = draw(3, seeds=3)
    del configurations[1][1:]
    sums = sum_by_unit("accuracy", labels, configurations, unit)
    each = [[np.mean(p.argmax(1) == labels) for p in seeds] for seeds in configurations]
    np.testing.assert_allclose(sums.seed_means(sums.whole), list(map(np.mean, each)))


def test_many_samples_come_in_parts(monkeypatch):
    labels, configurations, unit = draw(2)
    sums = sum_by_unit("macro_f1", labels, configurations, unit)
    counts = bootstrap_counts(sums.units, 7, 1)
    whole = sums.weighted(counts)
    monkeypatch.setattr("hairjax.evaluation.metrics.resampling._AT_ONCE", 2 * 18)
    np.testing.assert_array_equal(sums.weighted(counts), whole)


def test_units_are_drawn_with_replacement():
    counts = bootstrap_counts(200, 500, 3)
    assert (counts.sum(1) == 200).all()
    assert counts.var() == pytest.approx(1, abs=0.02)
    assert (counts == 0).mean() == pytest.approx((1 - 1 / 200) ** 200, abs=0.005)


def test_what_nothing_is_selected_by_is_refused():
    labels, configurations, unit = draw(2)
    with pytest.raises(ValueError, match="expected_calibration_error; known: accuracy"):
        sum_by_unit("expected_calibration_error", labels, configurations, unit)
    for none in ([], [configurations[0], []]):
        with pytest.raises(ValueError, match="one seed or more"):
            sum_by_unit("accuracy", labels, none, unit)


def test_errors_are_better_when_lower():
    assert [name for name in SELECTED_BY if sign(name) < 0] == ["mean_absolute_error", "log_loss"]
