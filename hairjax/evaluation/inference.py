"""Batched inference on a photo set, identical in training and evaluation."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.data.order import read_batches
from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.predictions import Predictions
from hairjax.parallel.compilation import compiler_options
from hairjax.parallel.mesh import batch_sharded, join_shares, replicated, share

Predict = Callable[[dict, PhotoSet], Predictions]
Outputs = Callable[[dict, PhotoSet], np.ndarray]


def make_predict(
    graphdef: nnx.GraphDef,
    mesh: Mesh,
    *,
    input_spec: InputSpecification,
    batch_size: int,
) -> Predict:
    """Function (parameters, photographs) → predictions, compiled once for ``batch_size``.

    The last batch is padded, and the padding dropped.

    Args:
        graphdef: model without parameters.
        mesh: devices that share each batch.
        input_spec: input specification.
        batch_size: photographs per batch; rounded up to a multiple of the devices.
    """
    return predict_from(
        make_model_outputs(graphdef, mesh, input_spec=input_spec, batch_size=batch_size)
    )


def make_model_outputs(
    graphdef: nnx.GraphDef, mesh: Mesh, *, input_spec: InputSpecification, batch_size: int
) -> Outputs:
    """Function (parameters, photographs) → model outputs [n, ...]; arguments as `make_predict`."""

    def outputs(model: Any, photos: jax.Array) -> jax.Array:
        return model(model_inputs(photos, None, None, input_spec))

    return make_outputs(graphdef, mesh, outputs, batch_size)


def make_outputs(
    graphdef: nnx.GraphDef,
    mesh: Mesh,
    function: Callable[[Any, jax.Array], jax.Array],
    batch_size: int,
) -> Outputs:
    """Jitted function (parameters, photographs) → outputs of ``function``: [n, ...].

    ``function``: (model, batch of stored images) → [batch, ...]; others as `make_predict`.
    """
    batch_size = -(-batch_size // mesh.size) * mesh.size
    compiled = jax.jit(
        lambda params, images: function(nnx.merge(graphdef, params), images),
        in_shardings=(replicated(mesh), batch_sharded(mesh)),
        out_shardings=replicated(mesh),
        compiler_options=compiler_options(),
    )

    def outputs(params: dict, photos: PhotoSet) -> np.ndarray:
        rows = []
        # Replicated even if training shards them: the same sums as in a later evaluation.
        params = jax.device_put(params, replicated(mesh))
        for local_rows, count in read_batches(photos, batch_size, share(batch_size)):
            images = join_shares(local_rows, mesh)
            rows.append(np.asarray(compiled(params, images))[:count])
        return np.concatenate(rows)

    return outputs


def predict_from(logits: Outputs) -> Predict:
    """Predict function from a function that returns logits."""

    def predict(params: dict, photos: PhotoSet) -> Predictions:
        return Predictions(
            files=photos.files,
            labels=photos.labels,
            probabilities=softmax(logits(params, photos)),
            subjects=photos.subjects,
            classes=photos.classes,
        )

    return predict


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax of logits [n, k] as float32, computed in float64 on the host for all backends."""
    logits = logits.astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
