"""Parameter names of a VGG-16 in torchvision and timm."""

import numpy as np

from hairjax.weights.naming import Naming, Table, our_layout

DEPTHS = (2, 2, 3, 3, 3)


def _body(batch_norm: bool) -> Table:
    """Torchvision numbers convolutions, norms, ReLUs and poolings consecutively."""
    table: Table = ()
    n = 0
    for i, depth in enumerate(DEPTHS):
        for j in range(depth):
            # Our stem is the first convolution of the first stage.
            ours = f"stages.{i}.blocks.{j if i else j - 1}." if i or j else "stem."
            table += ((rf"features\.{n}\.", f"{ours}proj."),)
            if batch_norm:
                table += ((rf"features\.{n + 1}\.", f"{ours}norm."),)
            n += 3 if batch_norm else 2
        n += 1
    return table


_TORCHVISION_HEAD: Table = (
    (r"classifier\.0\.", "head.dense1."),
    (r"classifier\.3\.", "head.dense2."),
    (r"classifier\.6\.", "head.classifier."),
)
_TIMM_HEAD: Table = (
    (r"pre_logits\.fc1\.", "head.dense1."),
    (r"pre_logits\.fc2\.", "head.dense2."),
    (r"head\.fc\.", "head.classifier."),
)


def timm_layout(path: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """Flatten timm's dense layers from convolutions over the whole map."""
    if path.startswith("head.") and array.ndim == 4:
        array = array.reshape(len(array), -1)
    return our_layout(path, array)


def _namings(batch_norm: bool) -> tuple[Naming, ...]:
    body = _body(batch_norm)
    first = r"features\.0\.weight"
    return (
        Naming(
            "timm",
            (first, r"pre_logits\.fc1\.weight"),
            (*body, *_TIMM_HEAD),
            layout=timm_layout,
        ),
        Naming("torchvision", (first, r"classifier\.0\.weight"), (*body, *_TORCHVISION_HEAD)),
    )


NAMINGS, BATCH_NORM_NAMINGS = _namings(False), _namings(True)
