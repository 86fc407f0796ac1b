"""Paired statistics, against scipy, scikit-learn and R."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from hairjax.evaluation.metrics import paired
from hairjax.evaluation.metrics.intervals import degrees_of_freedom
from hairjax.evaluation.metrics.jackknife import subject_indices

SUBJECTS = [f"s{index // 4}" for index in range(160)]
UNIT = subject_indices(SUBJECTS)


def scored(seed, right):
    """Labels, the same for every seed, and probabilities that are right so often."""
    labels = np.random.default_rng(99).integers(0, 4, 160)
    generator = np.random.default_rng(seed)
    guess = np.where(generator.random(160) < right, labels, generator.integers(0, 4, 160))
    p = generator.uniform(0.1, 0.3, (160, 4)) + np.eye(4)[guess]
    return labels, (p / p.sum(1, keepdims=True)).astype(np.float32)


def summarise(*runs, unit=UNIT):
    return paired.summarise(scored(0, 1)[0], runs, unit)


def score(name, labels, p):
    """scikit-learn's."""
    guess = p.argmax(1)
    if name == "quadratic_kappa":
        return sklearn_metrics.cohen_kappa_score(labels, guess, weights="quadratic")
    return {
        "accuracy": sklearn_metrics.accuracy_score,
        "macro_f1": lambda a, b: sklearn_metrics.f1_score(a, b, average="macro"),
        "mean_absolute_error": sklearn_metrics.mean_absolute_error,
        "log_loss": lambda a, b: sklearn_metrics.log_loss(a, p),
    }[name](labels, guess)


@pytest.mark.parametrize("name", paired.METRICS)
def test_differences_agree_with_scikit_learn_and_scipys_bootstrap(name):
    labels, one = scored(1, 0.6)
    _, two = scored(2, 0.75)
    pair = paired.compare(summarise(one), summarise(two))
    value, (low, high) = pair.differences[name]
    assert value == pytest.approx(score(name, labels, two) - score(name, labels, one), abs=1e-5)

    members = [np.flatnonzero(unit == UNIT) for unit in range(40)]

    def difference(chosen):
        rows = np.concatenate([members[int(unit)] for unit in chosen])
        return score(name, labels[rows], two[rows]) - score(name, labels[rows], one[rows])

    theirs = stats.bootstrap(
        (np.arange(40),), difference, n_resamples=300, method="percentile", vectorized=False, rng=3
    ).confidence_interval
    # An end of theirs, a quantile of 300 draws, has a standard error of 7 % of the width; 40
    # subjects are enough for both methods.
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.25 * (high - low))
    assert high - low > 0.02


def test_the_interval_is_of_the_difference_not_of_two_independent_models():
    """Models that err alike differ by less than their own intervals suggest."""
    labels, one = scored(1, 0.6)
    two = one.copy()
    wrong = np.flatnonzero(one.argmax(1) != labels)[:8]
    two[wrong] = 0.05
    two[wrong, labels[wrong]] = 0.85
    reference, other = summarise(one), summarise(two)
    value, (low, high) = paired.compare(reference, other).differences["accuracy"]
    assert value == pytest.approx(8 / 160)
    alone_low, alone_high = reference.interval("accuracy")
    assert high - low < 0.6 * (alone_high - alone_low)
    assert low > 0


def test_a_model_does_not_differ_from_itself():
    one, two = scored(1, 0.6)[1], scored(2, 0.7)[1]
    for runs in ((one,), (one, two)):
        pair = paired.compare(summarise(*runs), summarise(*runs))
        assert set(pair.differences.values()) == {(0.0, None)}
        assert pair.mcnemar == pair.by_subject == 1.0
        assert pair.worse == pair.better == ()


def test_photographs_of_one_subject_give_no_interval():
    one, two = scored(1, 0.6)[1], scored(2, 0.75)[1]
    unit = np.zeros(160, np.int64)
    summaries = [summarise(p, unit=unit) for p in (one, two)]
    pair = paired.compare(*summaries)
    assert all(value and interval is None for value, interval in pair.differences.values())
    assert all(summaries[0].interval(name) is None for name in paired.METRICS)
    assert pair.by_subject == 1


def test_swapped_models_give_the_opposite():
    one, two = summarise(scored(1, 0.6)[1]), summarise(scored(2, 0.75)[1])
    there, back = paired.compare(one, two), paired.compare(two, one)
    for name, (value, (low, high)) in there.differences.items():
        opposite, interval = back.differences[name]
        assert opposite == -value
        assert interval == pytest.approx((-high, -low))
    assert (sorted(there.worse), there.mcnemar) == (sorted(back.better), back.mcnemar)
    assert there.by_subject == pytest.approx(back.by_subject)
    np.testing.assert_array_equal(there.crossed, back.crossed.T)


def test_flipped_photographs_and_mcnemar_by_hand():
    labels, one = scored(1, 0.6)
    _, two = scored(2, 0.75)
    pair = paired.compare(summarise(one), summarise(two))
    first, second = one.argmax(1) == labels, two.argmax(1) == labels
    assert set(pair.worse) == set(np.flatnonzero(first & ~second))
    assert set(pair.better) == set(np.flatnonzero(~first & second))
    table = np.array([len(pair.worse), len(pair.better)])
    tail = stats.binom.cdf(table.min(), table.sum(), 0.5)
    assert pair.mcnemar == pytest.approx(2 * tail)
    np.testing.assert_array_equal(
        pair.crossed, sklearn_metrics.confusion_matrix(one.argmax(1), two.argmax(1))
    )
    lost = (one - two)[list(pair.worse), labels[list(pair.worse)]]
    assert (np.diff(lost) <= 1e-6).all()  # the clearest first


