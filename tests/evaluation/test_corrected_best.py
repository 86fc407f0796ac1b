"""The best of several configurations, corrected: against the same in loops, and properties."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.evaluation.metrics.intervals import metric_interval
from hairjax.evaluation.metrics.resampling import SELECTED_BY, bootstrap_counts
from hairjax.evaluation.metrics.selection import correct_best, corrected_curve, resample
from hairjax.system.errors import UserError
from tests.evaluation.several import certain, draw

worlds = st.builds(
    draw,
    configurations=st.integers(2, 5),
    seeds=st.integers(1, 3),
    n=st.integers(20, 40),
    people=st.sampled_from([0, 8]),
    seed=st.integers(0, 999),
)
few = settings(deadline=None, max_examples=25)


def written_out(labels, configurations, unit, chosen, counts, sign=1):
    """Mean, over bootstrap samples, of the winner's value outside, a photograph at a time."""
    values = []
    for sample in counts:
        inside, outside = sample[unit], sample[unit] == 0
        if not outside.any():
            continue
        scores = {}
        for c in chosen:
            right = [p.argmax(1) == labels for p in configurations[c]]
            scores[c] = (
                np.mean([np.average(one, weights=inside) for one in right]),
                np.mean([one[outside].mean() for one in right]),
            )
        most = max(value for value, _ in scores.values())
        tied = [out for value, out in scores.values() if value > most - 1e-9]
        values.append(np.mean(tied))
    return np.mean(values)


@few
@given(worlds)
def test_correction_is_that_of_bbc_cv(world):
    labels, configurations, unit = world
    found = correct_best(resample("accuracy", *world, samples=30, seed=4))
    counts = bootstrap_counts(unit.max() + 1, 30, 4)
    expected = written_out(labels, configurations, unit, range(len(configurations)), counts)
    assert found.corrected == pytest.approx(expected)
    means = [np.mean([p.argmax(1) == labels for p in seeds]) for seeds in configurations]
    assert found.winner == np.argmax(np.round(means, 9))
    assert found.selected == pytest.approx(max(means))


def test_curve_is_the_mean_over_all_subsets():
    world = labels, configurations, unit = draw(5, n=30)
    curve = corrected_curve(resample("accuracy", *world, samples=20, seed=2))
    counts = bootstrap_counts(30, 20, 2)
    for n in range(1, 6):
        subsets = [
            written_out(labels, configurations, unit, chosen, counts)
            for chosen in combinations(range(5), n)
        ]
        assert curve[n - 1] == pytest.approx(np.mean(subsets))


@few
@given(worlds, st.sampled_from(SELECTED_BY), st.randoms())
def test_order_of_configurations_changes_nothing(world, metric, random):
    labels, configurations, unit = world
    order = random.sample(range(len(configurations)), len(configurations))
    one, other = (
        correct_best(resample(metric, labels, some, unit, samples=20))
        for some in (configurations, [configurations[i] for i in order])
    )
    assert other.selected == pytest.approx(one.selected)
    assert other.corrected == pytest.approx(one.corrected)
    assert (other.retrained is None) == (one.retrained is None)
    if one.retrained is not None:
        assert other.retrained == pytest.approx(one.retrained)


@few
@given(worlds, st.integers(0, 999))
def test_a_dominated_configuration_is_never_the_winner(world, seed):
    labels, configurations, unit = world
    # As the first, but wrong on a photograph that one of its seeds had right.
    worse = [p.copy() for p in configurations[0]]
    places = np.flatnonzero(worse[0].argmax(1) == labels)
    place = places[seed % len(places)]
    worse[0][place] = certain((labels[[place]] + 1) % 3)
    found = correct_best(resample("accuracy", labels, [worse, *configurations], unit, samples=10))
    assert found.winner != 0


@few
@given(worlds)
def test_equal_configurations_need_no_correction(world):
    """All tie, so the value outside is that of each, and its mean about the value itself."""
    labels, configurations, unit = world
    resamples = resample("accuracy", labels, [configurations[0]] * 4, unit, samples=50)
    found = correct_best(resamples)
    assert found.corrected == pytest.approx(
        resamples.sums.seed_means(resamples.outside)[:, 0].mean()
    )
    np.testing.assert_allclose(corrected_curve(resamples), found.corrected)


def test_interval_reaches_from_the_corrected_value_to_the_selected():
    world = draw(12, n=200)
    resamples = resample("accuracy", *world, samples=300)
    found = correct_best(resamples)
    assert found.corrected < found.selected - 0.005
    left_out = resamples.sums.left_out[:, found.winner]
    alone = metric_interval("accuracy", found.selected, left_out, 3)
    assert found.interval[1] == alone[1]
    assert found.interval[0] < alone[0] < found.corrected


def test_lower_is_better_of_an_error():
    labels, configurations, unit = draw(6, n=100, right=[0.5, 0.55, 0.8, 0.6, 0.5, 0.7])
    found = correct_best(resample("log_loss", labels, configurations, unit, samples=100))
    assert found.winner == 2
    low, high = found.interval
    assert low < found.selected < found.corrected + 1e-3 < high


def test_lucky_seeds_do_not_count_for_a_further_training():
    """Equal configurations whose seeds differ much: the best by its mean is no better than any."""
    generator = np.random.default_rng(1)
    corrected, retrained = [], []
    for place in range(20):
        labels = generator.integers(0, 3, 300)
        configurations = [
            [
                certain(np.where(generator.random(300) < right, labels, (labels + 1) % 3))
                for right in np.clip(generator.normal(0.7, 0.08, 3), 0, 1)
            ]
            for _ in range(10)
        ]
        found = correct_best(
            resample("accuracy", labels, configurations, np.arange(300), samples=40, seed=place)
        )
        corrected.append(found.corrected)
        retrained.append(found.retrained)
    assert np.mean(corrected) > 0.75
    assert np.mean(retrained) == pytest.approx(0.7, abs=0.02)


def test_single_seeds_say_nothing_of_further_ones():
    labels, configurations, unit = draw(3, seeds=2)
    configurations[1] = configurations[1][:1]
    found = correct_best(resample("accuracy", labels, configurations, unit, samples=10))
    assert found.corrected is not None and found.retrained is None


def test_one_subject_gives_no_correction():
    labels, configurations, _ = draw(3)
    resamples = resample("accuracy", labels, configurations, np.zeros(60, np.int64), samples=10)
    found = correct_best(resamples)
    assert (found.corrected, found.interval, found.retrained) == (None, None, None)
    assert corrected_curve(resamples).size == 0


def test_samples_without_kappa_are_left_out():
    """All but two photographs are of one class: many a sample has no other."""
    labels = np.array([0] * 18 + [1] * 2)
    _, configurations, _ = draw(3, n=20)
    resamples = resample("quadratic_kappa", labels, configurations, np.arange(20), samples=400)
    assert 100 < len(resamples.inside) < 350
    assert -1 <= correct_best(resamples).corrected <= 1


def test_nothing_is_selected_by_an_undefined_metric():
    _, configurations, unit = draw(3)
    with pytest.raises(UserError, match="undefined where all photographs are of one class"):
        resample("quadratic_kappa", np.zeros(60, int), configurations, unit)
