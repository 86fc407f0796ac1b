"""The model that a configuration speaks of: one, or two side by side; and its weights."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

from flax import nnx
from ml_collections import ConfigDict

from hairjax.builders.inputs import image_side
from hairjax.builders.two_stream_weights import fit_streams
from hairjax.config.streams import Stream, streams
from hairjax.models.backbone import Backbone
from hairjax.models.factory import (
    filled,
    load_model,
    model_builder,
    outline,
    read_weights,
    with_head,
)
from hairjax.models.layers.common import ParameterKeys
from hairjax.models.options import ModelOptions
from hairjax.models.table import VARIANTS
from hairjax.models.two_stream import STREAMS, TwoStream
from hairjax.parallel.compilation import compute_dtype
from hairjax.system import console
from hairjax.weights.load import Checkpoint


def abstract_model(config: ConfigDict, num_classes: int) -> tuple[nnx.GraphDef, dict]:
    """The model of a configuration without numbers: its graph and its parameters' shapes."""
    build = builder(config, num_classes)
    graphdef, state = nnx.split(nnx.eval_shape(lambda: build(rngs=ParameterKeys(0))))
    return graphdef, nnx.to_pure_dict(state)


def pretrained_model(config: ConfigDict, num_classes: int) -> tuple[nnx.GraphDef, dict]:
    """The model of a configuration with its weights, of which it says where they are from.

    Raises:
        UserError: the model cannot be as configured.
        WeightsError: the weights cannot be found, read or fitted (a UserError too).
    """
    found = streams(config)
    checkpoints = [
        None if stream.source == "none" else read_weights(stream.name, stream.source)
        for stream in found
    ]
    if len(found) == 1:
        model, notes = load_model(
            found[0].name,
            model_options(config, num_classes),
            checkpoints[0],
            stem=config.weights.stem,
            seed=config.seed,
        )
    else:
        model, notes = _two_streams(config, num_classes, checkpoints)
    for name, stream in zip(STREAMS, found, strict=False):
        whose = f" of the {name}, {stream.name}" if len(found) > 1 else ""
        source = "drawn, not pretrained" if stream.source == "none" else stream.source
        console.say(f"weights{whose}: {source}")
    for note in notes:
        console.say(f"  {note}")
    graphdef, state = nnx.split(model)
    return graphdef, nnx.to_pure_dict(state)


def map_method(config: ConfigDict) -> str:
    """How the model is explained, see `evaluation.explain.METHODS`; two streams by their maps."""
    found = streams(config)
    return VARIANTS[found[0].name].family.maps if len(found) == 1 else "grad_cam"


def model_options(config: ConfigDict, num_classes: int) -> ModelOptions:
    """What a configuration says about its model; of two, but for the channels that each sees."""
    model, side = config.model, image_side(config)
    return ModelOptions(
        image_size=(side, side),
        in_channels=model.in_channels,
        num_classes=num_classes,
        dropout=model.dropout,
        drop_path=model.drop_path,
        hidden=tuple(model.hidden),
        head=model.head,
        mask_shifted=model.mask_shifted,
        dtype=compute_dtype(model.dtype),
        remat=model.remat,
    )


def builder(config: ConfigDict, num_classes: int) -> Callable[..., Backbone]:
    """A function ``(rngs=…) -> model``; under ``nnx.eval_shape`` it allocates nothing."""
    options, found = model_options(config, num_classes), streams(config)
    if len(found) == 1:
        return model_builder(found[0].name, options)
    first, second = (_stream_builder(stream, options) for stream in found)
    build = functools.partial(
        TwoStream,
        options,
        first=first,
        second=second,
        fuse_after=config.model.fuse_after,
        lacking=config.model.second_sees == "view",
    )
    return with_head(build, options)


def _stream_builder(stream: Stream, options: ModelOptions) -> Callable[..., Backbone]:
    """One stream by itself, with a classifier that will not be used."""
    own = replace(options, in_channels=stream.channels, num_classes=1, hidden=(), head="softmax")
    return model_builder(stream.name, own)


def _two_streams(
    config: ConfigDict, num_classes: int, checkpoints: Sequence[Checkpoint | None]
) -> tuple[Backbone, list[str]]:
    """The model, with a sentence for everything not taken as the checkpoints have it."""
    found, options = streams(config), model_options(config, num_classes)
    model, shapes, draw = outline(builder(config, num_classes), config.seed)
    alone = [outline(_stream_builder(stream, options), config.seed)[0] for stream in found]
    parameters, notes = fit_streams(
        checkpoints,
        alone,
        shapes,
        draw,
        whole=found[0].source == found[1].source,
        stem=config.weights.stem,
    )
    return filled(model, parameters), notes
