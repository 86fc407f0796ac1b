"""Order of the images in an epoch, and padded batches for evaluation.

Images in memory are indexed on demand; threads prefetch those on disk.
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


@lru_cache(maxsize=4)  # called every step; shuffling a million takes 20 ms
def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """Random permutation int [count] of an epoch, a function of (seed, epoch)."""
    order = np.random.default_rng((seed, epoch)).permutation(count)
    order.flags.writeable = False
    return order


def training_batch(
    order: Callable[[int], np.ndarray], step: int, count: int, batch_size: int
) -> np.ndarray:
    """Image indices of a training step of the run: int [batch_size].

    `order` returns the order of the `count` training images by epoch; the last partial batch is
    dropped.
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
    """Yield the batches of training steps, independent of where the images are stored.

    Args:
        photos: all images.
        train: indices of the training images, int [n].
        steps: steps of the run, from 0 over all epochs.
        seed: seed of the order.
        balanced: True for balanced sampling.
        batch_size: images per batch.
        share: rows of each batch read by this process.

    Yields:
        Images uint8 [share, side, side, 4] and labels int32 [share].
    """
    order: Callable[[int], np.ndarray] = partial(epoch_order, seed, count=len(train))
    if balanced:
        order = lru_cache(maxsize=2)(partial(balanced_order, seed, labels=photos.labels[train]))

    def read(step: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = train[training_batch(order, step, len(train), batch_size)[share]]
        return photos.images[chosen], photos.labels[chosen]

    return _read_ahead(photos, read, steps)


def evaluation_batches(count: int, batch_size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield all images in order, the last batch padded by its last index.

    Yields (indices [batch_size], number of valid rows).
    """
    for start in range(0, count, batch_size):
        indices = np.arange(start, start + batch_size)
        yield np.minimum(indices, count - 1), min(batch_size, count - start)


def read_batches(
    photos: PhotoSet, batch_size: int, share: slice
) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the images of `evaluation_batches`, limited to the rows of ``share``.

    Yields (uint8 [share, side, side, 4], number of valid rows in the whole batch).
    """

    def read(batch: tuple[np.ndarray, int]) -> tuple[np.ndarray, int]:
        return photos.images[batch[0][share]], batch[1]

    return _read_ahead(photos, read, list(evaluation_batches(len(photos), batch_size)))


def _read_ahead(
    photos: PhotoSet, read: Callable[[Any], Any], batches: Sequence[Any]
) -> Iterator[Any]:
    """Read batches in order, from memory on demand and from disk by prefetching threads."""
    if isinstance(photos.images, np.ndarray) or not photos.images.on_disk:
        yield from map(read, batches)
        return
    import grain

    options = grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_AHEAD)
    dataset = grain.MapDataset.source(batches).map(read).to_iter_dataset(options)
    with closing(iter(dataset)) as ready:
        yield from ready
