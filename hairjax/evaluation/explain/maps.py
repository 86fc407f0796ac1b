"""Explanation maps of a model, and their share on the hair mask.

Grad-CAM (Selvaraju et al., "Grad-CAM", ICCV 2017) on the map that a stage puts out, before the
head's norm. It asks of a model only ``until``, ``continue_from`` and ``maps`` of the contract:
nothing is reshaped here, so nothing can be reshaped wrongly. Between the stages of a ViT go tokens,
of which the head sees one: its maps are of another method (`evaluation.explain.rollout`). Which is
whose stands in the table of models.
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

# (parameters, n photographs, a class for each: int [n]) → float32 [n, h, w]. By Grad-CAM what
# speaks for the class is positive, what speaks against it negative; attention rollout, which knows
# no class, is never negative.
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
    """Maps as a function of parameters, photographs and classes; compiled once.

    Args:
        graphdef: the model without its parameters.
        mesh: devices that share each batch.
        method: one of `METHODS`.
        input_spec: input specification of the model.
        batch_size: photographs at a time; rounded up to a multiple of the devices.
        stage: stage of the map, -1 for the last.
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
        for mine, count in read_batches(photos, batch_size, share(batch_size)):
            asked = np.zeros(batch_size, np.int32)
            asked[:count] = classes[place : place + count]
            place += count
            batch = join_shares(mine, mesh), join_shares(asked[share(batch_size)], mesh)
            rows.append(np.asarray(compiled(params, *batch))[:count])
        return np.concatenate(rows)

    return explain


def grad_cam(model: Any, images: jax.Array, classes: jax.Array, stage: int) -> jax.Array:
    """Channels of a stage's map, weighted by the mean gradient of a class's logit with respect to
    each, and added up: float32 [batch, h, w].

    The negative part, which Grad-CAM leaves out of its pictures, is kept: see `evidence`. Of two
    streams the maps are added, at the size of the first's: they see the same photograph.

    Before a head that normalises every place, the gradient at a place is orthogonal to what the
    place holds: its value then comes from the gradients of the others, and maps of the last stage
    are blunt. Deletion and insertion (`evaluation.explain.deletion`) tell how much they are worth.

    Args:
        model: model of the contract.
        images: float32 [batch, height, width, channels], normalised.
        classes: int [batch], class of the logit to explain.
        stage: stage of the map, -1 for the last.
    """
    first = stage % len(model.stages) + 1

    def logits(x: jax.Array) -> jax.Array:
        chosen = jnp.take_along_axis(model.continue_from(first, x), classes[:, None], axis=1)
        return chosen.sum()  # no photograph touches another's

    x = model.until(first, images)
    gradients = model.maps(first, jax.grad(logits)(x))
    found = [weighed(*pair) for pair in zip(model.maps(first, x), gradients, strict=True)]
    size = found[0].shape
    # A place counts by its share of the picture, of which a coarser map has larger ones.
    return sum(
        jax.image.resize(one, size, "bilinear") * (one[0].size / found[0][0].size) for one in found
    )


def weighed(features: jax.Array, gradient: jax.Array) -> jax.Array:
    """Channels of a map weighted by the mean of their gradient, added up: float32 [batch, h, w]."""
    weights = reduce(gradient.astype(jnp.float32), "b h w c -> b 1 1 c", "mean")
    return reduce(weights * features.astype(jnp.float32), "b h w c -> b h w", "sum")


# (model, images, classes, stage) → maps [batch, h, w], by the names of `models.table.Family.maps`.
METHODS: dict[str, Callable[[Any, jax.Array, jax.Array, int], jax.Array]] = {
    "grad_cam": grad_cam,
    "attention_rollout": attention_rollout,
}


def upsample(maps: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Maps [n, h, w] to the size of photographs, bilinearly: [n, side, side]."""
    small = jnp.asarray(maps)
    return np.asarray(jax.image.resize(small, (len(maps), side, side), "bilinear"))


def evidence(maps: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The positive part of maps (Grad-CAM's ReLU), upsampled; 1 at each map's highest.

    A map that has none is 0 everywhere.
    """
    large = upsample(np.maximum(maps, 0), side)
    highest = large.max(axis=(1, 2), keepdims=True)
    return np.divide(large, highest, out=np.zeros_like(large), where=highest > 0)


def share_inside(evidence: NDArray[np.float32], masks: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of each map's mass that lies inside the mask; nan where the map has no mass.

    A map that is the same everywhere has the mask's share of the picture inside: the chance level.

    Args:
        evidence: [n, side, side], not negative.
        masks: [n, side, side], 255 where the mask is; in between counts in part.
    """
    inside = reduce(evidence * (masks / 255), "n h w -> n", "sum")
    total = reduce(evidence.astype(np.float64), "n h w -> n", "sum")
    return np.divide(inside, total, out=np.full(len(total), np.nan), where=total > 0)
