import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hairjax.data.batches import epoch_order, evaluation_batches, training_batch

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(0, 1000), st.integers(1, 200), st.integers(1, 32))
def test_an_epoch_takes_each_photograph_at_most_once(seed, epoch, count, batch_size):
    steps = count // batch_size  # the last partial batch is dropped
    batches = [
        training_batch(seed, epoch * steps + place, count, batch_size) for place in range(steps)
    ]
    assert all(batch.shape == (batch_size,) for batch in batches)
    taken = np.concatenate([*batches, []])
    assert len(set(taken)) == len(taken) == count - count % batch_size
    assert set(taken) <= set(range(count))
    np.testing.assert_array_equal(taken, epoch_order(seed, epoch, count)[: len(taken)])


@given(seeds, st.integers(0, 1000), st.integers(0, 200))
def test_an_order_is_a_permutation_and_a_function_of_seed_and_epoch(seed, epoch, count):
    order = epoch_order(seed, epoch, count)
    np.testing.assert_array_equal(np.sort(order), np.arange(count))
    epoch_order(seed + 1, epoch, count)  # another call in between changes nothing
    np.testing.assert_array_equal(epoch_order(seed, epoch, count), order)


@given(seeds, st.integers(0, 1000))
def test_epochs_and_seeds_have_orders_of_their_own(seed, epoch):
    order = epoch_order(seed, epoch, 50)
    assert (order != epoch_order(seed, epoch + 1, 50)).any()
    assert (order != epoch_order(seed + 1, epoch, 50)).any()
    assert (order != epoch_order(epoch, seed, 50)).any() or seed == epoch


def test_no_photograph_is_left_out_of_every_epoch():
    # 7 photographs in batches of 3: one is dropped from each epoch, not always the same one.
    left_out = [set(range(7)) - set(epoch_order(0, epoch, 7)[:6]) for epoch in range(40)]
    assert set.union(*left_out) == set(range(7))


@given(st.integers(0, 200), st.integers(1, 32))
def test_evaluation_takes_every_photograph_once_and_in_order(count, batch_size):
    batches = list(evaluation_batches(count, batch_size))
    taken = [index for indices, valid in batches for index in indices[:valid]]
    assert taken == list(range(count))
    assert len(batches) == -(-count // batch_size)


@given(st.integers(1, 200), st.integers(1, 32))
def test_evaluation_batches_are_whole_and_only_the_last_is_padded(count, batch_size):
    *whole, (last, valid) = evaluation_batches(count, batch_size)
    assert all(filled == batch_size for _, filled in whole)
    assert all(len(indices) == batch_size for indices, _ in [*whole, (last, valid)])
    assert valid >= 1
    assert (last[valid:] == count - 1).all()
