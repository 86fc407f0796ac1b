"""LoRA: low-rank pairs beside the frozen matrices of attention and MLP.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, with α = r as peft's
default: W + A B, B initialised to 0. A pair is stored beside its kernel in the parameter tree. The
model itself and all readers of a run use ``merged`` parameters.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import traverse_util

from hairjax.models.two_stream import STREAMS
from hairjax.optim.groups import ParameterGroup
from hairjax.system.errors import UserError

DOWN, UP = "lora_a", "lora_b"  # [in, rank] and [rank, out]
# Queries, keys and values are one matrix with one pair.
MATRICES = (("attention", "qkv"), ("attention", "proj"), ("mlp", "expand"), ("mlp", "reduce"))
# RNG stream of the pairs; lower numbers belong to the model's parameters and the steps. As
# `split(key, n)[i]` is `fold_in(key, i)`, the seed's own key would repeat a parameter's numbers.
STREAM = 2**31
# A as in Microsoft's loralib and peft: uniform within ± 1 / √in.
_initialise_down = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def require_matrices(rank: int, names: Sequence[str], params: dict) -> None:
    """Raise if LoRA is on (``rank`` above 0) and a model has no attention or MLP matrix.

    ``names``: of the model, or of both; ``params`` may be shapes.

    Raises:
        UserError: names the model.
    """
    if not rank:
        return
    # With two streams the path names the stream: stages.0.second.….
    own = STREAMS if len(names) > 1 else ("blocks",)
    for key, name, within in zip(("name", "second"), names, own, strict=False):
        if not any(path[2] == within for path in _kernels(params)):
            raise UserError(
                f"config.optim.lora={rank} adapts matrices of attention and MLP, and "
                f"config.model.{key}={name} has none; use 0"
            )


def with_pairs(params: dict, groups: Mapping[str, ParameterGroup], rank: int, seed: int) -> dict:
    """Parameters with a LoRA pair of this rank beside every matrix of the trained stages.

    Rank 0 returns ``params``. For shapes the pairs are shapes too.
    """
    if not rank:
        return params
    parts = {part for group in groups.values() if group.first for part in group.parts}
    shapes = {
        path: kernel.shape for path, kernel in _kernels(params).items() if _part(path) in parts
    }

    def initialise() -> dict:
        stream = jax.random.fold_in(jax.random.key(seed), STREAM)
        keys = jax.random.split(stream, len(shapes))
        pairs = {}
        for key, (path, (rows, columns)) in zip(keys, shapes.items(), strict=True):
            pairs[*path[:-1], DOWN] = _initialise_down(key, (rows, rank))
            pairs[*path[:-1], UP] = jnp.zeros((rank, columns))
        return pairs

    abstract = any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(params))
    pairs = jax.eval_shape(initialise) if abstract else jax.jit(initialise)()
    return traverse_util.unflatten_dict(traverse_util.flatten_dict(params) | pairs)


def merged(params: dict) -> dict:
    """Parameters of the model: every matrix plus the product of its pair."""
    flat = traverse_util.flatten_dict(params)
    if not has_pairs(flat):
        return params
    whole = {path: leaf for path, leaf in flat.items() if not is_pair(path)}
    for path in [path for path in flat if path[-1] == DOWN]:
        layer = path[:-1]
        product = jnp.matmul(flat[path], flat[*layer, UP], precision="highest")
        whole[*layer, "kernel"] = whole[*layer, "kernel"] + product
    return traverse_util.unflatten_dict(whole)


def has_pairs(paths: Collection[tuple]) -> bool:
    """True if any parameter belongs to a LoRA pair."""
    return any(map(is_pair, paths))


def is_pair(path: tuple) -> bool:
    """True if a parameter belongs to a LoRA pair."""
    return path[-1] in (DOWN, UP)


def trains_beside_pairs(path: tuple) -> bool:
    """True if a parameter trains with LoRA: a pair or the head."""
    return is_pair(path) or path[0] == "head"


def _kernels(params: dict) -> dict[tuple, Any]:
    flat = traverse_util.flatten_dict(params)
    return {p: leaf for p, leaf in flat.items() if p[-1] == "kernel" and p[-3:-1] in MATRICES}


def _part(path: tuple) -> str:
    return f"stages.{path[1]}"
