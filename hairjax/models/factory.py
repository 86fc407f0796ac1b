"""Make a model of the table, with or without pretrained weights."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from hairjax.models.backbone import Backbone
from hairjax.models.heads.ordinal import HEADS, Ordinal
from hairjax.models.layers.common import ParameterKeys
from hairjax.models.options import ModelOptions
from hairjax.models.table import SWIN, VARIANTS
from hairjax.system.errors import UserError
from hairjax.weights.choice import AUTO
from hairjax.weights.fit import fit_weights, own_head
from hairjax.weights.load import Checkpoint, check_source, find_weights, read_checkpoint
from hairjax.weights.paths import dotted, nested

IMAGENET_1K = 1000


def list_models() -> list[str]:
    """The names ``create_model`` knows."""
    return list(VARIANTS)


def native_size(name: str) -> int:
    """Side of the photographs a variant was designed for, in pixels.

    Raises:
        UserError: no such model.
    """
    if name not in VARIANTS:
        raise UserError(f"there is no model {name!r}; the models are {', '.join(VARIANTS)}")
    return VARIANTS[name].side


def stage_count(name: str) -> int:
    """Number of stages of a variant."""
    return VARIANTS[name].family.build.stage_count(VARIANTS[name].options)


def create_model(
    name: str,
    *,
    in_channels: int = 3,
    num_classes: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    weights: str | None = None,
    stem: str = "copy",
    which: str = AUTO,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    hidden: Sequence[int] = (),
    head: str = "softmax",
    mask_shifted: bool = True,
    dtype: jnp.dtype = jnp.float32,
    remat: bool = False,
    seed: int = 0,
) -> Backbone:
    """A model by timm's name, ``model(images) -> logits``.

    Args:
        name: one of ``list_models()``.
        in_channels: channels of the photographs: 3 for RGB, 6 for RGB and mask, 1 for the mask.
        num_classes: width of the logits; None keeps the checkpoint's (1,000 without weights).
        image_size: a side or (height, width) in pixels; None means the variant's own.
        weights: a file of safetensors, of NumPy's or of torch.save, whatever it is called, with
            names that are known for the model (docs/models.md), among them timm's and hairjax's; a
            folder that holds one; an index of parts; the folder of a run; or ``hf://owner/name``.
            None initialises every parameter.
        stem: how a pretrained RGB stem takes more channels, see ``weights.stem.RULES``.
        which: of a file that holds several models' parameters ``raw``, ``ema`` or a name in the
            place of those to take; ``auto``: the raw ones if there are any.
        dropout: rate in the head.
        drop_path: stochastic-depth rate of the last block.
        hidden: sizes of hidden layers in the head.
        head: ``softmax``, or for ordered classes ``cumulative`` or ``corn``, whose logits are the
            logarithms of the classes' probabilities.
        mask_shifted: False computes as the original hair-loss classifier does, a Swin whose
            shifted windows let opposite borders of the photograph see each other.
        dtype: dtype of the computation; parameters are always float32.
        remat: trade computation for memory in the backward pass.
        seed: seed of the parameters that are initialised.

    Raises:
        UserError: an unknown name, an image size that the model cannot take, or without
            ``num_classes`` a checkpoint whose head is another or is missing.
        WeightsError: the weights cannot be found, read or fitted (a UserError too).
    """
    size = input_size(name, image_size)
    checkpoint = None if weights is None else read_weights(name, find_weights(weights), which)
    if num_classes is None:
        num_classes = IMAGENET_1K if checkpoint is None else _own_classes(checkpoint, hidden, head)
    options = ModelOptions(
        image_size=size,
        in_channels=in_channels,
        num_classes=num_classes,
        dropout=dropout,
        drop_path=drop_path,
        hidden=tuple(hidden),
        head=head,
        mask_shifted=mask_shifted,
        dtype=dtype,
        remat=remat,
    )
    model, _ = load_model(name, options, checkpoint, stem=stem, seed=seed)
    return model


def input_size(name: str, image_size: int | tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of photographs: a side, or both, as given; None for the variant's own.

    Raises:
        UserError: no such model.
    """
    native = native_size(name)
    side = native if image_size is None else image_size
    return (side, side) if isinstance(side, int) else side


