"""Device batches of training steps."""

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
    """Photographs and labels of every step, sharded over the mesh.

    ``photos``: photographs or maps of cached stages; ``train``: indices of the training
    photographs, int [n]; ``steps``: counted from 0 over all epochs.
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
