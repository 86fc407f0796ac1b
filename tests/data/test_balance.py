import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hairjax.data.balance import balanced_order, class_weights

seeds = st.integers(0, 2**32 - 1)
# Labels of which some may be missing: a fold of a set with more classes than it shows.
sizes = st.lists(st.integers(0, 40), min_size=1, max_size=5).filter(any)


def shuffled(sizes, seed):
    labels = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    return np.random.default_rng(seed).permutation(labels)


@given(seeds, st.integers(0, 50), sizes)
def test_every_class_comes_equally_often_in_an_epoch_as_long_as_any(seed, epoch, sizes):
    labels = shuffled(sizes, seed)
    order = balanced_order(seed, epoch, labels)
    assert order.shape == labels.shape
    present = np.unique(labels)
    assert set(labels[order]) <= set(present)
    counts = np.bincount(labels[order], minlength=len(sizes))[present]
    # Rounding up adds fewer photographs than there are classes, and drops as many.
    assert counts.max() <= -(-len(labels) // len(present))
    assert counts.sum() - counts.min() * len(present) < len(present) ** 2


@given(seeds, sizes, st.integers(2, 6))
def test_no_photograph_of_a_class_is_preferred(seed, sizes, epochs):
    labels = shuffled(sizes, seed)
    taken = np.concatenate([balanced_order(seed, epoch, labels) for epoch in range(epochs)])
    counts = np.bincount(taken, minlength=len(labels))
    dropped = epochs * (len(np.unique(labels)) - 1)  # what rounding up added
    for label in np.unique(labels):
        of_class = counts[labels == label]
        # Rounds differ by one at most where nothing was dropped.
        assert of_class.max() - of_class.min() <= 1 + dropped


def test_a_rare_class_comes_again_and_a_frequent_one_over_several_epochs():
    labels = np.repeat([0, 1], [90, 10])
    epochs = [balanced_order(0, epoch, labels) for epoch in range(9)]
    for order in epochs:
        rare, frequent = (order[labels[order] == label] for label in (1, 0))
        assert sorted(np.bincount(rare)[90:]) == [5] * 10
        assert len(set(frequent)) > 40  # of fifty, in two rounds at most
    both = np.bincount(np.concatenate(epochs), minlength=100)
    assert set(both[:90]) == {5}
    assert set(both[90:]) == {45}


@given(seeds, st.integers(0, 50))
def test_an_order_is_a_function_of_seed_epoch_and_labels(seed, epoch):
    labels = shuffled([30, 10, 5], 0)
    order = balanced_order(seed, epoch, labels)
    balanced_order(seed + 1, epoch, labels)  # another call in between changes nothing
    np.testing.assert_array_equal(balanced_order(seed, epoch, labels), order)
    for other in ((seed, epoch + 1), (seed + 1, epoch)):
        assert (balanced_order(*other, labels) != order).any()


def test_neighbours_in_an_epoch_are_of_mixed_classes():
    labels = np.repeat(np.arange(4), 100)
    order = balanced_order(0, 0, labels)
    same = np.mean(labels[order][1:] == labels[order][:-1])
    assert same == pytest.approx(0.25, abs=0.1)


def test_weights_are_inverse_frequencies_of_mean_one():
    labels = np.repeat(np.arange(4), [10, 20, 30, 140])
    weights = class_weights(labels, 4)
    np.testing.assert_allclose(weights * [10, 20, 30, 140], 50)
    assert weights[labels].mean() == pytest.approx(1)
    np.testing.assert_array_equal(class_weights(np.arange(12) % 3, 3), np.ones(3))


def test_a_start_does_not_wait_for_what_it_may_not_need():
    """scikit-learn and matplotlib take a second each, as long as tracing a Swin-T."""
    slow = {"sklearn", "matplotlib", "jinja2"}
    said = f"import sys, hairjax.training.train; print({slow} & {{*sys.modules}})"
    command = [sys.executable, "-c", said]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
