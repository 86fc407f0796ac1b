"""Probes: classifiers on frozen features, selected by cross-validation on training rows."""

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
    """Quadratic kappa of a fold that may lack classes; 0 for a single class."""
    classes = int(max(labels.max(), predicted.max())) + 1
    return comparable(defined(float(quadratic_kappa(confusion_matrix(labels, predicted, classes)))))


# Names as in `keep.best_by`, but for the log-loss: an SVM has no probabilities before calibration.
SCORES: dict[str, Any] = {
    "accuracy": "accuracy",
    "quadratic_kappa": make_scorer(_kappa),
    "macro_f1": "f1_macro",
}
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # C, for standardised features
_NEIGHBOURS = (1, 3, 5, 9, 17, 33, 65)
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class SelectedClassifier:
    """Selected classifier, fitted on all training rows."""

    name: str  # kind of classifier
    parameters: dict[str, Any]  # selected hyperparameters
    score: float  # mean over the folds
    spread: float  # standard deviation over the folds
    # float [n, features] → probabilities float32 [n, k]
    classify: Callable[[NDArray[np.floating]], NDArray[np.float32]]


def classifier_grids(
    features: int, rows: int
) -> dict[str, tuple[BaseEstimator, dict[str, list[Any]]]]:
    """Classifiers by name with hyperparameter grids; ``rows``: of the smallest training fold."""
    return {
        "logistic": (
            LogisticRegression(solver="newton-cg", max_iter=1000),
            {"C": list(_STRENGTHS)},
        ),
        # liblinear's own tolerance; with scikit-learn's, separable classes take thousands of steps
        # to the same end.
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
) -> SelectedClassifier:
    """Select the hyperparameters of one classifier by grid search and fit it on all rows.

    Features are standardised within every fold. SVM decisions become probabilities by Platt scaling
    (Advances in Large Margin Classifiers, 1999) on the held-out rows of the same folds.

    Args:
        name: key of `classifier_grids`.
        features: float [n, d], training rows.
        labels: int [n], with every class 0 … k - 1.
        folds: (training rows, held-out rows) per fold, grouped by subject.
        best_by: key of ``SCORES``.
    """
    smallest = min(len(train) for train, _ in folds)
    classifier, grid = classifier_grids(features.shape[1], smallest)[name]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), classifier),
        {f"{type(classifier).__name__.lower()}__{key}": values for key, values in grid.items()},
        scoring=SCORES[best_by],
        cv=folds,
        error_score="raise",
    )
    # For many small products several threads are slower than one.
    with threadpool_limits(1, "blas"):
        fitted = search.fit(features, labels).best_estimator_
        if not hasattr(fitted, "predict_proba"):
            fitted = CalibratedClassifierCV(fitted, method="sigmoid", cv=folds, ensemble=False)
            fitted.fit(features, labels)
    return SelectedClassifier(
        name=name,
        parameters={key.partition("__")[2]: v for key, v in search.best_params_.items()},
        score=float(search.best_score_),
        spread=float(search.cv_results_["std_test_score"][search.best_index_]),
        classify=lambda rows: fitted.predict_proba(rows).astype(np.float32),
    )
