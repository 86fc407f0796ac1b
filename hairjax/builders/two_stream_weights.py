"""Fit the weights of two models, or of a run with two streams, to a model with two streams."""

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
from hairjax.weights.fit import fit_weights, in_words, replace_head
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
    """Fit to each stream its weights, by the rules for one model; initialise what joins them.

    Args:
        checkpoints: checkpoints of both streams; None to initialise one.
        models: what each stream is by itself, of shapes.
        shapes: shape of every parameter of the model, by dotted path.
        initialise: returns freshly initialised parameters for a list of paths.
        whole: both checkpoints are one source. Where that is a run with two streams, it also
            gives what joins them and, where it is for as many classes, the classifier.
        stem: rule for the stems' input channels, see ``expand_stem``.

    Returns:
        Every parameter by path, and a sentence for each thing that was not taken as it is.

    Raises:
        WeightsError: names are missing or unexpected, or shapes differ; all are listed.
    """
    found: dict[str, np.ndarray] = {}
    notes: list[str] = []
    if checkpoints[0] and whole and has_streams(checkpoints[0].arrays):
        found = _rest(checkpoints[0], shapes, notes)
    elif any(checkpoints):
        notes.append(f"head: drawn anew for {in_words(shapes)}")
    for stream, checkpoint, model in zip(STREAMS, checkpoints, models, strict=True):
        if checkpoint:
            fitted, said = _fit_stream(stream, checkpoint, model, shapes, initialise, stem)
            found |= fitted
            notes += [f"{stream}: {note}" for note in said]
    fresh = [path for path in shapes if path not in found]
    if any(".join." in path for path in fresh) and any(checkpoints):
        notes.append("where the streams join: at first the first's map as it is")
    return found | initialise(fresh), notes


def has_streams(paths: Mapping[str, np.ndarray]) -> bool:
    """True if these are the parameters of a model with two streams."""
    return any(re.match(rf"stem\.{STREAMS[0]}\.", path) for path in paths)


def of_stream(tree: Mapping[str, Leaf], stream: str, stages: int) -> dict[str, Leaf]:
    """Leaves of one stream, by their paths in a one-stream model of so many stages."""
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
    """The parameters of one stream, by path in the whole model, and what is said of them."""
    stages, arrays = len(model.stages), checkpoint.arrays
    wanted = of_stream(shapes, stream, stages)
    paths = of_stream({path: path for path in shapes}, stream, stages)
    if has_streams(arrays):
        arrays = of_stream(arrays, stream, stages)
    # Of a stream that ends in another's the last stages, and of both the classifier.
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


def _rest(
    checkpoint: Checkpoint, shapes: Mapping[str, jax.ShapeDtypeStruct], notes: list[str]
) -> dict[str, np.ndarray]:
    """Arrays that belong to no stream, where names and shapes are those of the run."""
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
