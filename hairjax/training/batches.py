"""The batches of training steps on their devices."""

from collections.abc import Iterator

import jax
import numpy as np
from jax.sharding import Mesh

from hairjax.builders.setup import Setup
from hairjax.data.order import training_batches
from hairjax.data.photoset import PhotoSet
from hairjax.parallel.mesh import join_shares, share


def device_batches(
    photos: PhotoSet, train: np.ndarray, steps: range, setup: Setup, mesh: Mesh
) -> Iterator[Iterator[jax.Array]]:
    """Photographs and labels of every step, on the devices that share the batch.

    Args:
        photos: all of them, or their maps.
        train: indices of those that train, int [n].
        steps: steps of the run, counted from 0 over all its epochs.
        setup: seed, balance and batch size.
        mesh: the devices.
    """
    batch_size = setup.training.batch_size
    batches = training_batches(
        photos,
        train,
        steps,
        seed=setup.seed,
        balanced=setup.training.balance == "sample",
        batch_size=batch_size,
        share=share(batch_size),
    )
    return ((join_shares(rows, mesh) for rows in batch) for batch in batches)
