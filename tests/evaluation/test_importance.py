"""Importance of the keys of a sweep whose influence is known."""

import numpy as np
import pytest

from hairjax.evaluation.metrics import importance
from hairjax.evaluation.metrics.importance import rank_keys
from hairjax.system.errors import UserError


@pytest.fixture(autouse=True)
def fewer_samples(monkeypatch):
    monkeypatch.setattr(importance, "_SAMPLES", 15)
    monkeypatch.setattr(importance, "_TREES", 10)


def sweep(trials, noise=0.01, seed=0):
    """A metric that hangs on a rate, a little on the stem, and on nothing else."""
    generator = np.random.default_rng(seed)
    found = [
        {
            "optim.peak": float(10 ** generator.uniform(-4, -3)),
            "weights.stem": ("copy", "zero", "mean")[generator.integers(3)],
            "model.hidden": ((128,), (256,))[generator.integers(2)],
            "train.batch_size": int(generator.choice([64, 96, 128])),
            "train.epochs": 4,
        }
        for _ in range(trials)
    ]
    values = [
        0.8
        + 0.2 * np.log10(one["optim.peak"])
        + 0.1 * (one["weights.stem"] == "mean")
        + noise * generator.normal()
        for one in found
    ]
    return found, values


def test_keys_are_ranked_by_what_hangs_on_them():
    ranked = rank_keys(*sweep(60))
    assert [one.key for one in ranked[:2]] == ["optim.peak", "weights.stem"]
    assert {one.key for one in ranked} == sweep(20)[0][0].keys() - {"train.epochs"}
    for one in ranked[:2]:
        assert 0 < one.interval[0] < one.value < one.interval[1]
    for one in ranked[2:]:
        assert abs(one.value) < 0.05 and one.interval[0] < 0.02


def test_twenty_trials_of_noise_make_no_key_important():
    trials, values = sweep(20)
    values = np.random.default_rng(2).permutation(values)
    for one in rank_keys(trials, values):
        assert one.interval[0] < 0 and one.value < 0.25


def test_fewer_trials_are_refused():
    with pytest.raises(UserError, match=r"19 trials do not say .* 20 or more"):
        rank_keys(*sweep(19))
    trials, values = sweep(20)
    for wrong in (values[1:], [np.nan, *values[1:]]):
        with pytest.raises(ValueError, match="as many finite values"):
            rank_keys(trials, wrong)


def test_where_nothing_differs_nothing_matters():
    trials, values = sweep(20)
    assert rank_keys([trials[0]] * 20, values) == []
    for one in rank_keys(trials, [0.5] * 20):
        assert (one.value, one.interval) == (0.0, (0.0, 0.0))
