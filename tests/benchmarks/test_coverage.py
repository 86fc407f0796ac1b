"""What the intervals cover, where the truth is known: quickly here, at length as `slow`."""

import numpy as np
import pytest
from scipy import integrate, stats

from benchmarks import coverage
from benchmarks.coverage import WORLDS, World, cover, sample_set, truth_of


@pytest.fixture
def few_people(monkeypatch):
    monkeypatch.setattr(coverage, "PEOPLE", 3000)


@pytest.mark.usefixtures("few_people")
def test_the_truth_is_that_of_the_normal_distribution():
    """Without what people differ in but their noise, of which the mean is taken by quadrature."""
    world = World(one_stage=False, tilt=0, noise=0.4, lost=1e-6, width=0.4, second=1.1)

    def right(spread):  # within half a stage; of the first and the last on one side alone
        half = stats.norm.cdf(0.5 / (0.4 * np.exp(spread)))
        return 0.5 * half + 0.5 * (2 * half - 1)

    wanted = integrate.quad(lambda x: right(x) * stats.norm.pdf(x, scale=0.3), -2, 2)[0]
    found = truth_of(world)
    assert found["accuracy"] == pytest.approx(wanted, abs=0.006)
    assert found["Δ accuracy"] < 0
    assert found["within_one"] > 0.99


def test_people_are_as_said():
    photographs = sample_set(WORLDS["good, one stage"], 400, np.random.default_rng(0))
    each = np.bincount(photographs.unit)
    assert len(each) == 400 and each.min() >= 1 and each.max() > 3 * np.median(each)
    stages = [photographs.labels[photographs.unit == person] for person in range(400)]
    assert np.mean([np.bincount(own).max() / len(own) for own in stages]) > 0.85
    right = [p.argmax(1) == photographs.labels for p in photographs.probabilities]
    # People differ by more than photographs drawn by chance would.
    shares = np.bincount(photographs.unit, right[0]) / each
    assert shares.var() > 1.3 * (right[0].mean() * (1 - right[0].mean()) / each).mean()


@pytest.mark.usefixtures("few_people")
def test_intervals_of_twelve_people_cover():
    """Of 48 sets; the percentiles of a bootstrap are narrower."""
    world = WORLDS["middling, every stage"]
    now, before = cover(world, truth_of(world), 12, 48)
    for name in ("accuracy", "macro_f1", "quadratic_kappa", "log_loss", "Δ accuracy"):
        assert now[name].coverage > 0.83, name
    assert now["macro_f1"].mean_width > before["macro_f1"].mean_width


@pytest.mark.slow
@pytest.mark.parametrize("people", [8, 24])
@pytest.mark.parametrize("name", ["good, every stage", "poor, one stage"])
def test_every_interval_covers(name, people):
    """Two and a half standard errors below 0.93 would be no chance."""
    world = WORLDS[name]
    now, _ = cover(world, truth_of(world), people, 600)
    for metric, count in now.items():
        assert count.coverage > 0.93 - 2.5 * np.sqrt(0.93 * 0.07 / 600), metric