def accuracy_change(gains, photographs):
    """A reference that is wrong, but where it loses, and another, with so many for each subject."""
    unit = np.repeat(np.arange(len(gains)), photographs)
    place = np.concatenate([np.arange(count) for count in photographs])
    gain = np.repeat(gains, photographs)
    first, second = place < -gain, place < gain
    summaries = [
        paired.summarise(np.zeros(len(unit), np.int64), [np.eye(2)[(~right).astype(int)]], unit)
        for right in (first, second)
    ]
    return paired.compare(*summaries)


@settings(deadline=None)
@given(st.lists(st.integers(-6, 6), min_size=2, max_size=12))
def test_by_subject_is_a_paired_t_test(gains):
    pair = accuracy_change(np.array(gains), [8] * len(gains))
    if np.ptp(gains):
        t = np.mean(gains) / stats.sem(gains)
        expected = 2 * stats.t.sf(abs(t), degrees_of_freedom(len(gains)))
        assert pair.by_subject == pytest.approx(expected)
    else:
        assert pair.by_subject == 1 and pair.differences["accuracy"][1] is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 6), st.integers(6, 9)), min_size=2, max_size=12))
def test_p_by_subject_and_the_interval_agree(subjects):
    gains, photographs = np.array(subjects).T
    pair = accuracy_change(gains, photographs)
    interval = pair.differences["accuracy"][1]
    assert (pair.by_subject < 0.05) == (
        interval is not None and not interval[0] <= 0 <= interval[1]
    )


def test_photographs_of_one_subject_are_weaker_evidence():
    """Twelve gains of two subjects: McNemar sees no difference to those of twelve."""
    assert paired.mcnemar(0, 12) == pytest.approx(2 / 2**12)
    assert accuracy_change(np.array([7, 5]), [8, 8]).by_subject > 0.1
    assert accuracy_change(np.array([1, 0] + [1] * 11), [8] * 13).by_subject < 1e-4


def test_equal_models_on_clustered_photographs():
    """Of tests at 5 %, about 5 % reject by subject; McNemar's rejects far more."""
    generator = np.random.default_rng(5)
    rejected = np.zeros(2)
    for _ in range(600):
        # 24 subjects of 20 photographs; for each subject one of two equally good models is better.
        favoured = generator.beta(1, 1, 24)
        gains = np.stack([2 * (generator.random(20) < share) - 1 for share in favoured])
        gains *= generator.random((24, 20)) < 0.4  # on the others they agree
        worse, better = int((gains < 0).sum()), int((gains > 0).sum())
        pair = accuracy_change(gains.sum(1), [20] * 24)
        rejected += [pair.by_subject < 0.05, paired.mcnemar(worse, better) <= 0.05]
    by_subject, mcnemar = rejected / 600
    assert 0.025 <= by_subject <= 0.075
    assert mcnemar > 0.15


def test_runs_of_a_configuration_are_averaged():
    labels, one = scored(1, 0.6)
    runs = [scored(seed, 0.75)[1] for seed in (2, 3, 4)]
    reference, other = summarise(one), summarise(*runs)
    values = [score("accuracy", labels, p) for p in runs]
    assert other.mean("accuracy") == pytest.approx(np.mean(values))
    assert other.sd("accuracy") == pytest.approx(np.std(values, ddof=1))
    assert reference.sd("accuracy") is None
    pair = paired.compare(reference, other)
    shares = np.mean([p.argmax(1) == labels for p in runs], axis=0) - (one.argmax(1) == labels)
    assert set(pair.worse) == set(np.flatnonzero(shares < 0))
    assert pair.differences["accuracy"][0] == pytest.approx(shares.mean())
    assert pair.crossed.sum() == pytest.approx(160)
    singles = [paired.compare(reference, summarise(p)).crossed for p in runs]
    np.testing.assert_allclose(pair.crossed, np.mean(singles, axis=0))
    low, high = pair.differences["accuracy"][1]
    # Four photographs of each subject: the mean over subjects is that over photographs.
    gains, degrees = shares.reshape(40, 4).mean(1), degrees_of_freedom(40)
    theirs = stats.t.interval(0.95, degrees, gains.mean(), stats.sem(gains))
    assert (low, high) == pytest.approx(theirs)


def test_holm_is_rs_p_adjust():
    """p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")."""
    assert paired.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert paired.holm([0.2]) == [0.2]
    assert paired.holm([0.6, 0.7]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_as_its_steps_do(p_values):
    adjusted = paired.holm(p_values)
    for alpha in (0.01, 0.05, 0.3):
        rejected, left = set(), sorted(range(len(p_values)), key=lambda i: p_values[i])
        while left and p_values[left[0]] * len(left) <= alpha:
            rejected.add(left.pop(0))
        assert {i for i, p in enumerate(adjusted) if p <= alpha} == rejected
