"""Which photograph comes when: the order of an epoch, and padded batches for evaluation."""

from collections.abc import Iterator

import numpy as np

from hairjax.data.photoset import PhotoSet


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of ``count`` photographs in an epoch, a function of (seed, epoch) alone."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def training_batch(seed: int, step: int, count: int, batch_size: int) -> np.ndarray:
    """The photographs of one training step: int [batch_size].

    Every epoch takes each photograph at most once and drops its last partial batch.
    """
    steps = count // batch_size
    epoch, place = divmod(step, steps)
    return epoch_order(seed, epoch, count)[place * batch_size : (place + 1) * batch_size]


def training_batches(
    photos: PhotoSet, train: np.ndarray, steps: range, *, seed: int, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches of training steps, in order.

    Args:
        photos: all of them.
        train: which of them train, int [n].
        steps: of the run, counted from 0 over all its epochs.
        seed: of the order.
        batch_size: photographs in a batch.

    Yields:
        Photographs uint8 [batch, side, side, 4] and labels int32 [batch].
    """
    for step in steps:
        chosen = train[training_batch(seed, step, len(train), batch_size)]
        yield photos.images[chosen], photos.labels[chosen]


def evaluation_batches(count: int, batch_size: int) -> Iterator[tuple[np.ndarray, int]]:
    """All photographs in order, the last batch padded with its own last one.

    Yields:
        (indices [batch_size], how many of them are not padding).
    """
    for start in range(0, count, batch_size):
        indices = np.arange(start, start + batch_size)
        yield np.minimum(indices, count - 1), min(batch_size, count - start)
