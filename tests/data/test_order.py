from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hairjax.data.balance import balanced_order
from hairjax.data.order import (
    epoch_order,
    evaluation_batches,
    read_batches,
    training_batch,
    training_batches,
)
from hairjax.data.photoset import PhotoSet
from tests.data.reading import stored

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(0, 1000), st.integers(1, 200), st.integers(1, 32))
def test_an_epoch_takes_each_photograph_at_most_once(seed, epoch, count, batch_size):
    steps = count // batch_size  # the last partial batch is dropped
    order = partial(epoch_order, seed, count=count)
    batches = [
        training_batch(order, epoch * steps + place, count, batch_size) for place in range(steps)
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


class Noted(list):
    """Records in memory that note which of them are read."""

    def __init__(self, pixels):
        super().__init__({"image": image} for image in pixels)
        self.read = []

    def __getitems__(self, keys):
        self.read += keys
        return [self[key] for key in keys]


def photographs(count, on_disk):
    pixels = np.arange(count * 2 * 2 * 4, dtype=np.uint8).reshape(count, 2, 2, 4)
    records = Noted(pixels)
    names = tuple(map(str, range(count)))
    return records, PhotoSet(
        images=stored(records, count, 2) if on_disk else pixels,
        labels=np.arange(count, dtype=np.int32),
        files=names,
        subjects=names,
        sha256=names,
        classes=names,
        has_masks=True,
    )


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("share", [slice(None), slice(0, 2), slice(2, 4), slice(1, None, 2)])
def test_training_batches_are_shared_and_only_the_share_is_read(on_disk, balanced, share):
    records, photos = photographs(30, on_disk)
    train, steps = np.arange(29, 3, -1), range(4, 15)  # six to an epoch
    batches = training_batches(
        photos, train, steps, seed=3, balanced=balanced, batch_size=4, share=share
    )
    order = partial(epoch_order, 3, count=len(train))
    if balanced:
        order = partial(balanced_order, 3, labels=train)
    expected = [train[training_batch(order, step, len(train), 4)][share] for step in steps]
    for chosen, (images, labels) in zip(expected, batches, strict=True):
        np.testing.assert_array_equal(labels, chosen)
        np.testing.assert_array_equal(images, photographs(30, False)[1].images[chosen])
    # Threads may be ahead of each other, so that the order of reading says nothing.
    assert sorted(records.read) == (sorted(np.concatenate(expected)) if on_disk else [])


def test_photographs_on_disk_are_not_read_far_ahead():
    records, photos = photographs(200, True)
    batches = training_batches(
        photos, np.arange(200), range(50), seed=0, balanced=False, batch_size=4, share=slice(None)
    )
    next(batches)
    batches.close()
    assert 4 <= len(records.read) <= 40
    none = training_batches(
        photos, np.arange(200), range(0), seed=0, balanced=False, batch_size=4, share=slice(None)
    )
    assert list(none) == []


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("count", [1, 4, 9])
def test_evaluation_reads_the_photographs_of_its_batches(on_disk, count):
    _, photos = photographs(count, on_disk)
    halves = [list(read_batches(photos, 4, share)) for share in (slice(0, 2), slice(2, 4))]
    assert all(len(images) == 2 for batches in halves for images, _ in batches)
    taken = np.concatenate(
        [
            np.concatenate([first, second])[:valid]
            for (first, valid), (second, _) in zip(*halves, strict=True)
        ]
    )
    np.testing.assert_array_equal(taken, photographs(count, False)[1].images)
