"""Mixtures against numpy and a search over all weights; what must hold of every one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import log_loss

from hairjax.evaluation.mixture import fit_mixture_weights, mix

ANY = st.integers(1, 4)


@st.composite
def mixtures(draw, runs=ANY):
    """Labels, probabilities [r, n, k] and the generator that drew them."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    r, n, k = draw(runs), draw(st.integers(1, 30)), draw(st.integers(2, 4))
    sharpness = draw(st.sampled_from([0.05, 0.3, 1.0, 5.0]))
    p = generator.dirichlet(np.full(k, sharpness), (r, n)).astype(np.float32)
    return generator.integers(0, k, n), p, generator


def everywhere(p):
    return np.ones(p.shape[:2], np.bool_)


@settings(deadline=None)
@given(mixtures())
def test_fitted_weights_sum_to_one_and_are_no_worse_than_equal_ones_or_any_run(mixture):
    labels, p, _ = mixture
    weights = fit_mixture_weights(labels, p, everywhere(p))
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights >= 0).all()

    def loss(w):
        true = np.maximum(p[:, np.arange(len(labels)), labels].astype(np.float64), 2.0**-52)
        return -np.log(w @ true).mean()

    r = len(p)
    for other in (np.full(r, 1 / r), *np.eye(r)):
        assert loss(weights) <= loss(other) + 2e-4


@pytest.mark.parametrize("seed", range(5))
def test_fitted_weights_are_those_of_a_search(seed):
    """Of two and of three runs, in steps of a hundredth, by scikit-learn's log-loss."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, 40)
    p = generator.dirichlet(np.ones(4), (3, 40))
    p = (p + np.array([0.6, 0.3, 0.1])[:, None, None] * np.eye(4)[labels]).astype(np.float32)
    p /= p.sum(2, keepdims=True)
    steps = np.linspace(0, 1, 101)
    for r in (2, 3):
        grid = [(a, 1 - a) for a in steps]
        if r == 3:
            grid = [(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1]
        # Linear in the true class's probability, so that the search needs no [n, k].
        true = p[:r, np.arange(40), labels]
        losses = -np.log(np.clip(np.array(grid) @ true, 1e-300, None)).mean(1)
        weights = fit_mixture_weights(labels, p[:r], everywhere(p[:r]))
        assert np.abs(weights - grid[losses.argmin()]).max() < 0.02
        mixed = mix(p[:r], weights, everywhere(p[:r])).astype(np.float64)
        fitted = log_loss(labels, mixed / mixed.sum(1, keepdims=True))
        assert fitted == pytest.approx(losses.min(), abs=1e-4)
        assert fitted <= losses.min() + 1e-6


@pytest.mark.parametrize("seed", [77, 193, 598, 726, 802, 976])
def test_weights_are_fitted_where_models_are_certain_and_wrong(seed):
    """Logits tens and hundreds of nats apart; the best by as many steps of EM as it takes."""
    generator = np.random.default_rng(seed)
    r, n, k = generator.integers([2, 3, 2], [9, 400, 6])
    labels = generator.integers(0, k, n)
    scale = 10 ** generator.uniform(0, 2.5, (r, 1, 1))
    towards = np.eye(k)[labels] * generator.uniform(0, 4, (r, 1, 1))
    p = softmax(scale * (generator.normal(size=(r, n, k)) + towards), axis=2).astype(np.float32)
    weights = fit_mixture_weights(labels, p, everywhere(p))
    true = np.maximum(p[:, np.arange(n), labels].astype(np.float64), 2.0**-52)
    best = np.full(r, 1 / r)
    for _ in range(20_000):
        best = best * (true / (best @ true)).mean(1)
    assert -np.log(weights @ true).mean() <= -np.log(best @ true).mean() + 2e-4


@settings(deadline=None)
@given(mixtures(runs=st.just(1)), st.integers(1, 4))
def test_a_run_with_itself_is_itself(mixture, times):
    labels, p, _ = mixture
    p = np.repeat(p, times, axis=0)
    weights = fit_mixture_weights(labels, p, everywhere(p))
    assert np.allclose(weights, 1 / times, atol=1e-3)
    assert np.array_equal(mix(p, weights, everywhere(p)), p[0])


@settings(deadline=None)
@given(mixtures(runs=st.integers(2, 4)))
def test_the_order_of_runs_does_not_matter(mixture):
    labels, p, generator = mixture
    order = generator.permutation(len(p))
    one = mix(p, fit_mixture_weights(labels, p, everywhere(p)), everywhere(p))
    other = mix(p[order], fit_mixture_weights(labels, p[order], everywhere(p)), everywhere(p))
    true = np.arange(len(labels)), labels
    # Where runs say alike of the true classes, other weights are as good.
    losses = [
        -np.log(np.maximum(m[true].astype(np.float64), 2.0**-52)).mean() for m in (one, other)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=2e-4)
    equal = np.full(len(p), 1 / len(p))
    assert np.allclose(mix(p, equal, everywhere(p)), mix(p[order], equal, everywhere(p)), atol=1e-6)


@settings(deadline=None)
@given(mixtures(runs=st.integers(2, 4)))
def test_rows_stay_probabilities_and_a_missing_run_is_made_up_for(mixture):
    _, p, generator = mixture
    present = generator.random(p.shape[:2]) < 0.6
    present[generator.integers(0, len(p)), ~present.any(0)] = True
    weights = generator.dirichlet(np.ones(len(p)))
    weights[generator.integers(0, len(p))] = 0
    weights = weights / weights.sum() if weights.any() else np.full(len(p), 1 / len(p))
    mixed = mix(np.where(present[..., None], p, np.nan), weights, present)
    assert np.allclose(mixed.sum(1), 1, atol=1e-5)
    for i, there in enumerate(present.T):
        rows, w = p[there, i].astype(np.float64), weights[there]
        expected = np.average(rows, axis=0, weights=w if w.any() else None)
        assert np.allclose(mixed[i], expected, atol=1e-6)
        if there.sum() == 1:
            assert np.array_equal(mixed[i], rows[0].astype(np.float32))


@settings(deadline=None)
@given(mixtures(runs=st.just(2)))
def test_rows_without_a_run_do_not_change_the_weights(mixture):
    labels, p, generator = mixture
    present = generator.random(p.shape[:2]) < 0.7
    present[:, 0] = True
    whole = present.all(0)
    weights = fit_mixture_weights(labels, p, present)
    assert np.array_equal(
        weights, fit_mixture_weights(labels[whole], p[:, whole], present[:, whole])
    )


def test_what_cannot_be_mixed_is_refused():
    p, there = np.full((2, 3, 2), 0.5), np.ones((2, 3), np.bool_)
    with pytest.raises(ValueError, match="sum to one"):
        mix(p, np.array([0.5, 0.4]), there)
    with pytest.raises(ValueError, match="not be negative"):
        mix(p, np.array([1.5, -0.5]), there)
    with pytest.raises(ValueError, match=r"\[r, n, k\]"):
        mix(p, np.array([1.0]), there)
    gone = there.copy()
    gone[:, 1] = False
    with pytest.raises(ValueError, match="row 1 has no probabilities"):
        mix(p, np.array([0.5, 0.5]), gone)
    with pytest.raises(ValueError, match="weights cannot be fitted"):
        fit_mixture_weights(np.zeros(3, int), p, np.eye(3, dtype=np.bool_)[:2])
