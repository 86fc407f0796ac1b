"""Order of the photographs in an epoch, and padded batches for evaluation.

Photographs in memory are indexed when their batch is due; those on disk are read ahead by threads,
while the device works.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache, partial
from typing import Any

import numpy as np

from hairjax.data.balance import balanced_order
from hairjax.data.photoset import PhotoSet

_AHEAD = 4  # batches
_THREADS = 2


@lru_cache(maxsize=4)  # a million photographs take 20 ms to shuffle, and every step asks
def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of ``count`` photographs in an epoch, a function of (seed, epoch) alone."""
    order = np.random.default_rng((seed, epoch)).permutation(count)
    order.flags.writeable = False
    return order


def training_batch(
    order: Callable[[int], np.ndarray], step: int, count: int, batch_size: int
) -> np.ndarray:
    """The photographs of one training step: int [batch_size].

    Args:
        order: order of the photographs in an epoch, which drops its last partial batch.
        step: step of the run.
        count: number of the photographs that train.
        batch_size: photographs in a batch.
    """
    steps = count // batch_size
    epoch, place = divmod(step, steps)
    return order(epoch)[place * batch_size : (place + 1) * batch_size]


def training_batches(
    photos: PhotoSet,
    train: np.ndarray,
    steps: range,
    *,
    seed: int,
    balanced: bool,
    batch_size: int,
    share: slice,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches of training steps, in order; the same wherever the photographs are.

    Args:
        photos: all of them.
        train: indices of those that train, int [n].
        steps: steps of the run, counted from 0 over all its epochs.
        seed: seed of the order.
        balanced: every class comes equally often; else every photograph does.
        batch_size: photographs in a batch.
        share: the rows of each batch that are read: those of this process.

    Yields:
        Photographs uint8 [share, side, side, 4] and labels int32 [share].
    """
    order: Callable[[int], np.ndarray] = partial(epoch_order, seed, count=len(train))
    if balanced:
        order = lru_cache(maxsize=2)(partial(balanced_order, seed, labels=photos.labels[train]))

    def read(step: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = train[training_batch(order, step, len(train), batch_size)[share]]
        return photos.images[chosen], photos.labels[chosen]

    return _read_ahead(photos, read, steps)


def evaluation_batches(count: int, batch_size: int) -> Iterator[tuple[np.ndarray, int]]:
    """All photographs in order, the last batch padded with its own last one.

    Yields:
        (indices [batch_size], how many of them are not padding).
    """
    for start in range(0, count, batch_size):
        indices = np.arange(start, start + batch_size)
        yield np.minimum(indices, count - 1), min(batch_size, count - start)


def read_batches(
    photos: PhotoSet, batch_size: int, share: slice
) -> Iterator[tuple[np.ndarray, int]]:
    """The photographs of `evaluation_batches`, of which the rows of ``share`` alone are read.

    Yields:
        (uint8 [share, side, side, 4], how many of the whole batch are not padding).
    """

    def read(batch: tuple[np.ndarray, int]) -> tuple[np.ndarray, int]:
        return photos.images[batch[0][share]], batch[1]

    return _read_ahead(photos, read, list(evaluation_batches(len(photos), batch_size)))


def _read_ahead(
    photos: PhotoSet, read: Callable[[Any], Any], batches: Sequence[Any]
) -> Iterator[Any]:
    """Read every batch in order: at once from memory, from the disk a few batches ahead."""
    if isinstance(photos.images, np.ndarray) or not photos.images.on_disk:
        yield from map(read, batches)
        return
    import grain

    options = grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_AHEAD)
    dataset = grain.MapDataset.source(batches).map(read).to_iter_dataset(options)
    with closing(iter(dataset)) as ready:
        yield from ready
