"""Two-stream model: two backbones fused into one, e.g. for RGB and the mask.

Late fusion concatenates the embeddings for one head (Simonyan and Zisserman, "Two-Stream
Convolutional Networks", NeurIPS 2014, fuse scores). Intermediate fusion joins the maps after a
stage by a 1 × 1 convolution (Feichtenhofer et al., "Convolutional Two-Stream Network Fusion", CVPR
2016); the first stream continues.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from einops import pack, unpack
from flax import nnx

from hairjax.models.backbone import Backbone, Grid, as_map
from hairjax.models.heads.pooled import PooledHead
from hairjax.models.layers.common import part_keys, split_key
from hairjax.models.layers.linear import Linear
from hairjax.models.options import ModelOptions

STREAMS = ("first", "second")
# Outputs of both streams and, if a view may be missing, presence [batch, 2] (1 or 0); after
# fusion the first stream's output only.
Maps = tuple[jax.Array, ...]


def fusion_stages(first: int, second: int) -> range:
    """Numbers of stages after which two models can be fused.

    Both need a stage before the fusion, and the first one after it.
    """
    return range(abs(first - second) + 1, max(first, second))


class Stem(nnx.Module):
    """Stems of both streams, each on its own channels."""

    def __init__(self, first: Any, second: Any, channels: int, *, optional_views: bool):
        self.channels = channels  # of the first
        self.optional_views = optional_views
        self.first, self.second = first, second

    def __call__(self, x: jax.Array, key: jax.Array | None) -> Maps:
        keys = split_key(key, 2)
        own, other = x[..., : self.channels], x[..., self.channels :]
        maps = self.first(own, keys[0]), self.second(other, keys[1])
        if not self.optional_views:
            return maps
        # A missing view is 0 everywhere; no photograph is.
        present = [jnp.any(part != 0, axis=(1, 2, 3)) for part in (own, other)]
        return (*maps, jnp.stack(present, axis=-1).astype(x.dtype))


class Absent(nnx.Module):
    """Learned vectors in place of the features of a missing view."""

    def __init__(self, first: int, second: int):
        self.first, self.second = nnx.Param(jnp.zeros(first)), nnx.Param(jnp.zeros(second))

    def __call__(self, x: Sequence[jax.Array], present: jax.Array) -> list[jax.Array]:
        """Features [batch, …, dim] of both streams, replaced where ``present`` [batch, 2] is 0."""
        outputs = []
        for i, (own, vector) in enumerate(zip(x, (self.first, self.second), strict=True)):
            ones = (1,) * (own.ndim - 1)
            mask = present[:, i].reshape(-1, *ones) > 0
            outputs.append(jnp.where(mask, own, vector[...].reshape(*ones, -1).astype(own.dtype)))
        return outputs


class Join(nnx.Module):
    """Fusion layer: 1 × 1 projection of both maps, initialised to the first map."""

    def __init__(
        self,
        width: int,
        other: int,
        grid: Grid | None,
        *,
        optional_views: bool,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        self.grid = grid  # of the second's tokens
        self.absent = Absent(width, other) if optional_views else None
        # The identity initialisation preserves the following pretrained stages.
        self.proj = Linear(
            width + other, width, dtype=dtype, kernel_init=_identity_kernel, rngs=rngs
        )

    def __call__(self, x: Maps) -> jax.Array:
        own, other = x[0], as_map(x[1], self.grid)
        if self.absent is not None:
            own, other = self.absent((own, other), x[2])
        other = _resized(other, own.shape[1:3])
        return self.proj(jnp.concatenate([own, other], axis=-1))


def _identity_kernel(key: jax.Array, shape: tuple[int, int], dtype: jnp.dtype) -> jax.Array:
    """Kernel initialised to return its first inputs."""
    return jnp.eye(*shape, dtype=dtype)


class TwoStreamStage(nnx.Module):
    """Stage of each stream (None if it has none here), preceded by ``join`` at the fusion."""

    def __init__(self, first: Any, second: Any, join: Join | None):
        self.first, self.second, self.join = first, second, join

    def __call__(self, x: Maps, key: jax.Array | None) -> Maps:
        if self.join is not None:
            x = (self.join(x),)
        pairs = zip(x, (self.first, self.second), split_key(key, 2), strict=False)
        maps = (part if stage is None else stage(part, k) for part, stage, k in pairs)
        return (*maps, *x[2:])


class TwoStreamHead(PooledHead):
    """One classifier on the concatenated embeddings (after fusion, the first's)."""

    def __init__(
        self,
        first: PooledHead,
        second: PooledHead | None,
        options: ModelOptions,
        *,
        optional_views: bool,
        rngs: nnx.Rngs,
    ):
        heads = [first] if second is None else [first, second]
        widths = [head.classifier.in_features for head in heads]
        super().__init__(sum(widths), options, rngs=rngs)
        self.absent = Absent(*widths) if optional_views and second is not None else None
        for head in heads:
            del head.classifier, head.hidden
        self.first, self.second = first, second

    def embed(self, x: Any, key: jax.Array | None) -> jax.Array:
        """Concatenated embeddings: float32 [batch, dim]."""
        pairs: Any = zip(x, (self.first, self.second), split_key(key, 2), strict=False)
        parts = [head.embed(part, k) for part, head, k in pairs]
        if self.absent is not None:
            parts = self.absent(parts, x[2])
        return jnp.concatenate(parts, axis=-1)


class TwoStream(Backbone):
    """Two models as one; with different numbers of stages, both end together.

    Args:
        first: ``(rngs=…) -> model``; hidden and last layer of its head are unused.
        second: the same for the second stream.
        fuse_after: stages before the fusion of the maps; 0: fusion of the embeddings.
        optional_views: True if a view may be missing, replaced by a learned vector.

    Raises:
        ValueError: no fusion possible after that stage.
    """

    def __init__(
        self,
        options: ModelOptions,
        *,
        first: Callable[..., Backbone],
        second: Callable[..., Backbone],
        fuse_after: int,
        optional_views: bool,
        rngs: nnx.Rngs,
    ):
        own, other = first(rngs=rngs), second(rngs=rngs)
        self.image_size, self.dtype = options.image_size, options.dtype
        self.in_channels = own.in_channels + other.in_channels
        self.token_grids = (own.grid, other.grid)
        allowed = fusion_stages(len(own.stages), len(other.stages))
        if fuse_after and (fuse_after not in allowed or own.grid):
            raise ValueError(f"maps cannot be joined after stage {fuse_after}; after {allowed} can")
        self.stem = Stem(own.stem, other.stem, own.in_channels, optional_views=optional_views)
        count = max(len(own.stages), len(other.stages))
        join, both = None, fuse_after or count  # stages that both streams run
        if fuse_after:
            depth, size = fuse_after - count, options.image_size
            width, more = (_width(model, depth, size) for model in (own, other))
            join = Join(
                width,
                more,
                other.grid,
                optional_views=optional_views,
                dtype=options.dtype,
                rngs=rngs,
            )
        others = [*_aligned(other, count)[:both], *[None] * (count - both)]
        self.stages = nnx.List(
            [
                TwoStreamStage(*pair, join if i == fuse_after else None)
                for i, pair in enumerate(zip(_aligned(own, count), others, strict=True))
            ]
        )
        last = None if fuse_after else other.head
        self.head = TwoStreamHead(own.head, last, options, optional_views=optional_views, rngs=rngs)

    def as_map(self, x: Maps) -> jax.Array:
        """Maps of both streams, the second's resized to the first's, concatenated."""
        own, *others = self._maps(x)
        return jnp.concatenate([own, *(_resized(o, own.shape[1:3]) for o in others)], axis=-1)

    def maps(self, stages: int, x: jax.Array) -> list[jax.Array]:
        return self._maps(self._unpacked(stages, x))

    def until(self, stages: int, images: jax.Array) -> jax.Array:
        """Output of the first stages, both streams flattened into one row: [batch, n]."""
        return pack(self._until(stages, images), "b *")[0]

    def continue_from(self, stages: int, x: jax.Array, **how: Any) -> jax.Array:
        return super().continue_from(stages, self._unpacked(stages, x), **how)

    def _until(self, stages: int, images: jax.Array) -> Maps:
        return self._run(images, stages, part_keys(self, False, None, ()))[-1]

    def _unpacked(self, stages: int, x: jax.Array) -> Any:
        assert self.image_size is not None, "given when it is built"
        images = jax.ShapeDtypeStruct((1, *self.image_size, self.in_channels), jnp.float32)
        shapes = jax.eval_shape(lambda images: self._until(stages, images), images)
        return tuple(unpack(x, [one.shape[1:] for one in shapes], "b *"))

    def _maps(self, x: Maps) -> list[jax.Array]:
        return [as_map(part, grid) for part, grid in zip(x, self.token_grids, strict=False)]


def _aligned(model: Backbone, count: int) -> list[Any]:
    """Stages of a model, padded with None in front to ``count``."""
    return [*[None] * (count - len(model.stages)), *model.stages]


def _width(model: Backbone, from_end: int, image_size: Grid) -> int:
    """Channels of a model's map ``from_end`` stages (negative) before its last."""
    images = jax.ShapeDtypeStruct((1, *image_size, model.in_channels), jnp.float32)
    stages = len(model.stages) + from_end
    return jax.eval_shape(lambda images: model.until(stages, images), images).shape[-1]


def _resized(x: jax.Array, size: Sequence[int]) -> jax.Array:
    if x.shape[1:3] == tuple(size):
        return x
    return jax.image.resize(x, (x.shape[0], *size, x.shape[3]), "bilinear")
