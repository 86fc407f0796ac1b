"""Layers that more than one model uses."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from hairjax.models.layers.linear import Linear

# The initialiser of the Swin and ViT papers for every matrix and table.
truncated_normal = jax.nn.initializers.truncated_normal(stddev=0.02)


class ParameterKeys(nnx.Rngs):
    """The keys of ``nnx.Rngs(seed)`` for parameters, to build a whole model within one trace.

    What NNX counts them with is itself traced, and costs as much as the layers do.

    Args:
        seed: seed of every key.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.key = jax.random.key(seed)
        self.given = itertools.count()

    def params(self) -> jax.Array:
        """The next key."""
        return jax.random.fold_in(self.key, next(self.given))


def drop_path(x: jax.Array, rate: float | jax.Array, key: jax.Array | None) -> jax.Array:
    """Stochastic depth (Huang et al. 2016): zero a residual branch for whole samples.

    Args:
        x: the branch's output, [batch, ...].
        rate: probability of dropping a sample's branch; the others are divided by ``1 - rate``.
        key: random key, or None to return ``x`` as it is (evaluation).
    """
    if key is None:
        return x
    shape = (x.shape[0], *[1] * (x.ndim - 1))
    keep = jax.random.bernoulli(key, 1 - rate, shape)
    return x * (keep / (1 - rate)).astype(x.dtype)


def split_key(key: jax.Array | None, count: int) -> Sequence[jax.Array | None]:
    """``count`` independent keys, or as many None when there is no key (evaluation)."""
    return [None] * count if key is None else list(jax.random.split(key, count))


def gelu(x: jax.Array) -> jax.Array:
    """The exact GELU, x·Φ(x), through erf in float32, as torch has it.

    `jax.nn.gelu` goes through erfc, whose two branches cost a CPU several times as much.
    """
    wide = x.astype(jnp.float32)
    return (0.5 * wide * (1 + jax.lax.erf(wide * math.sqrt(0.5)))).astype(x.dtype)


def materialised(x: jax.Array) -> jax.Array:
    """``x`` as it is, which a CPU then computes once.

    XLA fuses what is cheap into each of its readers, and so computes a stream of residual
    connections, and its gradient, anew from the beginning at every block. Needs
    `parallel.compilation.compiler_options`. On a GPU fusions are chosen by their cost: nothing is
    set.
    """
    return jax.lax.optimization_barrier(x) if jax.default_backend() == "cpu" else x


class Mlp(nnx.Module):
    """Two dense layers with the exact GELU between them."""

    def __init__(self, dim: int, hidden: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.expand = Linear(dim, hidden, dtype=dtype, kernel_init=truncated_normal, rngs=rngs)
        self.reduce = Linear(hidden, dim, dtype=dtype, kernel_init=truncated_normal, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        # Going backward the widest map of a block is kept once, not once per step of the GELU.
        return jax.checkpoint(lambda h: self.reduce(gelu(h)))(self.expand(x))


def dropout(x: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """Dropout; ``x`` as it is where there is no key (evaluation)."""
    return nnx.Dropout(rate)(x, deterministic=key is None, rngs=key)


def layer_norm(
    dim: int, *, epsilon: float = 1e-5, dtype: jnp.dtype, rngs: nnx.Rngs
) -> nnx.LayerNorm:
    """LayerNorm with Swin's ε; the variance in two passes, which float32 parity needs."""
    return nnx.LayerNorm(dim, epsilon=epsilon, dtype=dtype, use_fast_variance=False, rngs=rngs)


class Stage(nnx.Module):
    """Blocks, one after the other; the first may halve the map.

    Args:
        blocks: called with (x, key).
        remat: recompute each block's activations in the backward pass instead of keeping them.
    """

    def __init__(self, blocks: Sequence[Any], *, remat: bool):
        self.remat = remat
        self.blocks = nnx.List(blocks)

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        return run_blocks(self.blocks, x, key, remat=self.remat)


def run_blocks(
    blocks: Sequence[Any], x: jax.Array, key: jax.Array | None, *, remat: bool
) -> jax.Array:
    """One block after the other, with ``remat`` its activations computed again going backward."""
    for block, block_key in zip(blocks, split_key(key, len(blocks)), strict=True):
        x = recomputed(block, x, block_key) if remat else block(x, block_key)
    return x


def recomputed(block: nnx.Module, x: jax.Array, key: jax.Array | None) -> jax.Array:
    """``block(x, key)`` of which only ``x`` is kept going backward, running statistics updated."""
    graphdef, *state = nnx.split(block, nnx.Param, nnx.BatchStat)

    @jax.checkpoint
    def run(state: list, x: jax.Array, key: jax.Array | None) -> tuple[jax.Array, nnx.State]:
        module = nnx.merge(graphdef, *state)
        return module(x, key), nnx.state(module, nnx.BatchStat)

    x, statistics = run(state, x, key)
    nnx.update(block, statistics)
    return x


def part_names(model: Any) -> list[str]:
    """The parts of a model in forward order: ``stem``, ``stages.0`` …, ``head``."""
    return ["stem", *(f"stages.{i}" for i in range(len(model.stages))), "head"]


def part_keys(
    model: Any, train: bool, rngs: nnx.Rngs | None, frozen: Sequence[str]
) -> dict[str, jax.Array | None]:
    """A random key for every part of a model; None for those that run as in evaluation.

    Raises:
        ValueError: ``frozen`` names a part the model lacks, or ``train`` without ``rngs``.
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
