"""Layers shared by several models."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from hairjax.models.layers.linear import Linear

# Initialiser of matrices and tables in the Swin and ViT papers.
truncated_normal = jax.nn.initializers.truncated_normal(stddev=0.02)


class ParameterKeys(nnx.Rngs):
    """Keys of ``nnx.Rngs(seed)`` for parameters, cheap to trace.

    NNX's own counter is traced too, at the cost of the layers.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.key = jax.random.key(seed)
        self.index = itertools.count()

    def params(self) -> jax.Array:
        """Next key."""
        return jax.random.fold_in(self.key, next(self.index))


def drop_path(x: jax.Array, rate: float | jax.Array, key: jax.Array | None) -> jax.Array:
    """Stochastic depth (Huang et al. 2016) on a residual branch [batch, ...].

    Zeroes whole samples with probability ``rate`` and divides the others by ``1 - rate``; without a
    key (evaluation) returns ``x``.
    """
    if key is None:
        return x
    shape = (x.shape[0], *[1] * (x.ndim - 1))
    keep = jax.random.bernoulli(key, 1 - rate, shape)
    return x * (keep / (1 - rate)).astype(x.dtype)


def split_key(key: jax.Array | None, count: int) -> Sequence[jax.Array | None]:
    """``count`` independent keys; Nones without a key (evaluation)."""
    return [None] * count if key is None else list(jax.random.split(key, count))


def gelu(x: jax.Array) -> jax.Array:
    """Exact GELU, x·Φ(x), by erf in float32 as in torch.

    `jax.nn.gelu` uses erfc, several times slower on a CPU.
    """
    wide = x.astype(jnp.float32)
    return (0.5 * wide * (1 + jax.lax.erf(wide * math.sqrt(0.5)))).astype(x.dtype)


def materialised(x: jax.Array) -> jax.Array:
    """``x`` behind an optimisation barrier on a CPU, so that it is computed once.

    XLA's CPU fusion recomputes a residual stream in every block. Needs
    `parallel.compilation.compiler_options`.
    """
    return jax.lax.optimization_barrier(x) if jax.default_backend() == "cpu" else x


class Mlp(nnx.Module):
    """Dense, exact GELU, dense."""

    def __init__(self, dim: int, hidden: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.expand = Linear(dim, hidden, dtype=dtype, kernel_init=truncated_normal, rngs=rngs)
        self.reduce = Linear(hidden, dim, dtype=dtype, kernel_init=truncated_normal, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        # Store the widest activation once, not once per step of the GELU.
        return jax.checkpoint(lambda h: self.reduce(gelu(h)))(self.expand(x))


def dropout(x: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """Dropout; identity without a key (evaluation)."""
    return nnx.Dropout(rate)(x, deterministic=key is None, rngs=key)


def layer_norm(
    dim: int, *, epsilon: float = 1e-5, dtype: jnp.dtype, rngs: nnx.Rngs
) -> nnx.LayerNorm:
    """LayerNorm with Swin's ε and two-pass variance (for float32 parity)."""
    return nnx.LayerNorm(dim, epsilon=epsilon, dtype=dtype, use_fast_variance=False, rngs=rngs)


class Stage(nnx.Module):
    """Sequence of blocks called with (x, key).

    Args:
        blocks: the blocks; the first may halve the map.
        remat: recompute activations of each block in the backward pass.
    """

    def __init__(self, blocks: Sequence[Any], *, remat: bool):
        self.remat = remat
        self.blocks = nnx.List(blocks)

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        return run_blocks(self.blocks, x, key, remat=self.remat)


def run_blocks(
    blocks: Sequence[Any], x: jax.Array, key: jax.Array | None, *, remat: bool
) -> jax.Array:
    """Apply blocks in sequence, rematerialised if ``remat``."""
    for block, block_key in zip(blocks, split_key(key, len(blocks)), strict=True):
        x = rematerialised(block, x, block_key) if remat else block(x, block_key)
    return x


def rematerialised(block: nnx.Module, x: jax.Array, key: jax.Array | None) -> jax.Array:
    """``block(x, key)`` under `jax.checkpoint`, with updated running statistics."""
    graphdef, *state = nnx.split(block, nnx.Param, nnx.BatchStat)

    @jax.checkpoint
    def run(state: list, x: jax.Array, key: jax.Array | None) -> tuple[jax.Array, nnx.State]:
        module = nnx.merge(graphdef, *state)
        return module(x, key), nnx.state(module, nnx.BatchStat)

    x, statistics = run(state, x, key)
    nnx.update(block, statistics)
    return x


def part_names(model: Any) -> list[str]:
    """Parts of a model in forward order: ``stem``, ``stages.0`` …, ``head``."""
    return ["stem", *(f"stages.{i}" for i in range(len(model.stages))), "head"]


def part_keys(
    model: Any, train: bool, rngs: nnx.Rngs | None, frozen: Sequence[str]
) -> dict[str, jax.Array | None]:
    """Random key per part of a model; None for parts in evaluation mode.

    Raises:
        ValueError: an unknown part in ``frozen``, or ``train`` without ``rngs``.
    """
    names = part_names(model)
    if unknown := sorted(set(frozen) - set(names)):
        raise ValueError(f"frozen names {unknown}, which the model lacks; it has {names}")
    if not train:
        return dict.fromkeys(names)
    if rngs is None:
        raise ValueError("train=True needs rngs=nnx.Rngs(dropout=key) for dropout and drop-path")
    keys = jax.random.split(rngs.dropout(), len(names))
    return {n: None if n in frozen else k for n, k in zip(names, keys, strict=True)}
