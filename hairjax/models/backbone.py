"""Backbone of every model: a stem, stages and a head, run one after the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import nnx

from hairjax.models.layers.common import part_keys

Grid = tuple[int, int]


def as_map(x: jax.Array, grid: Grid | None) -> jax.Array:
    """Output of a stage as a feature map [batch, h, w, c]; the class token is left out.

    Args:
        x: a map, or tokens [batch, 1 + h·w, c].
        grid: height and width of the tokens' map; None where ``x`` is a map.
    """
    return x if grid is None else rearrange(x[:, 1:], "b (h w) c -> b h w c", h=grid[0])


class Backbone(nnx.Module):
    """A model with ``stem``, ``stages`` and ``head``, each called with (x, key).

    A key is random; where it is None a part runs as in evaluation: without dropout and drop-path,
    its batch norms by their running statistics. ``stem.proj.kernel`` is what sees the photograph.
    """

    stem: Any
    stages: nnx.List
    head: Any
    image_size: tuple[int, int] | None  # height and width of the photographs; None: any
    in_channels: int
    dtype: jnp.dtype
    grid: Grid | None = None  # of the tokens that stages give behind a class token; None: maps

    @staticmethod
    def stage_count(options: Mapping[str, Any]) -> int:
        """Number of stages of a model of these arguments."""
        return len(options["depths"])

    def windows(self) -> dict[str, Grid]:
        """Height and width of the window of every table of relative positions, by its path."""
        return {}

    def grids(self) -> dict[str, Grid]:
        """Height and width in patches of every position embedding, by its path."""
        return {}

    def as_map(self, x: Any) -> jax.Array:
        """Output of a stage as a feature map [batch, h, w, c]."""
        return as_map(x, self.grid)

    def maps(self, stages: int, x: jax.Array) -> list[jax.Array]:
        """The maps [batch, h, w, c], one per stream, in ``until(stages, images)``."""
        return [self.as_map(x)]

    def features(
        self,
        images: jax.Array,
        *,
        train: bool = False,
        rngs: nnx.Rngs | None = None,
        frozen: Sequence[str] = (),
    ) -> list[jax.Array]:
        """One map per stage: [batch, h, w, c], the stem's left out. Arguments: see the call."""
        keys = part_keys(self, train, rngs, frozen)
        return [self.as_map(x) for x in self._run(images, len(self.stages), keys)]

    def embed(self, images: jax.Array) -> jax.Array:
        """Input vector of the classifier: float32 [batch, dim]."""
        last = self._run(images, len(self.stages), part_keys(self, False, None, ()))[-1]
        return self.head.embed(last, None)

    def __call__(
        self,
        images: jax.Array,
        *,
        train: bool = False,
        rngs: nnx.Rngs | None = None,
        frozen: Sequence[str] = (),
    ) -> jax.Array:
        """Logits, float32 [batch, classes].

        Args:
            images: float32 [batch, height, width, channels], normalised.
            train: apply dropout and stochastic depth; batch norms go by the batch and update
                their running statistics.
            rngs: their random numbers (stream ``dropout``); needed when ``train``.
            frozen: names of parts (``stem``, ``stages.0`` …, ``head``) that run as in evaluation.

        Raises:
            ValueError: ``images`` has another size or number of channels than the model was
                built for, or ``train`` without ``rngs``.
        """
        keys = part_keys(self, train, rngs, frozen)
        return self.head(self._run(images, len(self.stages), keys)[-1], keys["head"])

    def until(self, stages: int, images: jax.Array) -> jax.Array:
        """Output of the first stages in evaluation, for `continue_from` to go on from."""
        return self._run(images, stages, part_keys(self, False, None, ()))[-1]

    def continue_from(
        self,
        stages: int,
        x: jax.Array,
        *,
        train: bool = False,
        rngs: nnx.Rngs | None = None,
        frozen: Sequence[str] = (),
    ) -> jax.Array:
        """Logits from ``until(stages, images)``: the rest of the call after so many stages."""
        keys = part_keys(self, train, rngs, frozen)
        for i in range(stages, len(self.stages)):
            x = self.stages[i](x, keys[f"stages.{i}"])
        return self.head(x, keys["head"])

    def _run(self, images: jax.Array, stages: int, keys: dict[str, jax.Array | None]) -> list[Any]:
        expected = (*(self.image_size or images.shape[1:3]), self.in_channels)
        if images.shape[1:] != expected:
            size = ", ".join(map(str, expected if self.image_size else ("h", "w", expected[-1])))
            raise ValueError(
                f"the model was built for photographs [batch, {size}], not {list(images.shape)}"
            )
        x = self.stem(images.astype(self.dtype), keys["stem"])
        outputs = []
        for i in range(stages):
            x = self.stages[i](x, keys[f"stages.{i}"])
            outputs.append(x)
        return outputs
