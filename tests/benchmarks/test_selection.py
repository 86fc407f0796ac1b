"""The best of several, corrected, where the truth is known: quickly here, at length as `slow`."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from benchmarks.selection import SWEEPS, Sweep, draw, row_of, truth, truth_of_further_seeds


@pytest.mark.parametrize("people", [0, 5000])
def test_truth_is_that_of_many_photographs(people):
    sweep = Sweep(80_000, 2, spread=8, people=people)
    drawn = draw(sweep, np.random.default_rng(0))
    for metric, score in (
        ("accuracy", sklearn_metrics.accuracy_score),
        (
            "quadratic_kappa",
            lambda a, b: sklearn_metrics.cohen_kappa_score(a, b, weights="quadratic"),
        ),
    ):
        found = [score(drawn.labels, one[0]) for one in drawn.predicted]
        np.testing.assert_allclose(found, truth(metric, drawn.off), atol=0.01)


def test_spread_is_in_points_and_further_seeds_are_their_mean():
    sweep = Sweep(8, 4000, spread=1, seeds=2, seed_spread=2)
    drawn = draw(sweep, np.random.default_rng(0))
    assert truth("accuracy", drawn.off).std() == pytest.approx(0.01, rel=0.05)
    assert truth("accuracy", drawn.off).mean() == pytest.approx(0.85, abs=0.001)
    of_seeds = truth("accuracy", drawn.off_by_seed)
    assert of_seeds.mean() == pytest.approx(
        truth_of_further_seeds(sweep, drawn.off).mean(), abs=0.001
    )


def test_best_of_twelve_equal_ones_is_two_points_less():
    row = row_of(SWEEPS[0], sets=16, samples=100)
    assert 0.015 < row["optimism"] < 0.03
    assert abs(row["error"]) < 0.004 + 3 * row["error_sem"]
    assert row["coverage"] > 0.8
    assert row["best_in_set"] > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 3, 7, 10, 12])
def test_correction_and_coverage(place):
    """Within 0.4 points, and two and a half standard errors."""
    sets = 250
    sweep = SWEEPS[place]
    row = row_of(sweep, sets, samples=300)
    assert abs(row["error"]) < 0.004 + 2.5 * row["error_sem"]
    for name, least in (("coverage", 0.93), ("best_in_set", 0.95)):
        assert row[name] > least - 2.5 * np.sqrt(least * (1 - least) / sets), name
    if sweep.seeds > 1:
        assert abs(row["error_retrained"]) < 0.005 + 2.5 * row["error_sem"]
        assert row["error_for_retrained"] > row["error_retrained"]
