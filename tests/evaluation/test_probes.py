"""Classifiers on features against scikit-learn used directly."""

import numpy as np
import pytest
from scipy import optimize, special
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits

from hairjax.evaluation.probes import SCORES, classifier_grids, select_classifier

ROWS, WIDTH = 90, 6


@pytest.fixture(autouse=True)
def one_thread():
    """Several wait for each other longer than they compute."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.fixture(scope="module")
def rows():
    """Features of three classes that overlap, on scales that differ, and folds of groups."""
    generator = np.random.default_rng(0)
    labels = np.arange(ROWS) % 3
    features = generator.normal(labels[:, None] * [1, 0.5, 0, 0, 0, 0], 1)
    features = (features * 10.0 ** np.arange(-2, 4) + 5).astype(np.float32)
    part = np.arange(ROWS) // 6 % 5
    return (
        features,
        labels,
        [(np.flatnonzero(part != i), np.flatnonzero(part == i)) for i in range(5)],
    )


BY_HAND = {
    "logistic": lambda **p: LogisticRegression(solver="lbfgs", max_iter=10_000, tol=1e-8, **p),
    "linear_svm": lambda **p: LinearSVC(dual=False, max_iter=10_000, **p),
    "rbf_svm": SVC,
    "neighbours": KNeighborsClassifier,
}
MEASURES = {
    "accuracy": accuracy_score,
    "quadratic_kappa": lambda y, p: cohen_kappa_score(y, p, weights="quadratic"),
    "macro_f1": lambda y, p: f1_score(y, p, average="macro"),
}


def fitted(name, parameters, x, y):
    scaler = StandardScaler().fit(x)
    classifier = BY_HAND[name](**parameters).fit(scaler.transform(x), y)
    return scaler, classifier


@pytest.mark.parametrize(
    ("name", "best_by"),
    [*((name, "accuracy") for name in BY_HAND), *(("rbf_svm", by) for by in list(SCORES)[1:])],
)
def test_parameters_are_the_best_of_a_loop_over_folds(rows, name, best_by):
    """Scaled by each fold's own training rows."""
    features, labels, folds = rows
    chosen = select_classifier(name, features, labels, folds, best_by)
    grid = classifier_grids(WIDTH, min(len(train) for train, _ in folds))[name][1]
    assert {key: type(value) for key, value in chosen.parameters.items()} == {
        key: type(values[0]) for key, values in grid.items()
    }
    tried = {}
    for cell in np.ndindex(*map(len, grid.values())):
        parameters = {k: v[i] for (k, v), i in zip(grid.items(), cell, strict=True)}
        scores = []
        for train, held in folds:
            scaler, classifier = fitted(name, parameters, features[train], labels[train])
            told = classifier.predict(scaler.transform(features[held]))
            scores.append(MEASURES[best_by](labels[held], told))
        tried[tuple(parameters.items())] = np.mean(scores)
        if parameters == chosen.parameters:
            assert chosen.score == pytest.approx(np.mean(scores), abs=1e-9)
            assert chosen.spread == pytest.approx(np.std(scores), abs=1e-9)
    assert chosen.score == pytest.approx(max(tried.values()), abs=1e-9)


def test_a_fold_without_a_class_is_scored_by_the_distances_between_stages(rows):
    """Of stages 0, 1 and 3 the last is two away from the second, and where one is named it alone
    no score is undefined.
    """
    features, labels, _ = rows
    labels = np.where(labels == 2, 3, labels)
    labels[:6] = 2
    part = np.where(labels == 2, 0, np.arange(ROWS) // 6 % 4 + 1)
    part[labels == 2] = np.arange(6) % 2  # the other parts have no stage 2
    part[np.flatnonzero(labels == 3)[:4]] = 5  # has that stage alone
    folds = [(np.flatnonzero(part != i), np.flatnonzero(part == i)) for i in range(6)]
    chosen = select_classifier("logistic", features, labels, folds, "quadratic_kappa")
    scores = []
    for train, held in folds:
        scaler, classifier = fitted("logistic", chosen.parameters, features[train], labels[train])
        told = classifier.predict(scaler.transform(features[held]))
        named = {*labels[held], *told}
        by_all = cohen_kappa_score(labels[held], told, labels=range(4), weights="quadratic")
        scores.append(by_all if len(named) > 1 else 0.0)
    assert chosen.score == pytest.approx(np.mean(scores), abs=1e-9)


@pytest.mark.parametrize("name", ["logistic", "neighbours"])
def test_probabilities_are_those_of_the_classifier_fitted_on_all_rows(rows, name):
    features, labels, folds = rows
    chosen = select_classifier(name, features, labels, folds, "accuracy")
    other = features[::-2] * 1.1
    scaler, classifier = fitted(name, chosen.parameters, features, labels)
    found = chosen.classify(other)
    assert found.dtype == np.float32
    assert np.allclose(found, classifier.predict_proba(scaler.transform(other)), atol=1e-3)


@pytest.mark.parametrize("name", ["linear_svm", "rbf_svm"])
def test_an_svms_probabilities_are_platts(rows, name):
    """One sigmoid, fitted on decisions about rows held out, by the equation in the paper."""
    features, labels, folds = rows
    keep = labels < 2
    place = np.cumsum(keep) - 1
    features, labels = features[keep], labels[keep]
    folds = [tuple(place[part][keep[part]] for part in fold) for fold in folds]
    chosen = select_classifier(name, features, labels, folds, "accuracy")
    decisions = np.zeros(len(labels))
    for train, held in folds:
        scaler, classifier = fitted(name, chosen.parameters, features[train], labels[train])
        decisions[held] = classifier.decision_function(scaler.transform(features[held]))
    counts = np.bincount(labels)
    target = np.where(labels == 1, (counts[1] + 1) / (counts[1] + 2), 1 / (counts[0] + 2))

    def loss(ab):
        z = ab[0] * decisions + ab[1]
        return -(target * special.log_expit(z) + (1 - target) * special.log_expit(-z)).sum()

    a, b = optimize.minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8}).x
    scaler, classifier = fitted(name, chosen.parameters, features, labels)
    expected = special.expit(a * classifier.decision_function(scaler.transform(features)) + b)
    assert np.allclose(chosen.classify(features)[:, 1], expected, atol=2e-3)


def test_no_more_neighbours_than_rows():
    assert classifier_grids(4, 9)["neighbours"][1]["n_neighbors"] == [1, 3, 5, 9]