def load_model(
    name: str, options: ModelOptions, checkpoint: Checkpoint | None, *, stem: str, seed: int
) -> tuple[Backbone, list[str]]:
    """A model, with a sentence for everything not taken as the checkpoint has it.

    Args:
        name: one of ``list_models()``.
        options: options of every model.
        checkpoint: as ``read_weights`` returns it; None initialises every parameter.
        stem: how a pretrained RGB stem takes more channels, see ``weights.stem.RULES``.
        seed: seed of the parameters that are initialised.

    Raises:
        UserError: as ``model_builder``, or an image size that the model cannot take.
        WeightsError: the weights do not fit (a UserError too).
    """
    model, shapes, initialise = outline(model_builder(name, options), seed)
    if checkpoint is None:
        parameters, notes = initialise(list(shapes)), list[str]()
    else:
        parameters, notes = fit_weights(
            checkpoint, shapes, initialise, windows=model.windows(), grids=model.grids(), stem=stem
        )
        if checkpoint.mask_shifted != options.mask_shifted:
            notes.append(
                f"shifted windows: these weights were trained with model.mask_shifted="
                f"{checkpoint.mask_shifted}, the model has {options.mask_shifted}"
            )
    return filled(model, parameters), notes


Initialise = Callable[[list[str]], dict[str, np.ndarray]]


def outline(
    build: Callable[..., Backbone], seed: int
) -> tuple[Backbone, dict[str, jax.ShapeDtypeStruct], Initialise]:
    """A model of shapes, these by dotted path, and what initialises parameters by their paths."""
    model = nnx.eval_shape(lambda: build(rngs=ParameterKeys(seed)))

    def initialise(paths: list[str]) -> dict[str, np.ndarray]:
        # Compiled as one program, of which XLA keeps what the wanted parameters need.
        def init() -> dict[str, jax.Array]:
            initialised = dotted(nnx.to_pure_dict(nnx.state(build(rngs=ParameterKeys(seed)))))
            return {path: initialised[path] for path in paths}

        return jax.device_get(jax.jit(init)()) if paths else {}

    return model, dotted(nnx.to_pure_dict(nnx.state(model))), initialise


def filled(model: Backbone, parameters: dict[str, np.ndarray]) -> Backbone:
    """A model of shapes with numbers for all of them, by dotted path."""
    return nnx.merge(nnx.graphdef(model), nested(jax.device_put(parameters)))


def model_builder(name: str, options: ModelOptions) -> Callable[..., Backbone]:
    """A function ``(rngs=…) -> model``; under ``nnx.eval_shape`` it allocates nothing.

    Raises:
        UserError: an unknown name or head, or ``mask_shifted`` is off where no windows are shifted.
    """
    native_size(name)  # an unknown name is refused
    if options.head not in HEADS:
        raise UserError(f"there is no head {options.head!r}; the heads are {', '.join(HEADS)}")
    variant = VARIANTS[name]
    if not options.mask_shifted and variant.family is not SWIN:
        raise UserError(
            f"model.mask_shifted=False is for a Swin, whose windows are shifted; {name} has none"
        )
    family: Callable[..., Backbone] = variant.family.build
    return with_head(functools.partial(family, options, **variant.options), options)


def with_head(build: Callable[..., Backbone], options: ModelOptions) -> Callable[..., Backbone]:
    """``build``, of a model whose last layer is that of the options."""
    if options.head == "softmax":
        return build
    return functools.partial(_ordinal, build, options.head, options.num_classes)


def _ordinal(
    build: Callable[..., Backbone], head: str, num_classes: int, *, rngs: nnx.Rngs
) -> Backbone:
    """A model whose last layer is one for ordered classes."""
    model = build(rngs=rngs)
    last: Any = model.head
    last.classifier = Ordinal(head, last.classifier.in_features, num_classes, rngs=rngs)
    return model


def read_weights(name: str, path: Path, which: str = AUTO) -> Checkpoint:
    """The weights of a file or a run, under our names, for the model of this name.

    Args:
        name: name of the model.
        path: as `find_weights` returns it.
        which: which parameters of a file with several models', see `weights.choice`.

    Raises:
        WeightsError: they cannot be read, or their names are none of the model's.
    """
    family = VARIANTS[name].family
    return read_checkpoint(path, family.title, family.namings, which)


def check_weights(name: str, path: Path, which: str) -> None:
    """Refuse what ``read_weights`` refuses by names alone, before anything large is read.

    Raises:
        WeightsError: as ``read_weights``.
    """
    family = VARIANTS[name].family
    check_source(path, family.title, family.namings, which)


def _own_classes(checkpoint: Checkpoint, hidden: Sequence[int], head: str) -> int:
    classes, own_hidden, own_kind = own_head(checkpoint.arrays)
    if classes is None:
        raise UserError("the checkpoint has no classifier: give num_classes")
    if own_kind != head:
        raise UserError(
            f"the checkpoint's head is {own_kind}, not {head}: give head={own_kind!r} to keep it, "
            "or num_classes to draw another"
        )
    if own_hidden != tuple(hidden):
        raise UserError(
            f"the checkpoint's head has the hidden layers {own_hidden}, not {tuple(hidden)}: give "
            f"hidden={own_hidden} to keep it, or num_classes to draw another"
        )
    return classes
