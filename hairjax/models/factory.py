"""Create models of the table, with or without pretrained weights."""

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
from hairjax.weights.fit import fit_weights, head_layout
from hairjax.weights.load import Checkpoint, check_source, find_weights, read_checkpoint
from hairjax.weights.paths import dotted, nested

IMAGENET_1K = 1000


def list_models() -> list[str]:
    """Model names for ``create_model``."""
    return list(VARIANTS)


def native_size(name: str) -> int:
    """Native image size of a model in pixels.

    Raises:
        UserError: unknown model.
    """
    if name not in VARIANTS:
        raise UserError(f"there is no model {name!r}; the models are {', '.join(VARIANTS)}")
    return VARIANTS[name].side


def stage_count(name: str) -> int:
    """Number of stages of a model."""
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
    """Model by timm's name: float32 images [b, h, w, c], normalised → float32 logits [b, classes].

    Args:
        name: one of ``list_models()``.
        in_channels: 3 for RGB, 6 for RGB and mask, 1 for the mask.
        num_classes: width of the logits; None keeps the checkpoint's (1,000 without weights).
        image_size: side or (height, width) in pixels; None for the native size.
        weights: file (safetensors, .npz, torch.save) with known names (docs/models.md), its folder,
            an index of shards, a run directory, or ``hf://owner/name``; None initialises all
            parameters.
        stem: rule for extra channels of a pretrained RGB stem, see ``weights.stem.RULES``.
        which: parameters to take from a file of several models: ``raw``, ``ema``, a component of
            their prefix, or ``auto`` (raw if there are any).
        dropout: dropout rate in the head.
        drop_path: stochastic-depth rate of the last block.
        hidden: sizes of hidden layers in the head.
        head: ``softmax``, or for ordered classes ``cumulative`` or ``corn`` (logits are
            log-probabilities).
        mask_shifted: False for Swin as in the original hair-loss classifier, without the attention
            mask of shifted windows.
        dtype: dtype of the computation; parameters are float32.
        remat: recompute activations in the backward pass to save memory.
        seed: seed of the initialisation.

    Raises:
        UserError: unknown name, unsupported image size, or without ``num_classes`` a checkpoint
            with a missing or different head.
        WeightsError: weights not found, unreadable or not fitting (a UserError too).
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
    """(Height, width) of the input: as given, or None for the native size.

    Raises:
        UserError: unknown model.
    """
    native = native_size(name)
    side = native if image_size is None else image_size
    return (side, side) if isinstance(side, int) else side


def load_model(
    name: str, options: ModelOptions, checkpoint: Checkpoint | None, *, stem: str, seed: int
) -> tuple[Backbone, list[str]]:
    """Model with weights, and a note on each array not taken as it is.

    Args:
        name: one of ``list_models()``.
        options: common model options.
        checkpoint: from ``read_weights``; None initialises all parameters.
        stem: one of ``weights.stem.RULES``.
        seed: seed of the initialisation.

    Raises:
        UserError: as ``model_builder``, or an unsupported image size.
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
    return with_parameters(model, parameters), notes


Initialise = Callable[[list[str]], dict[str, np.ndarray]]


def outline(
    build: Callable[..., Backbone], seed: int
) -> tuple[Backbone, dict[str, jax.ShapeDtypeStruct], Initialise]:
    """Abstract model, its shapes by dotted path, and a function paths → initialised parameters."""
    model = nnx.eval_shape(lambda: build(rngs=ParameterKeys(seed)))

    def initialise(paths: list[str]) -> dict[str, np.ndarray]:
        # One program; XLA removes the computation of unrequested parameters.
        def init() -> dict[str, jax.Array]:
            initialised = dotted(nnx.to_pure_dict(nnx.state(build(rngs=ParameterKeys(seed)))))
            return {path: initialised[path] for path in paths}

        return jax.device_get(jax.jit(init)()) if paths else {}

    return model, dotted(nnx.to_pure_dict(nnx.state(model))), initialise


def with_parameters(model: Backbone, parameters: dict[str, np.ndarray]) -> Backbone:
    """Model from an abstract model and its parameters by dotted path."""
    return nnx.merge(nnx.graphdef(model), nested(jax.device_put(parameters)))


def model_builder(name: str, options: ModelOptions) -> Callable[..., Backbone]:
    """Function ``(rngs=…) -> model``; allocates nothing under ``nnx.eval_shape``.

    Raises:
        UserError: unknown name or head, or ``mask_shifted`` off for a model other than Swin.
    """
    native_size(name)  # raises for an unknown name
    if options.head not in HEADS:
        raise UserError(f"there is no head {options.head!r}; the heads are {', '.join(HEADS)}")
    variant = VARIANTS[name]
    if not options.mask_shifted and variant.family is not SWIN:
        raise UserError(
            f"model.mask_shifted=False is for the shifted windows of a Swin; {name} has none"
        )
    family: Callable[..., Backbone] = variant.family.build
    return with_head(functools.partial(family, options, **variant.options), options)


def with_head(build: Callable[..., Backbone], options: ModelOptions) -> Callable[..., Backbone]:
    """Builder of a model with the last layer of the options."""
    if options.head == "softmax":
        return build
    return functools.partial(_ordinal, build, options.head, options.num_classes)


def _ordinal(
    build: Callable[..., Backbone], head: str, num_classes: int, *, rngs: nnx.Rngs
) -> Backbone:
    model = build(rngs=rngs)
    last: Any = model.head
    last.classifier = Ordinal(head, last.classifier.in_features, num_classes, rngs=rngs)
    return model


def read_weights(name: str, path: Path, which: str = AUTO) -> Checkpoint:
    """Weights of a file or run (from `find_weights`) under hairjax's names.

    ``which`` selects the parameters in a file of several models, see `weights.choice`.

    Raises:
        WeightsError: unreadable, or with names of another model.
    """
    family = VARIANTS[name].family
    return read_checkpoint(path, family.title, family.namings, which)


def check_weights(name: str, path: Path, which: str) -> None:
    """Check names as ``read_weights`` does, without reading arrays.

    Raises:
        WeightsError: as ``read_weights``.
    """
    family = VARIANTS[name].family
    check_source(path, family.title, family.namings, which)


def _own_classes(checkpoint: Checkpoint, hidden: Sequence[int], head: str) -> int:
    classes, own_hidden, own_kind = head_layout(checkpoint.arrays)
    if classes is None:
        raise UserError("the checkpoint has no classifier: give num_classes")
    if own_kind != head:
        raise UserError(
            f"the checkpoint's head is {own_kind}, not {head}: give head={own_kind!r} to keep it, "
            "or num_classes to initialise another"
        )
    if own_hidden != tuple(hidden):
        raise UserError(
            f"the checkpoint's head has the hidden layers {own_hidden}, not {tuple(hidden)}: give "
            f"hidden={own_hidden} to keep it, or num_classes to initialise another"
        )
    return classes
