"""Inception-v3 (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567).

Equal to torchvision's and timm's in evaluation, without the auxiliary classifier.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.heads.pooled import PooledHead
from hairjax.models.layers.common import Stage
from hairjax.models.layers.convolutions import ConvNorm, ConvStem, max_pool
from hairjax.models.options import ModelOptions, refuse_drop_path, require_minimum_size

LEAST = 75  # pixels a side that leave a map of one pixel
EPSILON = 1e-3


class InceptionConv(NamedTuple):
    """Convolution of a branch.

    Attributes:
        name: name in torchvision.
        outputs: output channels, for width 1.
        size: side of the kernel, or (height, width).
        stride: stride in both directions.
        padding: ``torch`` (symmetric) or ``valid`` (none).
    """

    name: str
    outputs: int
    size: int | tuple[int, int]
    stride: int = 1
    padding: str = "torch"


AVERAGE, MAXIMUM = "average", "maximum"
# Outputs of convolutions in a tuple are concatenated.
Step = InceptionConv | tuple[InceptionConv, InceptionConv] | str
Branch = tuple[Step, ...]


def _halving(name: str, outputs: int) -> InceptionConv:
    return InceptionConv(name, outputs, 3, 2, "valid")


def _triple(*outputs: int) -> Branch:
    return tuple(
        InceptionConv(f"branch3x3dbl_{i + 1}", width, 3 if i else 1)
        for i, width in enumerate(outputs)
    )


def _a(pool: int) -> tuple[Branch, ...]:
    return (
        (InceptionConv("branch1x1", 64, 1),),
        (InceptionConv("branch5x5_1", 48, 1), InceptionConv("branch5x5_2", 64, 5)),
        _triple(64, 96, 96),
        (AVERAGE, InceptionConv("branch_pool", pool, 1)),
    )


def _c(width: int) -> tuple[Branch, ...]:
    return (
        (InceptionConv("branch1x1", 192, 1),),
        (
            InceptionConv("branch7x7_1", width, 1),
            InceptionConv("branch7x7_2", width, (1, 7)),
            InceptionConv("branch7x7_3", 192, (7, 1)),
        ),
        (
            InceptionConv("branch7x7dbl_1", width, 1),
            InceptionConv("branch7x7dbl_2", width, (7, 1)),
            InceptionConv("branch7x7dbl_3", width, (1, 7)),
            InceptionConv("branch7x7dbl_4", width, (7, 1)),
            InceptionConv("branch7x7dbl_5", 192, (1, 7)),
        ),
        (AVERAGE, InceptionConv("branch_pool", 192, 1)),
    )


def _pair(name: str) -> tuple[InceptionConv, InceptionConv]:
    return InceptionConv(f"{name}a", 384, (1, 3)), InceptionConv(f"{name}b", 384, (3, 1))


_B = ((_halving("branch3x3", 384),), (*_triple(64, 96), _halving("branch3x3dbl_3", 96)), (MAXIMUM,))
_D = (
    (InceptionConv("branch3x3_1", 192, 1), _halving("branch3x3_2", 320)),
    (
        InceptionConv("branch7x7x3_1", 192, 1),
        InceptionConv("branch7x7x3_2", 192, (1, 7)),
        InceptionConv("branch7x7x3_3", 192, (7, 1)),
        _halving("branch7x7x3_4", 192),
    ),
    (MAXIMUM,),
)
_E = (
    (InceptionConv("branch1x1", 320, 1),),
    (InceptionConv("branch3x3_1", 384, 1), _pair("branch3x3_2")),
    (*_triple(448, 384), _pair("branch3x3dbl_3")),
    (AVERAGE, InceptionConv("branch_pool", 192, 1)),
)
# Blocks of every stage; single convolutions in the first two.
STAGES: tuple[tuple[tuple[Branch, ...], ...], ...] = (
    (((InceptionConv("conv", 32, 3, 1, "valid"),),), ((InceptionConv("conv", 64, 3),),)),
    (
        ((MAXIMUM,),),
        ((InceptionConv("conv", 80, 1),),),
        ((InceptionConv("conv", 192, 3, 1, "valid"),),),
    ),
    (((MAXIMUM,),), _a(32), _a(64), _a(64)),
    (_B, _c(128), _c(160), _c(160), _c(192)),
    (_D, _E, _E),
)


class InceptionBlock(nnx.Module):
    """Parallel branches with concatenated outputs."""

    def __init__(
        self,
        inputs: int,
        branches: tuple[Branch, ...],
        *,
        width: float,
        dtype: jnp.dtype,
        rngs: nnx.Rngs,
    ):
        self.branches = branches
        self.outputs = 0
        for branch in branches:
            channels = inputs
            for step in branch:
                convs: list[InceptionConv] = []
                if isinstance(step, InceptionConv):
                    convs = [step]
                elif not isinstance(step, str):
                    convs = list(step)
                for conv in convs:
                    outputs = int(conv.outputs * width)
                    setattr(self, conv.name, _conv_norm(channels, outputs, conv, dtype, rngs))
                channels = outputs * len(convs) if convs else channels
            self.outputs += channels

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        outputs = []
        for branch in self.branches:
            y = x
            for step in branch:
                y = self._apply(step, y, key)
            outputs.append(y)
        return jnp.concatenate(outputs, axis=-1)

    def _apply(self, step: Step, x: jax.Array, key: jax.Array | None) -> jax.Array:
        if isinstance(step, str):
            if step == MAXIMUM:
                return max_pool(x, 3, 2)
            # The zero padding counts.
            return nnx.avg_pool(x, (3, 3), (1, 1), [(1, 1), (1, 1)])
        if isinstance(step, InceptionConv):
            return getattr(self, step.name)(x, key)
        return jnp.concatenate([getattr(self, conv.name)(x, key) for conv in step], axis=-1)


def _conv_norm(
    inputs: int, outputs: int, conv: InceptionConv, dtype: jnp.dtype, rngs: nnx.Rngs
) -> ConvNorm:
    return ConvNorm(
        inputs,
        outputs,
        conv.size,
        stride=conv.stride,
        padding=conv.padding,
        epsilon=EPSILON,
        activation=jax.nn.relu,
        dtype=dtype,
        rngs=rngs,
    )


class InceptionV3(Backbone):
    """Inception-v3; the stem is its first convolution.

    Args:
        width: multiplier of the channels.

    Raises:
        UserError: images too small, or drop-path above 0.
    """

    def __init__(self, options: ModelOptions, *, width: float, rngs: nnx.Rngs):
        require_minimum_size("Inception-v3", options.image_size, LEAST)
        refuse_drop_path("Inception-v3", options.drop_path)
        self.image_size, self.in_channels, self.dtype = None, options.in_channels, options.dtype
        inputs, stages = int(32 * width), []
        self.stem = ConvStem(
            options.in_channels,
            inputs,
            3,
            stride=2,
            padding="valid",
            epsilon=EPSILON,
            activation=jax.nn.relu,
            dtype=options.dtype,
            rngs=rngs,
        )
        for stage in STAGES:
            blocks = []
            for branches in stage:
                block = InceptionBlock(
                    inputs, branches, width=width, dtype=options.dtype, rngs=rngs
                )
                blocks.append(block)
                inputs = block.outputs
            stages.append(Stage(blocks, remat=options.remat))
        self.stages = nnx.List(stages)
        self.head = PooledHead(inputs, options, rngs=rngs)

    @staticmethod
    def stage_count(options: Mapping[str, Any]) -> int:
        return len(STAGES)
