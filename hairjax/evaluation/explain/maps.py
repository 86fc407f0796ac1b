"""Explanation maps of a model, and their share on the hair mask.

Grad-CAM (Selvaraju et al., ICCV 2017) on the output map of a stage, before the head's norm, through
``until``, ``continue_from`` and ``maps`` of the model contract. ViTs use attention rollout
(`evaluation.explain.rollout`). The method of each family is in the model table.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from einops import reduce
from flax import nnx
from jax.sharding import Mesh
from numpy.typing import NDArray

from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.data.order import read_batches
from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.explain.rollout import attention_rollout
from hairjax.parallel.compilation import compiler_options
from hairjax.parallel.mesh import batch_sharded, join_shares, replicated, share

# (parameters, n photographs, classes int [n]) → float32 [n, h, w]. Grad-CAM: evidence for the class
# is positive, against it negative; attention rollout is class-agnostic and never negative.
Explain = Callable[[dict, PhotoSet, NDArray[np.integer]], NDArray[np.float32]]


def make_explain(
    graphdef: nnx.GraphDef,
    mesh: Mesh,
    *,
    method: str,
    input_spec: InputSpecification,
    batch_size: int,
    stage: int,
) -> Explain:
    """Jitted function (parameters, photographs, classes) → maps of a stage (-1: the last).

    ``method``: one of `METHODS`; other arguments as `evaluation.inference.make_predict`.
    """
    batch_size = -(-batch_size // mesh.size) * mesh.size

    def maps(params: dict, photos: jax.Array, classes: jax.Array) -> jax.Array:
        images = model_inputs(photos, None, None, input_spec)
        return METHODS[method](nnx.merge(graphdef, params), images, classes, stage)

    whole, shared = replicated(mesh), batch_sharded(mesh)
    compiled = jax.jit(
        maps,
        in_shardings=(whole, shared, shared),
        out_shardings=whole,
        compiler_options=compiler_options(),
    )

    def explain(
        params: dict, photos: PhotoSet, classes: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        rows: list[NDArray[np.float32]] = []
        params = jax.device_put(params, whole)
        place = 0
        for local_rows, count in read_batches(photos, batch_size, share(batch_size)):
            padded = np.zeros(batch_size, np.int32)
            padded[:count] = classes[place : place + count]
            place += count
            batch = join_shares(local_rows, mesh), join_shares(padded[share(batch_size)], mesh)
            rows.append(np.asarray(compiled(params, *batch))[:count])
        return np.concatenate(rows)

    return explain


def grad_cam(model: Any, images: jax.Array, classes: jax.Array, stage: int) -> jax.Array:
    """Grad-CAM of a stage, negative evidence included (see `evidence`): float32 [batch, h, w].

    Maps of two streams are added at the first's size. Before a head that normalises every position,
    last-stage maps are blurry: the gradient at a position is orthogonal to its features.

    Args:
        model: model of the contract.
        images: float32 [batch, height, width, channels], normalised.
        classes: int [batch], class of the explained logit.
        stage: stage of the map, -1 for the last.
    """
    first = stage % len(model.stages) + 1

    def logits(x: jax.Array) -> jax.Array:
        chosen = jnp.take_along_axis(model.continue_from(first, x), classes[:, None], axis=1)
        return chosen.sum()  # photographs are independent of each other

    x = model.until(first, images)
    gradients = model.maps(first, jax.grad(logits)(x))
    found = [weighted_sum(*pair) for pair in zip(model.maps(first, x), gradients, strict=True)]
    size = found[0].shape
    # A position counts by its share of the picture's area.
    return sum(
        jax.image.resize(one, size, "bilinear") * (one[0].size / found[0][0].size) for one in found
    )


def weighted_sum(features: jax.Array, gradient: jax.Array) -> jax.Array:
    """Channels [batch, h, w, c] weighted by their mean gradient, summed: float32 [batch, h, w]."""
    weights = reduce(gradient.astype(jnp.float32), "b h w c -> b 1 1 c", "mean")
    return reduce(weights * features.astype(jnp.float32), "b h w c -> b h w", "sum")


# (model, images, classes, stage) → maps [batch, h, w]; keys as in `models.table.Family.maps`.
METHODS: dict[str, Callable[[Any, jax.Array, jax.Array, int], jax.Array]] = {
    "grad_cam": grad_cam,
    "attention_rollout": attention_rollout,
}


def upsample(maps: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Resize maps [n, h, w] bilinearly to [n, side, side]."""
    small = jnp.asarray(maps)
    return np.asarray(jax.image.resize(small, (len(maps), side, side), "bilinear"))


def evidence(maps: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Positive part of maps (Grad-CAM's ReLU), upsampled to [n, side, side], maximum 1.

    A map without positive values is 0 everywhere.
    """
    large = upsample(np.maximum(maps, 0), side)
    highest = large.max(axis=(1, 2), keepdims=True)
    return np.divide(large, highest, out=np.zeros_like(large), where=highest > 0)


def share_inside(evidence: NDArray[np.float32], masks: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of each map's mass inside the mask, float64 [n]; nan for a map without mass.

    A uniform map gives the chance level: the mask's share of the picture.

    Args:
        evidence: [n, side, side], non-negative.
        masks: uint8 [n, side, side], 255 inside; values between count in part.
    """
    inside = reduce(evidence * (masks / 255), "n h w -> n", "sum")
    total = reduce(evidence.astype(np.float64), "n h w -> n", "sum")
    return np.divide(inside, total, out=np.full(len(total), np.nan), where=total > 0)
