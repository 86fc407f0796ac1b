"""Probabilities for every photograph of a set, by the same path in training and evaluation."""

from collections.abc import Callable

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from hairjax.data.augment import model_inputs
from hairjax.data.batches import read_batches
from hairjax.data.photoset import PhotoSet
from hairjax.devices import batch_sharded, compiler_options, join_shares, replicated, share
from hairjax.evaluation.predictions import Predictions

Predict = Callable[[dict, PhotoSet], Predictions]


def make_predict(
    graphdef: nnx.GraphDef, mesh: Mesh, *, side: int, channels: int, batch_size: int
) -> Predict:
    """A function (parameters, photographs) → predictions, compiled once for ``batch_size``.

    Every photograph counts once: the last batch is padded and the padding left out.

    Args:
        graphdef: the model without its parameters.
        mesh: devices that share each batch.
        side: of what the model sees, in pixels.
        channels: of what the model sees.
        batch_size: photographs at a time; rounded up to a multiple of the devices.
    """
    batch_size = -(-batch_size // mesh.size) * mesh.size

    def logits(params: dict, photos: jax.Array) -> jax.Array:
        return nnx.merge(graphdef, params)(model_inputs(photos, None, None, side, channels))

    compiled = jax.jit(
        logits,
        in_shardings=(replicated(mesh), batch_sharded(mesh)),
        out_shardings=replicated(mesh),
        compiler_options=compiler_options(),
    )

    def predict(params: dict, photos: PhotoSet) -> Predictions:
        rows = []
        # Whole, also where training cuts them: the same sums as in a later evaluation.
        params = jax.device_put(params, replicated(mesh))
        for mine, count in read_batches(photos, batch_size, share(batch_size)):
            images = join_shares(mine, mesh)
            rows.append(np.asarray(compiled(params, images))[:count])
        return Predictions(
            files=photos.files,
            labels=photos.labels,
            probabilities=softmax(np.concatenate(rows)),
            subjects=photos.subjects,
            classes=photos.classes,
        )

    return predict


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities in float32, computed in float64 on the host: the same on every backend."""
    logits = logits.astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
