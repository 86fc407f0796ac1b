import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hairjax.evaluation.metrics import classification as metrics


@st.composite
def labelled(draw):
    """True and predicted classes of a few photographs, classes often missing from either."""
    k = draw(st.integers(1, 5))
    n = draw(st.integers(1, 12))
    classes = st.lists(st.integers(0, k - 1), min_size=n, max_size=n)
    return np.array(draw(classes)), np.array(draw(classes)), k


def one_hot(predicted, k):
    return np.eye(k)[predicted]


def by_scikit_learn(labels, predicted, k):
    with warnings.catch_warnings():
        # scikit-learn warns where a class is absent or a metric is undefined; ours must not.
        warnings.simplefilter("ignore")
        kappa = sk.cohen_kappa_score(labels, predicted, labels=range(k), weights="quadratic")
        return {
            "accuracy": sk.accuracy_score(labels, predicted),
            "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
            "macro_f1": sk.f1_score(labels, predicted, average="macro", zero_division=0),
            # Of labels of one class ours is undefined, theirs only where all are given it.
            "quadratic_kappa": None if len(set(labels.tolist())) == 1 else kappa,
            "mean_absolute_error": sk.mean_absolute_error(labels, predicted),
            "within_one": np.mean(abs(labels - predicted) <= 1),
        }


@settings(deadline=None)
@given(labelled())
def test_count_metrics_equal_scikit_learn(case):
    labels, predicted, k = case
    ours = metrics.evaluate(labels, one_hot(predicted, k))
    del ours["log_loss"], ours["expected_calibration_error"]
    assert ours == pytest.approx(by_scikit_learn(labels, predicted, k), abs=1e-12)


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(deadline=None)
@given(labelled())
def test_confusion_and_per_class_equal_scikit_learn(case):
    labels, predicted, k = case
    confusion = metrics.confusion_matrix(labels, predicted, k)
    np.testing.assert_array_equal(
        confusion, sk.confusion_matrix(labels, predicted, labels=range(k))
    )
    ours = metrics.per_class(confusion)
    theirs = sk.precision_recall_fscore_support(
        labels, predicted, labels=range(k), zero_division=np.nan
    )
    for name, values in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
        np.testing.assert_allclose(ours[name], values, atol=1e-12)


@settings(deadline=None)
@given(labelled(), st.integers(0, 2**32 - 1))
def test_log_loss_equals_scikit_learn(case, seed):
    labels, _, k = case
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=30, size=(len(labels), k))
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    # A column of zeros makes scikit-learn, too, see at least two classes.
    padded = np.hstack([p, np.zeros((len(p), 1))])
    expected = sk.log_loss(labels, padded, labels=range(k + 1))
    assert metrics.log_loss(labels, p) == pytest.approx(expected, abs=1e-12)


def test_order_of_the_metrics():
    assert list(metrics.evaluate([0], [[1.0, 0.0]])) == [
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "quadratic_kappa",
        "mean_absolute_error",
        "within_one",
        "log_loss",
        "expected_calibration_error",
    ]


def test_leading_axes_are_computed_at_once():
    confusions = np.random.default_rng(0).integers(0, 9, (2, 3, 4, 4))
    for metric in metrics.COUNT_METRICS.values():
        together = metric(confusions)
        assert together.shape == (2, 3)
        assert together.dtype == np.float64
        for index in np.ndindex(2, 3):
            assert together[index] == pytest.approx(metric(confusions[index]), abs=1e-15)
    assert metrics.per_class(confusions)["recall"].shape == (2, 3, 4)


def test_distance_matters_to_the_ordinal_metrics():
    # Ten of each stage; every mistake is one stage off, or every mistake is three.
    near = np.diag([10, 10, 10, 10]) + np.array(
        [[-2, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 2, -2]]
    )
    far = np.diag([8, 10, 10, 8]) + np.array(
        [[0, 0, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0]]
    )
    assert metrics.accuracy(near) == metrics.accuracy(far) == 0.9
    assert metrics.mean_absolute_error(near) == 0.1
    assert metrics.mean_absolute_error(far) == pytest.approx(0.3)
    assert metrics.within_one(near) == 1.0
    assert metrics.within_one(far) == 0.9
    assert metrics.quadratic_kappa(near) > metrics.quadratic_kappa(far)


@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_kappa_of_photographs_of_one_class_is_undefined():
    for confusion in ([[7, 0], [0, 0]], [[7]], [[0, 0], [3, 4]]):
        assert np.isnan(metrics.quadratic_kappa(confusion))
    assert np.isnan(sk.cohen_kappa_score([0] * 7, [0] * 7, weights="quadratic"))
    # One mistake is enough for scikit-learn to call it chance.
    assert sk.cohen_kappa_score([1] * 7, [1] * 6 + [0], weights="quadratic") == 0
    # A model that always says the same is no better than chance, which is defined.
    assert metrics.quadratic_kappa([[3, 0], [4, 0]]) == 0
    mixed = metrics.quadratic_kappa([[[7, 0], [0, 0]], [[2, 0], [0, 3]]])
    np.testing.assert_array_equal(mixed, [np.nan, 1.0])


def test_what_is_undefined_is_none_and_told():
    found = metrics.evaluate([1, 1], [[0.2, 0.8], [0.7, 0.3]])
    assert [name for name, value in found.items() if value is None] == ["quadratic_kappa"]
    assert "all photographs are of one class" in metrics.why_undefined(found)
    assert metrics.why_undefined(metrics.evaluate([0, 1], [[0.2, 0.8], [0.7, 0.3]])) == ""
    assert [metrics.comparable(value) for value in (None, 0.3)] == [0.0, 0.3]


def test_weighted_counts():
    confusion = np.array([[3, 1], [2, 4]])
    for metric in metrics.COUNT_METRICS.values():
        assert metric(0.5 * confusion) == pytest.approx(metric(confusion), abs=1e-15)


def test_float32_probabilities_are_summed_in_float64():
    labels = np.zeros(10_000, int)
    p = np.tile(np.float32([0.3, 0.7]), (10_000, 1))
    assert metrics.log_loss(labels, p) == pytest.approx(-np.log(np.float64(p[0, 0])), rel=1e-12)


def test_a_certain_mistake_has_a_finite_loss():
    assert metrics.log_loss([0], [[0.0, 1.0]]) == pytest.approx(36.04, abs=0.01)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([], np.empty((0, 2)), "n and k at least 1"),
        ([0], [0.5, 0.5], "n and k at least 1"),
        ([0, 1], [[0.5, 0.5]], "2 labels but 1 rows"),
        ([2], [[0.5, 0.5]], "class 2 is not one of 0 … 1"),
        ([-1], [[0.5, 0.5]], "class -1 is not one of 0 … 1"),
        ([0.5], [[0.5, 0.5]], "must be integers"),
        ([0], [[np.nan, np.nan]], "row 0 is not a probability distribution"),
        ([0, 0], [[0.5, 0.5], [2.0, -1.0]], r"row 1 is not .*: \[2.0, -1.0\]"),
    ],
)
def test_what_is_no_prediction_is_refused(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        metrics.evaluate(labels, probabilities)


def test_what_is_no_confusion_matrix_is_refused():
    with pytest.raises(ValueError, match="2 labels but 1 predictions"):
        metrics.confusion_matrix([0, 1], [0], 2)
    with pytest.raises(ValueError, match=r"not \(2, 3\)"):
        metrics.accuracy(np.ones((2, 3)))
