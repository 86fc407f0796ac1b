"""Parameter names of EfficientNets and MobileNets in other libraries."""

import itertools

import numpy as np

from hairjax.weights.naming import Naming, Table

V1_DEPTHS, V2_DEPTHS = (1, 2, 2, 6, 2), (1, 2, 3, 4, 3, 3, 1)
_OURS = r"stages.\1.blocks.\2."
# timm numbers the convolutions of a block without expansion from the depthwise one.
_TIMM_BODY: Table = (
    (r"conv_stem\.", "stem.proj."),
    (r"bn1\.", "stem.norm."),
    (r"blocks\.(0)\.(\d+)\.conv_pw\.", _OURS + "project.conv."),
    (r"blocks\.(0)\.(\d+)\.bn1\.", _OURS + "depthwise.norm."),
    (r"blocks\.(0)\.(\d+)\.bn2\.", _OURS + "project.norm."),
    (r"blocks\.(\d+)\.(\d+)\.conv_pw\.", _OURS + "expand.conv."),
    (r"blocks\.(\d+)\.(\d+)\.bn1\.", _OURS + "expand.norm."),
    (r"blocks\.(\d+)\.(\d+)\.conv_dw\.", _OURS + "depthwise.conv."),
    (r"blocks\.(\d+)\.(\d+)\.bn2\.", _OURS + "depthwise.norm."),
    (r"blocks\.(\d+)\.(\d+)\.se\.conv_(reduce|expand)\.", _OURS + r"squeeze.\3."),
    (r"blocks\.(\d+)\.(\d+)\.conv_pwl\.", _OURS + "project.conv."),
    (r"blocks\.(\d+)\.(\d+)\.bn3\.", _OURS + "project.norm."),
    (r"classifier\.", "head.classifier."),
)
_TIMM_MARKERS = (r"conv_stem\.weight", r"blocks\.0\.0\.conv_dw\.weight")
TIMM = Naming(
    "timm",
    _TIMM_MARKERS,
    (*_TIMM_BODY, (r"conv_head\.", "head.widen.conv."), (r"bn2\.", "head.widen.norm.")),
)
TIMM_V3 = Naming(
    "timm",
    (*_TIMM_MARKERS, r"blocks\.6\.0\.conv\.weight"),
    (
        (r"blocks\.6\.0\.conv\.", "head.widen.conv."),
        (r"blocks\.6\.0\.bn1\.", "head.widen.norm."),
        *_TIMM_BODY,
        (r"conv_head\.", "head.dense."),
    ),
)


def _torchvision_parts(block: str, ours: str, parts: tuple[str, ...]) -> Table:
    """Convolution and norm of each numbered layer of a block."""
    return tuple(
        (rf"{block}{i}\.{j}\.", f"{ours}{part}.{leaf}.")
        for i, part in enumerate(parts)
        for j, leaf in enumerate(("conv", "norm"))
    )


_BLOCK, _FROM_ONE = r"features\.(\d)\.(\d+)\.block\.", r"stages.\1-1.blocks.\2."
TORCHVISION = Naming(
    "torchvision",
    (r"features\.0\.0\.weight", r"features\.1\.0\.block\.0\.0\.weight"),
    (
        (r"features\.0\.0\.", "stem.proj."),
        (r"features\.0\.1\.", "stem.norm."),
        (r"features\.8\.0\.", "head.widen.conv."),
        (r"features\.8\.1\.", "head.widen.norm."),
        (r"features\.(\d)\.(\d+)\.block\.\d\.fc1\.", _FROM_ONE + "squeeze.reduce."),
        (r"features\.(\d)\.(\d+)\.block\.\d\.fc2\.", _FROM_ONE + "squeeze.expand."),
        *_torchvision_parts(
            r"features\.(1)\.(\d+)\.block\.", _FROM_ONE, ("depthwise", "squeeze", "project")
        ),
        *_torchvision_parts(_BLOCK, _FROM_ONE, ("expand", "depthwise", "squeeze", "project")),
        (r"classifier\.1\.", "head.classifier."),
    ),
)


def _second() -> Table:
    """Torchvision's MobileNetV2: blocks numbered consecutively, the last convolution unnumbered."""
    places = [(i, j) for i, depth in enumerate(V2_DEPTHS) for j in range(depth)]
    table: Table = ()
    for n, (i, j) in enumerate(places, start=1):
        parts = ("expand", "depthwise") if n > 1 else ("depthwise",)
        block, ours = rf"features\.{n}\.conv\.", f"stages.{i}.blocks.{j}."
        table += _torchvision_parts(block, ours, parts)
        table += (
            (rf"{block}{len(parts)}\.", f"{ours}project.conv."),
            (rf"{block}{len(parts) + 1}\.", f"{ours}project.norm."),
        )
    return table


TORCHVISION_V2 = Naming(
    "torchvision",
    (r"features\.0\.0\.weight", r"features\.1\.conv\.0\.0\.weight"),
    (
        (r"features\.0\.0\.", "stem.proj."),
        (r"features\.0\.1\.", "stem.norm."),
        *_second(),
        (r"features\.18\.0\.", "head.widen.conv."),
        (r"features\.18\.1\.", "head.widen.norm."),
        (r"classifier\.1\.", "head.classifier."),
    ),
)

_KERAS_LEAVES = {
    "gamma": "scale",
    "beta": "bias",
    "moving_mean": "mean",
    "moving_variance": "var",
    "depthwise_kernel": "kernel",
}


def keras_layout(path: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """Keras kernels: ours, except depthwise [h, w, in, 1] and the convolutional classifier."""
    module, _, leaf = path.rpartition(".")
    if module.endswith("depthwise.conv") and array.ndim == 4:
        array = array.transpose(0, 1, 3, 2)
    if module == "head.classifier" and array.ndim == 4:
        array = array[0, 0]
    return f"{module}.{_KERAS_LEAVES.get(leaf, leaf)}", array


def _keras() -> Table:
    places = [(i, j) for i, depth in enumerate(V1_DEPTHS) for j in range(depth)]
    return tuple(
        itertools.chain.from_iterable(
            (
                (rf"conv_{short}_{n}/", f"stages.{i}.blocks.{j}.{part}.conv."),
                (rf"conv_{short}_{n}_bn/", f"stages.{i}.blocks.{j}.{part}.norm."),
            )
            for n, (i, j) in enumerate(places, start=1)
            for short, part in (("dw", "depthwise"), ("pw", "project"))
        )
    )


KERAS = Naming(
    "Keras",
    (r"conv1/kernel", r"conv_dw_1/(?:depthwise_)?kernel"),  # of Keras 2, of 3
    (
        (r"conv1/", "stem.proj."),
        (r"conv1_bn/", "stem.norm."),
        *_keras(),
        (r"conv_preds/", "head.classifier."),
    ),
    layout=keras_layout,
)

# V3's epsilon is timm's: torchvision's weights need another.
V1_NAMINGS, V2_NAMINGS, V3_NAMINGS = (KERAS,), (TIMM, TORCHVISION_V2), (TIMM_V3,)
EFFICIENTNET_NAMINGS, TENSORFLOW_NAMINGS = (TIMM, TORCHVISION), (TIMM,)
