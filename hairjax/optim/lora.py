"""Low-rank pairs beside the matrices of attention and MLP, which are frozen (LoRA).

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, with α = r as in peft's
defaults: W + A B, where B is 0 at first. In the tree of parameters a pair stands beside its kernel.
The model itself has no pairs: it is given ``merged`` parameters, and so is all that reads a run.
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
# Queries, keys and values are one matrix, and share a pair.
MATRICES = (("attention", "qkv"), ("attention", "proj"), ("mlp", "expand"), ("mlp", "reduce"))
# Of the pairs' randomness; the numbers below are those of the model's parameters and of the steps.
# `split(key, n)[i]` is `fold_in(key, i)`: with the seed's own key a pair would be drawn as a
# parameter is.
STREAM = 2**31
# As Microsoft's loralib and peft draw A: uniform within ± 1 / √in.
_initialise_down = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def require_matrices(rank: int, names: Sequence[str], params: dict) -> None:
    """Refuse ``optim.lora`` for a model, or one of two, without any such matrix.

    Nothing of it would train, and its batch norms would still go by each batch.

    Args:
        rank: ``optim.lora``.
        names: names of the model, or of both.
        params: parameters of the model, or their shapes.

    Raises:
        UserError: it has none.
    """
    if not rank:
        return
    # Of two, a path says which: stages.0.second.….
    own = STREAMS if len(names) > 1 else ("blocks",)
    for key, name, within in zip(("name", "second"), names, own, strict=False):
        if not any(path[2] == within for path in _kernels(params)):
            raise UserError(
                f"config.optim.lora={rank} adapts matrices of attention and MLP, and "
                f"config.model.{key}={name} has none; use 0"
            )


def with_pairs(params: dict, groups: Mapping[str, ParameterGroup], rank: int, seed: int) -> dict:
    """The parameters, with a pair beside every matrix of a stage that trains where asked for.

    Args:
        params: parameters of the model, or their shapes: then those of the pairs are shapes too.
        groups: groups of its parts.
        rank: rank of the pairs; 0: none.
        seed: draws the pairs.
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
    """The parameters of the model: every matrix plus the product of its pair; as given if none."""
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
    """True if some of the parameters are pairs."""
    return any(map(is_pair, paths))


def is_pair(path: tuple) -> bool:
    """True if a parameter is one of a pair."""
    return path[-1] in (DOWN, UP)


def trains_beside_pairs(path: tuple) -> bool:
    """True if a parameter trains, with its part, where there are pairs: they and the head do."""
    return is_pair(path) or path[0] == "head"


def _kernels(params: dict) -> dict[tuple, Any]:
    """The matrices of attention and MLP in the stages, by path."""
    flat = traverse_util.flatten_dict(params)
    return {p: leaf for p, leaf in flat.items() if p[-1] == "kernel" and p[-3:-1] in MATRICES}


def _part(path: tuple) -> str:
    return f"stages.{path[1]}"
