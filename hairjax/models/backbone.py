"""Base class of every model: stem, stages and head in forward order."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import nnx

from hairjax.models.layers.common import part_keys

Grid = tuple[int, int]


def as_map(x: jax.Array, grid: Grid | None) -> jax.Array:
    """Stage output as a feature map [batch, h, w, c], without the class token.

    ``grid``: height and width of tokens [batch, 1 + h·w, c]; None if ``x`` is a map.
    """
    return x if grid is None else rearrange(x[:, 1:], "b (h w) c -> b h w c", h=grid[0])


class Backbone(nnx.Module):
    """Model with ``stem``, ``stages`` and ``head``, each called with (x, key).

    ``key`` None means evaluation: no dropout or drop-path, running statistics in batch norms. The
    input kernel is ``stem.proj.kernel``. Constructors take the common ``ModelOptions``, the
    arguments of a variant (`models.table`) and ``rngs``, the keys of the initialisation.
    """

    stem: Any
    stages: nnx.List
    head: Any
    image_size: tuple[int, int] | None  # height and width; None: any
    in_channels: int
    dtype: jnp.dtype
    grid: Grid | None = None  # of the tokens after the class token; None: stages output maps

    @staticmethod
    def stage_count(options: Mapping[str, Any]) -> int:
        """Number of stages of a model with these arguments."""
        return len(options["depths"])

    def windows(self) -> dict[str, Grid]:
        """(Height, width) of the window of every relative-position table, by path."""
        return {}

    def grids(self) -> dict[str, Grid]:
        """(Height, width) in patches of every position embedding, by path."""
        return {}

    def as_map(self, x: Any) -> jax.Array:
        """Stage output as a feature map [batch, h, w, c]."""
        return as_map(x, self.grid)

    def maps(self, stages: int, x: jax.Array) -> list[jax.Array]:
        """Feature maps [batch, h, w, c], one per stream, of ``until(stages, images)``."""
        return [self.as_map(x)]

    def features(
        self,
        images: jax.Array,
        *,
        train: bool = False,
        rngs: nnx.Rngs | None = None,
        frozen: Sequence[str] = (),
    ) -> list[jax.Array]:
        """Feature map [batch, h, w, c] of every stage; arguments as for the call."""
        keys = part_keys(self, train, rngs, frozen)
        return [self.as_map(x) for x in self._run(images, len(self.stages), keys)]

    def embed(self, images: jax.Array) -> jax.Array:
        """Embedding in evaluation mode: float32 [batch, dim], input of the head's hidden layers.

        Without hidden layers, input of the classifier. ``images``: as for the call.
        """
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
            train: apply dropout and stochastic depth; batch norms use and update batch statistics.
            rngs: random numbers (stream ``dropout``); required for ``train``.
            frozen: parts (``stem``, ``stages.0`` …, ``head``) run in evaluation mode.

        Raises:
            ValueError: another size or number of channels, or ``train`` without ``rngs``.
        """
        keys = part_keys(self, train, rngs, frozen)
        return self.head(self._run(images, len(self.stages), keys)[-1], keys["head"])

    def until(self, stages: int, images: jax.Array) -> jax.Array:
        """Output of the first ``stages`` stages in evaluation mode, input of `continue_from`."""
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
        """Logits from the output of ``until(stages, images)``; arguments as for the call."""
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
