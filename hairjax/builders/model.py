"""Model of a configuration (one, or two streams) with its weights."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flax import nnx
from ml_collections import ConfigDict

from hairjax.builders.inputs import image_side
from hairjax.builders.two_stream_weights import fit_streams
from hairjax.config.streams import Stream, configured_streams
from hairjax.models.backbone import Backbone
from hairjax.models.factory import (
    check_weights,
    load_model,
    model_builder,
    outline,
    read_weights,
    with_head,
    with_parameters,
)
from hairjax.models.layers.common import ParameterKeys
from hairjax.models.options import ModelOptions
from hairjax.models.table import VARIANTS
from hairjax.models.two_stream import STREAMS, TwoStream
from hairjax.parallel.compilation import compute_dtype
from hairjax.system import console
from hairjax.weights.load import Checkpoint, find_weights


@dataclass(frozen=True)
class ModelSpecification:
    """Model and weights, independent of the classes."""

    streams: tuple[Stream, ...]  # one model, or two
    image_size: tuple[int, int]  # height and width
    in_channels: int  # channels of the input, before it is divided between streams
    dropout: float  # dropout rate in the head
    drop_path: float  # stochastic-depth rate of the last block
    hidden: tuple[int, ...]  # sizes of hidden layers in the head
    head: str  # kind of the last layer
    mask_shifted: bool  # see `ModelOptions`
    dtype: str  # ``auto``, ``float32`` or ``bfloat16``
    remat: bool  # recompute activations in the backward pass
    fuse_after: int  # stages before the fusion of two streams; 0: fusion in the head
    second_view: bool  # True if the second stream sees another, possibly missing, view
    stem: str  # rule for the extra channels of a pretrained RGB stem
    which: str  # parameters to take from a file of several models, see `weights.choice`
    seed: int  # seed of the initialisation

    @property
    def names(self) -> tuple[str, ...]:
        """Model names."""
        return tuple(stream.name for stream in self.streams)

    @property
    def title(self) -> str:
        """Model names joined by " + "."""
        return " + ".join(self.names)

    @property
    def batch_norm(self) -> bool:
        """True if any model has batch norms, so that training depends on the micro-batches."""
        return any(VARIANTS[name].family.batch_norm for name in self.names)

    @property
    def map_method(self) -> str:
        """Explanation method, see `evaluation.explain.maps`; Grad-CAM for two streams."""
        return VARIANTS[self.names[0]].family.maps if len(self.names) == 1 else "grad_cam"

    def options(self, num_classes: int) -> ModelOptions:
        """Model options for so many classes; each stream replaces the channels."""
        return ModelOptions(
            image_size=self.image_size,
            in_channels=self.in_channels,
            num_classes=num_classes,
            dropout=self.dropout,
            drop_path=self.drop_path,
            hidden=self.hidden,
            head=self.head,
            mask_shifted=self.mask_shifted,
            dtype=compute_dtype(self.dtype),
            remat=self.remat,
        )


def model_specification(config: ConfigDict) -> ModelSpecification:
    """Model specification of a configuration."""
    model, side = config.model, image_side(config)
    return ModelSpecification(
        streams=configured_streams(config),
        image_size=(side, side),
        in_channels=model.in_channels,
        dropout=model.dropout,
        drop_path=model.drop_path,
        hidden=tuple(model.hidden),
        head=model.head,
        mask_shifted=model.mask_shifted,
        dtype=model.dtype,
        remat=model.remat,
        fuse_after=model.fuse_after,
        second_view=model.second_sees == "view",
        stem=config.weights.stem,
        which=config.weights.which,
        seed=config.seed,
    )


def abstract_model(model: ModelSpecification, num_classes: int) -> tuple[nnx.GraphDef, dict]:
    """Graph and parameter shapes of a model, without allocating."""
    build = _builder(model, num_classes)
    graphdef, state = nnx.split(nnx.eval_shape(lambda: build(rngs=ParameterKeys(0))))
    return graphdef, nnx.to_pure_dict(state)


def find_model_weights(model: ModelSpecification) -> tuple[Path | None, ...]:
    """File or run of the weights per stream; None where parameters are initialised.

    Each source is resolved once (the hub only here); its parameter names are checked.

    Raises:
        WeightsError: no such file, unreachable hub, or unsuitable parameters.
    """
    sources = {stream.source for stream in model.streams} - {"none"}
    found = {source: find_weights(source) for source in sorted(sources)}
    paths = tuple(found.get(stream.source) for stream in model.streams)
    for name, path in zip(model.names, paths, strict=True):
        if path is not None:
            check_weights(name, path, model.which)
    return paths


def pretrained_model(
    model: ModelSpecification, num_classes: int, weights: Sequence[Path | None]
) -> tuple[nnx.GraphDef, dict]:
    """Build a model with weights (from `find_model_weights`): (graph, parameters).

    Prints the origin of the weights.

    Raises:
        UserError: an invalid model.
        WeightsError: unreadable weights, or weights that do not fit.
    """
    checkpoints = [
        None if path is None else read_weights(name, path, model.which)
        for name, path in zip(model.names, weights, strict=True)
    ]
    if len(checkpoints) == 1:
        options = model.options(num_classes)
        built, notes = load_model(
            model.names[0], options, checkpoints[0], stem=model.stem, seed=model.seed
        )
    else:
        built, notes = _two_streams(model, num_classes, checkpoints)
    for name, stream in zip(STREAMS, model.streams, strict=False):
        owner = f" of the {name}, {stream.name}" if len(checkpoints) > 1 else ""
        source = "initialised, not pretrained" if stream.source == "none" else stream.source
        console.say(f"weights{owner}: {source}")
    for note in notes:
        console.say(f"  {note}")
    graphdef, state = nnx.split(built)
    return graphdef, nnx.to_pure_dict(state)


def _builder(model: ModelSpecification, num_classes: int) -> Callable[..., Backbone]:
    """Function ``(rngs=…) -> model``; allocates nothing under ``nnx.eval_shape``."""
    options = model.options(num_classes)
    if len(model.streams) == 1:
        return model_builder(model.names[0], options)
    first, second = (_stream_builder(stream, options) for stream in model.streams)
    build = functools.partial(
        TwoStream,
        options,
        first=first,
        second=second,
        fuse_after=model.fuse_after,
        optional_views=model.second_view,
    )
    return with_head(build, options)


def _stream_builder(stream: Stream, options: ModelOptions) -> Callable[..., Backbone]:
    """One stream as a model of its own, with an unused classifier."""
    own = replace(options, in_channels=stream.channels, num_classes=1, hidden=(), head="softmax")
    return model_builder(stream.name, own)


def _two_streams(
    model: ModelSpecification, num_classes: int, checkpoints: Sequence[Checkpoint | None]
) -> tuple[Backbone, list[str]]:
    """Two-stream model and notes on weights not taken as they are."""
    options, seed = model.options(num_classes), model.seed
    whole, shapes, initialise = outline(_builder(model, num_classes), seed)
    apart = [outline(_stream_builder(stream, options), seed)[0] for stream in model.streams]
    parameters, notes = fit_streams(
        checkpoints,
        apart,
        shapes,
        initialise,
        whole=model.streams[0].source == model.streams[1].source,
        stem=model.stem,
    )
    return with_parameters(whole, parameters), notes
