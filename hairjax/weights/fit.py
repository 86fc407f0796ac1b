"""Fit every array of a checkpoint to a model."""

import math
from collections.abc import Callable, Mapping

import jax
import numpy as np

from hairjax.system.errors import examples
from hairjax.system.wording import counted
from hairjax.weights import WeightsError
from hairjax.weights.bias_table import resize_bias_table
from hairjax.weights.heads import is_classifier
from hairjax.weights.load import Checkpoint
from hairjax.weights.position import resize_position
from hairjax.weights.stem import INITIALISING_RULES, expand_stem

Arrays = Mapping[str, np.ndarray] | Mapping[str, jax.ShapeDtypeStruct]
STEM = "stem.proj.kernel"
_EXAMPLES = 4


def fit_weights(
    checkpoint: Checkpoint,
    shapes: Mapping[str, jax.ShapeDtypeStruct],
    initialise: Callable[[list[str]], dict[str, np.ndarray]],
    *,
    windows: Mapping[str, tuple[int, int]],
    grids: Mapping[str, tuple[int, int]],
    stem: str,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Fit a checkpoint to a model: stem, position tables and head adapted, the rest exact.

    Args:
        checkpoint: from ``read_checkpoint``.
        shapes: shape of every parameter by dotted path.
        initialise: function paths → initialised parameters by path.
        windows: (height, width) of the window of every relative-position table, by path.
        grids: (height, width) in patches of every position embedding, by path.
        stem: rule for the stem's input channels, see ``expand_stem``.

    Returns:
        Parameters by path, and notes on the checkpoint and on all changes.

    Raises:
        WeightsError: missing or unexpected names, or other shapes; counted, with examples.
        ValueError: the rule or the number of channels is invalid, see ``expand_stem``.
    """
    found = dict(checkpoint.arrays)
    notes = list(checkpoint.notes)
    _resize_tables(found, shapes, windows, notes)
    for path in sorted(grids.keys() & found.keys()):
        _resize_embedding(found, path, grids[path], shapes[path].shape, notes)
    fresh = replace_head(found, shapes, checkpoint.classes, notes)
    # One call for all: each compiles.
    initialised = initialise([*fresh, STEM] if stem in INITIALISING_RULES else fresh)
    blank = np.zeros(shapes[STEM].shape, np.float32)
    _expand_stem(found, initialised.pop(STEM, blank), stem, notes)
    require_fit(
        found, checkpoint.unexpected, {path: s.shape for path, s in shapes.items()}, set(fresh)
    )
    return {**found, **initialised}, notes


def require_fit(
    found: Mapping[str, np.ndarray],
    unexpected: list[str],
    shapes: Mapping[str, tuple[int, ...]],
    fresh: set[str],
) -> None:
    """Raise unless the arrays match the model's parameters (by dotted path) exactly.

    ``unexpected``: names in the source without a counterpart; ``fresh``: paths that may be missing.

    Raises:
        WeightsError: counts missing and unexpected names and other shapes, with examples.
    """
    kinds = {
        "missing": sorted(shapes.keys() - found.keys() - fresh),
        "unexpected": [*unexpected, *sorted(found.keys() - shapes.keys())],
        "of another shape": [
            f"{path} is {list(found[path].shape)}, the model has {list(shapes[path])}"
            for path in sorted(found.keys() & shapes.keys())
            if found[path].shape != shapes[path]
        ],
    }
    lists = [
        f"{len(names):,} {kind}: {examples(names, _EXAMPLES)}"
        for kind, names in kinds.items()
        if names
    ]
    if lists:
        hint = "is model.name the variant they were trained for?"
        kernel, wanted = found.get(STEM), shapes[STEM]
        if kernel is not None and kernel.ndim == 4 and kernel.shape[2] not in (3, wanted[2]):
            hint = (
                f"they take {kernel.shape[2]} channels; only RGB weights are expanded to another "
                f"model.in_channels, here {wanted[2]}"
            )
        raise WeightsError(f"the weights do not fit the model ({hint})\n  " + "\n  ".join(lists))


def head_layout(arrays: Arrays) -> tuple[int | None, tuple[int, ...], str]:
    """Number of classes (None without a head), hidden sizes and kind of a head."""
    hidden: list[int] = []
    while (path := f"head.hidden.{len(hidden)}.bias") in arrays:
        hidden.append(arrays[path].size)
    # Ordinal heads have one output fewer than classes.
    last = {
        "softmax": ("head.classifier.bias", 0),
        "cumulative": ("head.classifier.cumulative.thresholds", 1),
        "corn": ("head.classifier.corn.steps.bias", 1),
    }
    for kind, (path, more) in last.items():
        if path in arrays:
            return arrays[path].size + more, tuple(hidden), kind
    return None, tuple(hidden), "softmax"


def head_in_words(arrays: Arrays) -> str:
    """Head in words, e.g. ``4 classes (corn) behind 256 hidden``."""
    classes, hidden, kind = head_layout(arrays)
    words = "no known classifier" if classes is None else counted(classes, "class", "classes")
    words += "" if kind == "softmax" else f" ({kind})"
    return words + (f" behind {', '.join(map(str, hidden))} hidden" if hidden else "")


def _resize_tables(
    found: dict[str, np.ndarray],
    shapes: Mapping[str, jax.ShapeDtypeStruct],
    windows: Mapping[str, tuple[int, int]],
    notes: list[str],
) -> None:
    """Resize, in place, every bias table of another (square) window."""
    resized = []
    for path in sorted(windows.keys() & found.keys()):
        table = found[path]
        if table.ndim != 2 or table.shape[1] != shapes[path].shape[1]:
            continue
        side = (round(len(table) ** 0.5) + 1) // 2
        square = (2 * side - 1) ** 2 == len(table)
        if square and windows[path] != (side, side):
            found[path] = resize_bias_table(table, windows[path], (side, side))
            resized.append(f"{side} → {windows[path][0]} × {windows[path][1]}")
    if resized:
        changes = ", ".join(sorted(set(resized)))
        notes.append(f"relative-position tables resized in {len(resized)} blocks: {changes}")


def _resize_embedding(
    found: dict[str, np.ndarray],
    path: str,
    grid: tuple[int, int],
    shape: tuple[int, ...],
    notes: list[str],
) -> None:
    """Resize, in place, a position embedding of another (square) grid."""
    embedding = found[path]
    if embedding.ndim != len(shape) or embedding.shape[-1] != shape[-1]:
        return
    side = math.isqrt(max(embedding.shape[1] - 1, 0))
    if side**2 == embedding.shape[1] - 1 and (side, side) != grid:
        found[path] = resize_position(embedding, grid)
        notes.append(f"position embedding resized: {side} × {side} → {grid[0]} × {grid[1]} patches")


def _expand_stem(
    found: dict[str, np.ndarray], initialised: np.ndarray, rule: str, notes: list[str]
) -> None:
    """Expand, in place, an RGB kernel to the channels of ``initialised``."""
    kernel = found.get(STEM)
    if kernel is None or kernel.shape != (*initialised.shape[:2], 3, initialised.shape[3]):
        return
    found[STEM] = expand_stem(kernel, initialised, rule)
    if initialised.shape[2] != 3:
        notes.append(f"stem: RGB kernel fitted to {initialised.shape[2]} channels by {rule!r}")


def replace_head(
    found: dict[str, np.ndarray],
    shapes: Mapping[str, jax.ShapeDtypeStruct],
    classes: tuple[str, ...],
    notes: list[str],
) -> list[str]:
    """Drop the checkpoint's classifier unless it matches; returns paths to initialise."""
    old, new = ({path for path in paths if is_classifier(path)} for paths in (found, shapes))
    if _layers(old) == _layers(new) and all(
        found[path].shape == shapes[path].shape for path in old & new
    ):
        if classes:
            notes.append(f"head: kept; its classes were {', '.join(classes)}")
        return []
    notes.append(
        f"head: initialised for {head_in_words(shapes)}; "
        f"the checkpoint's has {head_in_words(found)}"
    )
    for path in old:
        del found[path]
    return sorted(new)


def _layers(paths: set[str]) -> set[str]:
    return {path.rpartition(".")[0] for path in paths}
