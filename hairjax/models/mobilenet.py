"""MobileNets V1, V2 and V3-large.

V1 (Howard et al. 2017, https://arxiv.org/abs/1704.04861) equals Keras's, V2 (Sandler et al. 2018,
https://arxiv.org/abs/1801.04381) and V3-large (Howard et al. 2019,
https://arxiv.org/abs/1905.02244) timm's and torchvision's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.heads.pooled import PooledHead
from hairjax.models.layers.convolutions import Activation, ConvStem
from hairjax.models.layers.inverted_residual import ConvHead, Shape, divisible, make_stages
from hairjax.models.options import ModelOptions, refuse_drop_path

relu, relu6, hard_swish = jax.nn.relu, jax.nn.relu6, jax.nn.hard_swish
# (blocks, stride, channels) of every stage of V1.
V1 = ((1, 1, 64), (2, 2, 128), (2, 2, 256), (6, 2, 512), (2, 2, 1024))
# (blocks, stride, expansion, channels) of every stage of V2.
V2 = (
    (1, 1, 1, 16),
    (2, 2, 6, 24),
    (3, 2, 6, 32),
    (4, 2, 6, 64),
    (3, 1, 6, 96),
    (3, 2, 6, 160),
    (1, 1, 6, 320),
)
# (kernel size, stride, expansion, channels, squeeze-and-excitation, activation) of every block of
# every stage of V3-large.
V3: tuple[tuple[tuple[int, int, float, int, bool, Activation], ...], ...] = (
    ((3, 1, 1, 16, False, relu),),
    ((3, 2, 4, 24, False, relu), (3, 1, 3, 24, False, relu)),
    ((5, 2, 3, 40, True, relu),) + ((5, 1, 3, 40, True, relu),) * 2,
    (
        (3, 2, 6, 80, False, hard_swish),
        (3, 1, 2.5, 80, False, hard_swish),
        (3, 1, 2.3, 80, False, hard_swish),
        (3, 1, 2.3, 80, False, hard_swish),
    ),
    ((3, 1, 6, 112, True, hard_swish),) * 2,
    ((5, 2, 6, 160, True, hard_swish),) + ((5, 1, 6, 160, True, hard_swish),) * 2,
)


class MobileNet(Backbone):
    """MobileNet.

    Args:
        generation: 1, 2 or 3 (large).
        width: multiplier of the channels.

    Raises:
        UserError: drop-path above 0 for V1, which has no residual connections.
    """

    def __init__(self, options: ModelOptions, *, generation: int, width: float, rngs: nnx.Rngs):
        if generation == 1:
            refuse_drop_path("MobileNetV1", options.drop_path)
        self.image_size, self.in_channels, self.dtype = None, options.in_channels, options.dtype
        shapes, stem = block_shapes(generation, width), stem_width(generation, width)
        epsilon, padding = (1e-3, "keras") if generation == 1 else (1e-5, "torch")
        activation = hard_swish if generation == 3 else relu6
        settings: dict[str, Any] = {"epsilon": epsilon, "dtype": options.dtype, "rngs": rngs}
        # Keras pads the stem differently.
        around = "same" if generation == 1 else padding
        self.stem = ConvStem(
            options.in_channels,
            stem,
            3,
            stride=2,
            padding=around,
            activation=activation,
            **settings,
        )
        self.stages = make_stages(stem, shapes, options, padding=padding, **settings)
        outputs = shapes[-1][-1].outputs
        if generation == 1:
            self.head = PooledHead(outputs, options, rngs=rngs)
            return
        # V2 ends with a convolution (at least 1,280 channels), V3 with another and a dense layer.
        widened, dense = (max(1280, divisible(1280 * width)), 0)
        if generation == 3:
            widened, dense = divisible(960 * width), 1280
        self.head = ConvHead(
            outputs,
            widened,
            options,
            dense=dense,
            epsilon=epsilon,
            activation=activation,
            rngs=rngs,
        )

    @staticmethod
    def stage_count(options: Mapping[str, Any]) -> int:
        return len((V1, V2, V3)[options["generation"] - 1])


def stem_width(generation: int, width: float) -> int:
    """Channels of the stem; constant for narrow V3."""
    if generation == 1:
        return int(32 * width)
    if generation == 2:
        return divisible(32 * width)
    return divisible(16 * width) if width >= 0.75 else 16


def block_shapes(generation: int, width: float) -> list[list[Shape]]:
    """Block shapes of every stage of a generation, scaled in width."""
    if generation == 3:
        return _third(width)
    inputs, stages = stem_width(generation, width), []
    for blocks, stride, expansion, channels in V2 if generation == 2 else _as_second(V1):
        stage = []
        for i in range(blocks):
            shape = Shape(
                outputs=divisible(channels * width) if generation == 2 else int(channels * width),
                size=3,
                stride=1 if i else stride,
                hidden=divisible(inputs * expansion) if generation == 2 else inputs,
                squeezed=0,
                activation=relu6,
                gate=jax.nn.sigmoid,
                last=None if generation == 2 else relu6,
                residual=generation == 2,
            )
            stage.append(shape)
            inputs = shape.outputs
        stages.append(stage)
    return stages


def _as_second(first: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int, int]]:
    return [(blocks, stride, 1, channels) for blocks, stride, channels in first]


def _third(width: float) -> list[list[Shape]]:
    inputs, stages = stem_width(3, width), []
    for blocks in V3:
        stage = []
        for size, stride, expansion, channels, squeezes, activation in blocks:
            hidden = divisible(inputs * expansion)
            shape = Shape(
                outputs=divisible(channels * width),
                size=size,
                stride=stride,
                hidden=hidden,
                squeezed=divisible(hidden / 4) if squeezes else 0,
                activation=activation,
                gate=jax.nn.hard_sigmoid,
                last=None,
                residual=True,
            )
            stage.append(shape)
            inputs = shape.outputs
        stages.append(stage)
    return stages
