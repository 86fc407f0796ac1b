"""Comparisons with the best, against scipy's Dunnett test, and properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hairjax.evaluation.metrics.indistinguishable import find_best_set, seed_variance
from hairjax.evaluation.metrics.resampling import SELECTED_BY
from hairjax.evaluation.metrics.selection import resample
from tests.evaluation.several import certain, draw


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_dunnetts_test_of_independent_configurations(seed):
    """Each taken for the control, that no other is greater; what is near 0.05 is left aside."""
    right = np.linspace(0.62, 0.72, 6)
    labels, configurations, unit = draw(6, n=400, right=right, seed=seed)
    kept = find_best_set(resample("accuracy", labels, configurations, unit)).configurations
    hits = [(seeds[0].argmax(1) == labels).astype(float) for seeds in configurations]
    clear = 0
    for i in range(6):
        others = [hit for j, hit in enumerate(hits) if j != i]
        p = stats.dunnett(
            *others, control=hits[i], alternative="greater", rng=np.random.default_rng(0)
        ).pvalue.min()
        if not 0.035 < p < 0.07:
            clear += 1
            assert (i in kept) == (p >= 0.05), (i, p)
    assert clear >= 4


def test_pairing_tells_configurations_apart_that_err_alike():
    labels, (first, _), unit = draw(2, n=400)
    worse = first[0].copy()
    lost = np.flatnonzero(worse.argmax(1) == labels)[:12]
    worse[lost] = certain((labels[lost] + 1) % 3)
    found = find_best_set(resample("accuracy", labels, [[worse], first], unit))
    assert found.configurations == (1,)
    # Far less than what either's own interval allows.
    assert np.sqrt(0.7 * 0.3 / 400) * 1.96 > 12 / 400


@settings(deadline=None, max_examples=25)
@given(
    st.builds(
        draw,
        configurations=st.integers(1, 6),
        seeds=st.integers(1, 3),
        n=st.integers(20, 60),
        people=st.sampled_from([0, 8]),
        seed=st.integers(0, 999),
    ),
    st.sampled_from(SELECTED_BY),
    st.integers(0, 99),
)
def test_the_best_is_always_among_them(world, metric, seed):
    resamples = resample(metric, *world, samples=60)
    costs = np.random.default_rng(seed).random(len(world[1]))
    found = find_best_set(resamples, costs)
    assert found.configurations[0] == resamples.winner
    assert found.cheapest in found.configurations
    assert costs[found.cheapest] == min(costs[list(found.configurations)])
    values = resamples.gains[list(found.configurations)]
    assert (np.diff(values) <= 0).all()
    # A twin of the best is not told from it.
    labels, configurations, unit = world
    twins = resample(metric, labels, [*configurations, configurations[resamples.winner]], unit)
    assert {resamples.winner, len(configurations)} <= {*find_best_set(twins).configurations}


def test_without_costs_the_first_is_the_cheapest():
    labels, (one, *_), unit = draw(3)
    found = find_best_set(resample("accuracy", labels, [one, one, one], unit, samples=20))
    assert (found.configurations, found.cheapest) == ((0, 1, 2), 0)
    with pytest.raises(ValueError, match="2 costs of 3"):
        find_best_set(resample("accuracy", labels, [one, one, one], unit, samples=20), [1, 2])


def test_one_subject_tells_nothing_apart():
    labels, configurations, _ = draw(3, right=[0.2, 0.5, 0.99])
    resamples = resample("accuracy", labels, configurations, np.zeros(60, np.int64), samples=10)
    assert sorted(find_best_set(resamples).configurations) == [0, 1, 2]


def test_seeds_count_as_far_as_they_differ():
    """A difference that the subjects make sure of is none where seeds differ as much."""
    labels, (first, second), unit = draw(2, seeds=3, n=2000, right=[0.70, 0.76])
    alike = resample("accuracy", labels, [first, second], unit, samples=400)
    assert find_best_set(alike).configurations == (1,)
    assert seed_variance(alike) < 0.01**2

    generator = np.random.default_rng(0)

    def trained(shares):
        return [
            certain(np.where(generator.random(2000) < share, labels, (labels + 1) % 3))
            for share in shares
        ]

    apart = [trained([0.60, 0.70, 0.80]), trained([0.66, 0.76, 0.86])]
    resamples = resample("accuracy", labels, apart, unit, samples=400)
    found = find_best_set(resamples)
    assert found.seed_sd == pytest.approx(0.1, abs=0.02)
    assert found.configurations == (1, 0)


def test_seeds_that_differ_by_chance_alone_have_no_variance():
    found = [
        seed_variance(resample("accuracy", *draw(8, seeds=4, n=200, seed=seed), samples=100))
        for seed in range(10)
    ]
    # What chance explains of a share of 0.8 on 200 photographs is 0.028².
    assert np.mean(found) < 0.3 * 0.8 * 0.2 / 200
