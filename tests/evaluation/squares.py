"""Photographs whose class is the colour of one square, and models that learn it in seconds."""

import functools

import jax
import numpy as np
import optax
from flax import nnx

from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.data.photoset import PhotoSet
from tests.models.example import options

SIDE, CLASSES = 48, ("red", "green", "blue")
INPUT_SPEC = InputSpecification(SIDE, (3,), ("imagenet",))
GRID = SIDE // 16  # squares along a side


def graph(family, **own):
    """A model without numbers: its graph and its parameters' shapes."""
    given = options(image_size=(SIDE, SIDE), num_classes=len(CLASSES))
    build = functools.partial(family, given, **own)
    graphdef, state = nnx.split(nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0))))
    return graphdef, nnx.to_pure_dict(state)


def photographs(count, seed):
    """Grey noise with a square of the class's colour on one place of the map, which is returned."""
    generator = np.random.default_rng(seed)
    images = generator.integers(60, 196, (count, SIDE, SIDE, 4), np.uint8)
    labels = generator.integers(0, len(CLASSES), count).astype(np.int32)
    rows, columns = generator.integers(0, GRID, (2, count))
    for image, label, row, column in zip(images, labels, rows, columns, strict=True):
        place = image[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        place[..., :3] = 40
        place[..., label] = 230
    photos = PhotoSet(
        images=images,
        labels=labels,
        files=tuple(f"{i}.png" for i in range(count)),
        subjects=("",) * count,
        sha256=("",) * count,
        classes=CLASSES,
        has_masks=False,
    )
    return photos, rows * GRID + columns


def noisy(photos):
    """The same with a little noise."""
    noise = np.random.default_rng(6).integers(-4, 5, photos.images.shape)
    images = (photos.images + noise).clip(0, 255).astype(np.uint8)
    return PhotoSet(**{**vars(photos), "images": images})


def inputs(photos):
    return model_inputs(photos.images, None, None, INPUT_SPEC)


def drawn(shapes, seed):
    """Parameters none of which has a trivial value."""
    generator = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: (
            (leaf.ndim == 1) * 0.5 + generator.normal(0, 0.1, leaf.shape).astype(np.float32)
        ).astype(np.float32),
        shapes,
    )


def train(graphdef, shapes, rate):
    """Parameters that tell the colours apart."""
    generator = np.random.default_rng(0)
    params = jax.tree_util.tree_map_with_path(
        lambda path, leaf: (
            np.ones(leaf.shape, np.float32)
            if path[-1].key == "scale"
            else np.float32(generator.normal(0, 0.02, leaf.shape))
        ),
        shapes,
    )
    tx = optax.adam(rate)
    photos, _ = photographs(512, 1)

    @jax.jit
    def step(params, state, images, labels):
        def loss(params):
            seen = model_inputs(images, None, None, INPUT_SPEC)
            logits = nnx.merge(graphdef, params)(seen)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = tx.update(gradient, state)
        return optax.apply_updates(params, updates), state, value

    state = tx.init(params)
    for first in [*range(0, 512, 16)] * 3:
        part = slice(first, first + 16)
        params, state, value = step(params, state, photos.images[part], photos.labels[part])
    assert value < 0.1
    return params


def alike(maps, others):
    """Mean correlation of each map with another."""
    pairs = zip(maps, others, strict=True)
    return np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])
