"""Importance of the keys of a sweep: how much of its trials' spread hangs on each.

A random forest is fitted to a bootstrap sample of the trials, and each key permuted among the
trials that the sample left out (Breiman, Machine Learning 45, 2001; scikit-learn's
``permutation_importance``). What is reported is the mean over samples, with their percentiles as
interval. optuna's PED-ANOVA needs no forest but gives no interval, and of a few trials half of the
importance to a key without influence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.metrics.intervals import Interval
from hairjax.system.errors import UserError

FEWEST = 20  # trials
_SAMPLES = 100
_TREES = 20
_PERMUTATIONS = 2


@dataclass(frozen=True)
class KeyImportance:
    """Importance of one key.

    Attributes:
        key: its name.
        value: rise of the squared error of a prediction of the trials' metric when the key is
            permuted, as a share of twice the variance: 1 if the metric hangs on the key alone, 0
            if not at all (a little below by chance).
        interval: (low, high), 95 %, over bootstrap samples of the trials.
    """

    key: str
    value: float
    interval: Interval


def rank_keys(
    trials: Sequence[Mapping[str, Any]], values: Sequence[float], *, seed: int = 0
) -> list[KeyImportance]:
    """Importance of every key that differs between trials, the most important first.

    Args:
        trials: the value of every key in each trial; numbers in any scale, all else by name.
        values: the metric of each trial.
        seed: of the samples, forests and permutations.

    Raises:
        UserError: there are fewer than 20 trials.
        ValueError: there are not as many values as trials, or one is not finite.
    """
    if len(trials) < FEWEST:
        raise UserError(
            f"{len(trials)} trials do not say which key matters: importance needs {FEWEST} or more"
        )
    metric = np.asarray(values, np.float64)
    if metric.shape != (len(trials),) or not np.isfinite(metric).all():
        raise ValueError(f"{len(trials)} trials need as many finite values, not {metric.tolist()}")
    keys = [key for key in trials[0] if len({repr(trial[key]) for trial in trials}) > 1]
    if not keys:
        return []
    columns = np.stack([_column([trial[key] for trial in trials]) for key in keys], axis=1)
    found = _sampled(columns, metric, seed)
    low, high = np.quantile(found, [0.025, 0.975], axis=0)
    ranked = [
        KeyImportance(key, float(found[:, place].mean()), (float(low[place]), float(high[place])))
        for place, key in enumerate(keys)
    ]
    return sorted(ranked, key=lambda one: -one.value)


def _column(values: Sequence[Any]) -> NDArray[np.float64]:
    """Numbers as they are, for a tree sees but their order; else places in the order of names."""
    if all(isinstance(value, int | float) for value in values):
        return np.array(values, np.float64)
    names = sorted({repr(value) for value in values})
    return np.array([names.index(repr(value)) for value in values], np.float64)


def _sampled(
    columns: NDArray[np.float64], metric: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Importance of each key by each bootstrap sample, float64 [samples, keys]."""
    # scikit-learn takes a second to import.
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    generator, trials = np.random.default_rng(seed), len(metric)
    spread = 2 * metric.var()
    found = np.zeros((_SAMPLES, columns.shape[1]))
    for sample in found:
        inside = generator.integers(0, trials, trials)
        outside = np.setdiff1d(np.arange(trials), inside)
        if spread and len(outside) > 1:
            forest = RandomForestRegressor(_TREES, random_state=int(generator.integers(2**31)))
            forest.fit(columns[inside], metric[inside])
            sample[:] = permutation_importance(
                forest,
                columns[outside],
                metric[outside],
                scoring="neg_mean_squared_error",
                n_repeats=_PERMUTATIONS,
                random_state=int(generator.integers(2**31)),
            ).importances_mean
    return found / (spread or 1.0)
