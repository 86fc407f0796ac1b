"""The table of models, and how one is made with or without pretrained weights."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx, traverse_util

from hairjax.errors import UserError
from hairjax.models.layers import part_names
from hairjax.models.swin import Swin
from hairjax.weights.load import find_weights, fit_weights, read_arrays

_TINY = {"dim": 96, "depths": (2, 2, 6, 2), "heads": (3, 6, 12, 24)}
_SMALL = {"dim": 96, "depths": (2, 2, 18, 2), "heads": (3, 6, 12, 24)}
_BASE = {"dim": 128, "depths": (2, 2, 18, 2), "heads": (4, 8, 16, 32)}
_LARGE = {"dim": 192, "depths": (2, 2, 18, 2), "heads": (6, 12, 24, 48)}

# name → (the side of its photographs, what Swin is built with); names and numbers are timm's.
VARIANTS = {
    "swin_tiny_patch4_window7_224": (224, _TINY | {"window": 7}),
    "swin_small_patch4_window7_224": (224, _SMALL | {"window": 7}),
    "swin_base_patch4_window7_224": (224, _BASE | {"window": 7}),
    "swin_large_patch4_window7_224": (224, _LARGE | {"window": 7}),
    "swin_base_patch4_window12_384": (384, _BASE | {"window": 12}),
    "swin_large_patch4_window12_384": (384, _LARGE | {"window": 12}),
    # Ours, for the demo and for machines without a GPU; nobody published weights for it.
    "swin_mini_patch4_window4_64": (
        64,
        {"dim": 32, "depths": (2, 2, 2), "heads": (2, 4, 8), "window": 4},
    ),
}
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
    return VARIANTS[name][0]


def create_model(
    name: str,
    *,
    in_channels: int = 3,
    num_classes: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    weights: str | None = None,
    stem: str = "copy",
    dropout: float = 0.0,
    drop_path: float = 0.0,
    hidden: Sequence[int] = (),
    dtype: jnp.dtype = jnp.float32,
    remat: bool = False,
    seed: int = 0,
) -> nnx.Module:
    """A model by timm's name, ``model(images) -> logits``.

    Args:
        name: one of ``list_models()``.
        in_channels: channels of the photographs: 3 for RGB, 6 for RGB and mask.
        num_classes: width of the logits; None keeps the checkpoint's (1,000 without weights).
        image_size: a side or (height, width) in pixels; None means the variant's own.
        weights: a ``.safetensors`` or ``.npz`` file with timm's names, a folder that holds one,
            or ``hf://owner/name``; None draws every parameter.
        stem: how a pretrained RGB stem takes more channels, see ``weights.stem.RULES``.
        dropout: rate in the head.
        drop_path: stochastic-depth rate of the last block.
        hidden: sizes of hidden layers in the head.
        dtype: of the computation; parameters are always float32.
        remat: trade computation for memory in the backward pass.
        seed: for the parameters that are drawn.

    Raises:
        UserError: an unknown name, or an image size that the model cannot take.
        WeightsError: the weights cannot be found, read or fitted (a UserError too).
    """
    model, _ = load_model(
        name,
        in_channels=in_channels,
        num_classes=num_classes,
        image_size=image_size,
        weights=weights,
        stem=stem,
        dropout=dropout,
        drop_path=drop_path,
        hidden=hidden,
        dtype=dtype,
        remat=remat,
        seed=seed,
    )
    return model


def load_model(
    name: str,
    *,
    in_channels: int,
    num_classes: int | None,
    image_size: int | tuple[int, int] | None,
    weights: str | None,
    stem: str,
    dropout: float,
    drop_path: float,
    hidden: Sequence[int],
    dtype: jnp.dtype,
    remat: bool,
    seed: int,
) -> tuple[nnx.Module, list[str]]:
    """Like ``create_model``, with a sentence for everything not taken as the checkpoint has it."""
    native_size(name)  # an unknown name is refused before anything is read
    arrays = None if weights is None else read_arrays(find_weights(weights))
    if num_classes is None:
        num_classes = IMAGENET_1K if arrays is None else _own_classes(arrays)
    build = model_builder(
        name,
        in_channels=in_channels,
        num_classes=num_classes,
        image_size=image_size,
        dropout=dropout,
        drop_path=drop_path,
        hidden=hidden,
        dtype=dtype,
        remat=remat,
    )
    model = nnx.eval_shape(lambda: build(rngs=nnx.Rngs(seed)))
    graphdef, state = nnx.split(model)
    shapes = dotted(nnx.to_pure_dict(state))

    def draw(paths: list[str]) -> dict[str, jax.Array]:
        # Compiled as one program, of which XLA keeps what the wanted parameters need.
        def init() -> dict[str, jax.Array]:
            drawn = dotted(nnx.to_pure_dict(nnx.state(build(rngs=nnx.Rngs(seed)))))
            return {path: drawn[path] for path in paths}

        return jax.jit(init)() if paths else {}

    if arrays is None:
        parameters, notes = draw(list(shapes)), []
    else:
        windows = {
            f"stages.{i}.blocks.{j}.attention.bias_table": block.window
            for i, stage in enumerate(model.stages)
            for j, block in enumerate(stage.blocks)
        }
        parameters, notes = fit_weights(arrays, shapes, draw, windows=windows, stem=stem)
    parameters = {path: jnp.asarray(array) for path, array in parameters.items()}
    return nnx.merge(graphdef, nested(parameters)), notes


def model_builder(
    name: str,
    *,
    in_channels: int,
    num_classes: int,
    image_size: int | tuple[int, int] | None,
    dropout: float,
    drop_path: float,
    hidden: Sequence[int],
    dtype: jnp.dtype,
    remat: bool,
) -> Callable[..., nnx.Module]:
    """A function ``(rngs=…) -> model``; under ``nnx.eval_shape`` it allocates nothing.

    Raises:
        UserError: an unknown name.
    """
    native = native_size(name)
    side = native if image_size is None else image_size
    return functools.partial(
        Swin,
        **VARIANTS[name][1],
        image_size=(side, side) if isinstance(side, int) else tuple(side),
        in_channels=in_channels,
        num_classes=num_classes,
        dropout=dropout,
        drop_path=drop_path,
        hidden=tuple(hidden),
        dtype=dtype,
        remat=remat,
    )


def _own_classes(arrays: dict) -> int:
    if "head.fc.bias" not in arrays:
        raise UserError("the checkpoint has no classifier (head.fc.bias): give num_classes")
    return len(arrays["head.fc.bias"])


def dotted(tree: dict) -> dict:
    """{"stages": {0: {"a": x}}} → {"stages.0.a": x}."""
    return {
        ".".join(map(str, path)): leaf for path, leaf in traverse_util.flatten_dict(tree).items()
    }


def nested(flat: dict) -> dict:
    """The inverse of ``dotted``; whole numbers in a path become list positions."""
    paths = {
        tuple(int(part) if part.isdigit() else part for part in path.split(".")): leaf
        for path, leaf in flat.items()
    }
    return traverse_util.unflatten_dict(paths)


__all__ = [
    "VARIANTS",
    "create_model",
    "list_models",
    "load_model",
    "model_builder",
    "native_size",
    "part_names",
]
