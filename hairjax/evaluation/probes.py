"""Classifiers on fixed features, each chosen by cross-validation among training rows alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits

from hairjax.evaluation.metrics.classification import (
    comparable,
    confusion_matrix,
    defined,
    quadratic_kappa,
)


def _kappa(labels: NDArray[np.integer], predicted: NDArray[np.integer]) -> float:
    """Quadratic kappa of a fold that may lack classes; of a fold of one class 0.

    scikit-learn's renumbers the classes that are there.
    """
    classes = int(max(labels.max(), predicted.max())) + 1
    return comparable(defined(float(quadratic_kappa(confusion_matrix(labels, predicted, classes)))))


# As `keep.best_by` names them; a log-loss needs probabilities, which an SVM has once it is chosen.
SCORES: dict[str, Any] = {
    "accuracy": "accuracy",
    "quadratic_kappa": make_scorer(_kappa),
    "macro_f1": "f1_macro",
}
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # C, of features with a variance of one
_NEIGHBOURS = (1, 3, 5, 9, 17, 33, 65)
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Chosen:
    """A classifier with the parameters that did best in cross-validation, fitted on all rows.

    Attributes:
        name: name of the kind of classifier.
        parameters: those chosen.
        score: mean over the folds.
        spread: standard deviation over the folds.
        classify: float [n, features] → probabilities float32 [n, k].
    """

    name: str
    parameters: dict[str, Any]
    score: float
    spread: float
    classify: Callable[[NDArray[np.floating]], NDArray[np.float32]]


def kinds(features: int, rows: int) -> dict[str, tuple[BaseEstimator, dict[str, list[Any]]]]:
    """Every kind of classifier and the parameters to try.

    Args:
        features: number of features.
        rows: number of rows of the smallest part that a classifier is fitted on.
    """
    return {
        "logistic": (
            LogisticRegression(solver="newton-cg", max_iter=1000),
            {"C": list(_STRENGTHS)},
        ),
        # liblinear's own tolerance for this solver; of classes that can be parted scikit-learn's
        # takes it thousands of steps to no other end.
        "linear_svm": (LinearSVC(dual=False, tol=1e-2, max_iter=10_000), {"C": list(_STRENGTHS)}),
        "rbf_svm": (
            SVC(kernel="rbf"),
            {
                "C": [1.0, 10.0, 100.0],
                "gamma": [0.1 / features, 1 / features, 10 / features],
            },
        ),
        "neighbours": (
            KNeighborsClassifier(),
            {
                "n_neighbors": [n for n in _NEIGHBOURS if n <= rows],
                "weights": ["uniform", "distance"],
            },
        ),
    }


def select_classifier(
    name: str,
    features: NDArray[np.floating],
    labels: NDArray[np.integer],
    folds: list[Fold],
    best_by: str,
) -> Chosen:
    """Fit one kind of classifier.

    Features are brought to mean 0 and variance 1, within every fold by its own training rows. An
    SVM's decisions become probabilities by Platt's sigmoids (Advances in Large Margin Classifiers,
    1999), fitted on decisions about rows that were held out by the same folds.

    Args:
        name: one of `kinds`.
        features: float [n, d], of training rows.
        labels: int [n], with every class 0 … k - 1.
        folds: (rows to fit on, rows to judge) of each, none of whose groups are parted.
        best_by: one of ``SCORES``.
    """
    smallest = min(len(train) for train, _ in folds)
    classifier, grid = kinds(features.shape[1], smallest)[name]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), classifier),
        {f"{type(classifier).__name__.lower()}__{key}": values for key, values in grid.items()},
        scoring=SCORES[best_by],
        cv=folds,
        error_score="raise",
    )
    # Many small products: several threads wait for each other longer than they compute.
    with threadpool_limits(1, "blas"):
        fitted = search.fit(features, labels).best_estimator_
        if not hasattr(fitted, "predict_proba"):
            fitted = CalibratedClassifierCV(fitted, method="sigmoid", cv=folds, ensemble=False)
            fitted.fit(features, labels)
    return Chosen(
        name=name,
        parameters={key.partition("__")[2]: v for key, v in search.best_params_.items()},
        score=float(search.best_score_),
        spread=float(search.cv_results_["std_test_score"][search.best_index_]),
        classify=lambda rows: fitted.predict_proba(rows).astype(np.float32),
    )
