"""Fit pretrained weights of two models, or of a two-stream run, to a two-stream model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import jax
import numpy as np
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.factory import Initialise
from hairjax.models.two_stream import STREAMS
from hairjax.weights.fit import fit_weights, head_in_words, replace_head
from hairjax.weights.heads import is_classifier
from hairjax.weights.load import Checkpoint
from hairjax.weights.paths import dotted

Leaf = TypeVar("Leaf")


def fit_streams(
    checkpoints: Sequence[Checkpoint | None],
    models: Sequence[Backbone],
    shapes: Mapping[str, jax.ShapeDtypeStruct],
    initialise: Initialise,
    *,
    whole: bool,
    stem: str,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Fit weights to each stream by the rules for one model; initialise the fusion.

    Args:
        checkpoints: checkpoint of each stream; None to initialise it.
        models: each stream as a model of shapes.
        shapes: shape of every parameter by dotted path.
        initialise: function paths → freshly initialised parameters.
        whole: both checkpoints are one source. A two-stream run then also gives the fusion and, for
            as many classes, the classifier.
        stem: rule for the stems' input channels, see ``expand_stem``.

    Returns:
        Parameters by path, and a note on each that was not taken as it is.

    Raises:
        WeightsError: missing or unexpected names, or other shapes; all are listed.
    """
    found: dict[str, np.ndarray] = {}
    notes: list[str] = []
    if checkpoints[0] and whole and has_streams(checkpoints[0].arrays):
        found = _shared_arrays(checkpoints[0], shapes, notes)
    elif any(checkpoints):
        notes.append(f"head: initialised for {head_in_words(shapes)}")
    for stream, checkpoint, model in zip(STREAMS, checkpoints, models, strict=True):
        if checkpoint:
            fitted, stream_notes = _fit_stream(stream, checkpoint, model, shapes, initialise, stem)
            found |= fitted
            notes += [f"{stream}: {note}" for note in stream_notes]
    fresh = [path for path in shapes if path not in found]
    if any(".join." in path for path in fresh) and any(checkpoints):
        notes.append("fusion of the streams: initialised to the first stream's map")
    return found | initialise(fresh), notes


def has_streams(paths: Mapping[str, np.ndarray]) -> bool:
    """True for the parameters of a two-stream model."""
    return any(re.match(rf"stem\.{STREAMS[0]}\.", path) for path in paths)


def stream_leaves(tree: Mapping[str, Leaf], stream: str, stages: int) -> dict[str, Leaf]:
    """Leaves of one stream, by their paths in a one-stream model of ``stages`` stages."""
    shift = _stages(tree) - stages
    found = {}
    for path, leaf in tree.items():
        if parts := re.fullmatch(rf"(stem|stages\.(\d+)|head)\.{stream}\.(.*)", path):
            part = parts[1] if parts[2] is None else f"stages.{int(parts[2]) - shift}"
            found[f"{part}.{parts[3]}"] = leaf
    return found


def _stages(paths: Mapping[str, Leaf]) -> int:
    return 1 + max(int(path.split(".")[1]) for path in paths if path.startswith("stages."))


def _fit_stream(
    stream: str,
    checkpoint: Checkpoint,
    model: Backbone,
    shapes: Mapping[str, jax.ShapeDtypeStruct],
    initialise: Initialise,
    stem: str,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Parameters of one stream by path in the whole model, and notes."""
    stages, arrays = len(model.stages), checkpoint.arrays
    wanted = stream_leaves(shapes, stream, stages)
    paths = stream_leaves({path: path for path in shapes}, stream, stages)
    if has_streams(arrays):
        arrays = stream_leaves(arrays, stream, stages)
    # The classifiers, and the stages of a stream after its fusion into the other.
    unused = dotted(nnx.to_pure_dict(nnx.state(model))).keys() - wanted.keys()
    arrays = {p: a for p, a in arrays.items() if p not in unused and not is_classifier(p)}

    def initialise_own(own: list[str]) -> dict[str, np.ndarray]:
        initialised = initialise([paths[path] for path in own])
        return {path: initialised[paths[path]] for path in own}

    fitted, notes = fit_weights(
        replace(checkpoint, arrays=arrays, classes=()),
        wanted,
        initialise_own,
        windows=model.windows(),
        grids=model.grids(),
        stem=stem,
    )
    return {paths[path]: array for path, array in fitted.items()}, notes


def _shared_arrays(
    checkpoint: Checkpoint, shapes: Mapping[str, jax.ShapeDtypeStruct], notes: list[str]
) -> dict[str, np.ndarray]:
    """Parameters outside the streams, where names and shapes match the run's."""
    head = {path: array for path, array in checkpoint.arrays.items() if is_classifier(path)}
    wanted = {path: shape for path, shape in shapes.items() if is_classifier(path)}
    replace_head(head, wanted, checkpoint.classes, notes)
    joins = {
        path: array
        for path, array in checkpoint.arrays.items()
        if (".join." in path or ".absent." in path)
        and path in shapes
        and array.shape == shapes[path].shape
    }
    return head | joins
