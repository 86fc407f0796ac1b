"""The model that a configuration speaks of: one, or two side by side; and its weights."""

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
from hairjax.weights.load import Checkpoint, find_weights


@dataclass(frozen=True)
class ModelSpecification:
    """A model with its weights, whatever the classes.

    Attributes:
        streams: the one model, or both of two.
        image_size: height and width of the photographs.
        in_channels: channels of the photographs, before two streams share them.
        dropout: dropout rate in the head.
        drop_path: stochastic-depth rate of the last block.
        hidden: sizes of hidden layers in the head.
        head: kind of the last layer.
        mask_shifted: attention mask of shifted windows, see `ModelOptions`.
        dtype: ``auto``, ``float32`` or ``bfloat16``.
        remat: True to recompute activations in the backward pass.
        fuse_after: stages after which two streams are joined; 0: at the end.
        second_view: True if the second stream sees another view, which may be missing.
        stem: rule by which a pretrained RGB stem takes more channels.
        which: which parameters of a file with several models', see `weights.choice`.
        seed: seed of the parameters that are initialised.
    """

    streams: tuple[Stream, ...]
    image_size: tuple[int, int]
    in_channels: int
    dropout: float
    drop_path: float
    hidden: tuple[int, ...]
    head: str
    mask_shifted: bool
    dtype: str
    remat: bool
    fuse_after: int
    second_view: bool
    stem: str
    which: str
    seed: int

    @property
    def names(self) -> tuple[str, ...]:
        """The model's name, or both."""
        return tuple(stream.name for stream in self.streams)

    @property
    def title(self) -> str:
        """The model's name, or both, as one text."""
        return " + ".join(self.names)

    @property
    def batch_norm(self) -> bool:
        """True if the outputs of training depend on how a batch is cut."""
        return any(VARIANTS[name].family.batch_norm for name in self.names)

    @property
    def map_method(self) -> str:
        """Method of explanation maps, see `evaluation.explain.maps`; Grad-CAM for two streams."""
        return VARIANTS[self.names[0]].family.maps if len(self.names) == 1 else "grad_cam"

    def options(self, num_classes: int) -> ModelOptions:
        """Options to build the model; with two streams, each has its own channels instead."""
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
    """A model without numbers: its graph and its parameters' shapes."""
    build = _builder(model, num_classes)
    graphdef, state = nnx.split(nnx.eval_shape(lambda: build(rngs=ParameterKeys(0))))
    return graphdef, nnx.to_pure_dict(state)


def find_model_weights(model: ModelSpecification) -> tuple[Path | None, ...]:
    """The file or run behind the weights of every stream; None where parameters are initialised.

    A source is looked for once, and on the hub only here. The names in it are looked at.

    Raises:
        WeightsError: there is no such file, the hub cannot be reached, or the file does not hold
            the parameters that are to be taken.
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
    """Make a model with its weights, and print where they are from.

    Args:
        model: specification of the model.
        num_classes: width of the logits.
        weights: weights of every stream, as `find_model_weights` returns them.

    Raises:
        UserError: the model cannot be as configured.
        WeightsError: the weights cannot be read or fitted (a UserError too).
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
        whose = f" of the {name}, {stream.name}" if len(checkpoints) > 1 else ""
        source = "drawn, not pretrained" if stream.source == "none" else stream.source
        console.say(f"weights{whose}: {source}")
    for note in notes:
        console.say(f"  {note}")
    graphdef, state = nnx.split(built)
    return graphdef, nnx.to_pure_dict(state)


def _builder(model: ModelSpecification, num_classes: int) -> Callable[..., Backbone]:
    """A function ``(rngs=…) -> model``; under ``nnx.eval_shape`` it allocates nothing."""
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
        lacking=model.second_view,
    )
    return with_head(build, options)


def _stream_builder(stream: Stream, options: ModelOptions) -> Callable[..., Backbone]:
    """One stream by itself, with a classifier that will not be used."""
    own = replace(options, in_channels=stream.channels, num_classes=1, hidden=(), head="softmax")
    return model_builder(stream.name, own)


def _two_streams(
    model: ModelSpecification, num_classes: int, checkpoints: Sequence[Checkpoint | None]
) -> tuple[Backbone, list[str]]:
    """The model, with a sentence for everything not taken as the checkpoints have it."""
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
    return filled(whole, parameters), notes
