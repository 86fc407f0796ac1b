"""Deletion and insertion curves: faithfulness of an explanation map to the model.

Probability of a class while the most important pixels are deleted from a photograph, or inserted
into a blurred one (Petsiuk, Das & Saenko, "RISE", BMVC 2018). A faithful map has a small area under
the deletion curve and a large one under insertion. The reference is a random map of the same
coarseness.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from flax import nnx
from jax.sharding import Mesh
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.ndimage import gaussian_filter

from hairjax.data.augment import IMAGENET_MEAN
from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.data.order import evaluation_batches
from hairjax.evaluation.explain.maps import upsample
from hairjax.parallel.compilation import compiler_options
from hairjax.parallel.mesh import batch_sharded, replicated

STEPS = 20  # deletion or insertion steps of a curve
BLUR = 1 / 20  # σ of the blur, as a share of the photograph's side
CURVES = ("deletion", "insertion")
MEAN_COLOUR = np.array([round(255 * share) for share in IMAGENET_MEAN], np.uint8)

# (parameters, photographs uint8 [n, side, side, 4], maps float32 [n, h, w], classes int [n]) →
# by curve, float32 [n, STEPS + 1]: probability of the class after each step.
ComputeCurves = Callable[
    [dict, NDArray[np.uint8], NDArray[np.float32], NDArray[np.integer]],
    dict[str, NDArray[np.float32]],
]


def make_curves(
    graphdef: nnx.GraphDef,
    mesh: Mesh,
    *,
    input_spec: InputSpecification,
    batch_size: int,
) -> ComputeCurves:
    """Function that computes both `CURVES`; arguments as `evaluation.inference.make_predict`.

    A deleted pixel gets the mean colour and lies outside the mask.
    """
    batch_size = -(-batch_size // mesh.size) * mesh.size
    shares = np.linspace(0, 1, STEPS + 1, dtype=np.float32)

    def probabilities(
        params: dict, before: jax.Array, after: jax.Array, order: jax.Array, classes: jax.Array
    ) -> jax.Array:
        model = nnx.merge(graphdef, params)

        def at(share: jax.Array) -> jax.Array:
            changed = rearrange(order < share, "b h w -> b h w 1")
            photos = jnp.where(changed, after, before)
            logits = model(model_inputs(photos, None, None, input_spec))
            chosen = jnp.take_along_axis(jax.nn.softmax(logits), classes[:, None], axis=1)
            return chosen[:, 0]

        return jax.lax.map(at, shares)

    whole, shared = replicated(mesh), batch_sharded(mesh)
    compiled = jax.jit(
        probabilities,
        in_shardings=(whole, *[shared] * 4),
        out_shardings=whole,
        compiler_options=compiler_options(),
    )

    def follow(
        params: dict,
        photos: NDArray[np.uint8],
        maps: NDArray[np.float32],
        classes: NDArray[np.integer],
    ) -> dict[str, NDArray[np.float32]]:
        params = jax.device_put(params, whole)
        order = removal_order(upsample(maps, photos.shape[1]))
        ends = {
            "deletion": (photos, blank(photos)),
            "insertion": (blur_photographs(photos), photos),
        }
        rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in CURVES}
        for chosen, count in evaluation_batches(len(photos), batch_size):
            rest = order[chosen], classes[chosen].astype(np.int32)
            for name, (before, after) in ends.items():
                found = compiled(params, before[chosen], after[chosen], *rest)
                rows[name].append(np.asarray(found).T[:count])
        return {name: np.concatenate(parts) for name, parts in rows.items()}

    return follow


def removal_order(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rank of each pixel by descending importance, in [0, 1): float32 [n, h, w].

    Ties are ranked row by row.
    """
    flat = rearrange(maps, "n h w -> n (h w)")
    first = np.argsort(-flat, axis=1, kind="stable")
    places = np.empty_like(flat)
    turns = np.arange(flat.shape[1], dtype=np.float32) / flat.shape[1]
    np.put_along_axis(places, first, turns[None], axis=1)
    return places.reshape(maps.shape)


def random_maps(like: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Standard normal maps of the shape of ``like``, float32: the uninformative reference."""
    return np.random.default_rng(seed).standard_normal(like.shape, np.float32)


def blank(photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Photographs of ImageNet's mean colour without mask: uint8 [n, side, side, 4]."""
    empty = np.zeros_like(photos)
    empty[..., :3] = MEAN_COLOUR
    return empty


def blur_photographs(photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blur photographs and masks: uint8 [n, side, side, 4]."""
    sigma = BLUR * photos.shape[1]
    return gaussian_filter(photos, (0, sigma, sigma, 0), output=np.float32).round().astype(np.uint8)


def area(curves: NDArray[np.floating]) -> NDArray[np.float64]:
    """Area under each curve [n, STEPS + 1], over the share of pixels from 0 to 1: [n]."""
    return np.asarray(trapezoid(curves.astype(np.float64), dx=1 / STEPS, axis=1))
