"""What devices send each other: the same whatever the batch; and that the count of it is right."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from benchmarks.collectives import collectives, size, totals
from benchmarks.training_step import training_step
from configs import top
from hairjax.models import table as models
from hairjax.parallel import mesh as meshes
from hairjax.parallel.mesh import make_mesh

MODEL = "swin_mini_patch4_window4_64"
SMALL = 128  # numbers in an array that is not cut
PHOTO = 37 * 37 * 4


@pytest.fixture(scope="module", autouse=True)
def a_small_model():
    with pytest.MonkeyPatch.context() as patch:
        variant = {"dim": 8, "depths": (1, 1), "heads": (1, 2), "window": 4}
        patch.setitem(models.VARIANTS, MODEL, models.Variant(32, variant, models.SWIN))
        patch.setattr(meshes, "SMALL", SMALL)
        yield


@functools.cache
def compiled(count, shard, batch, mixup):
    """The recipe's step for a small Swin: what it is lowered with, and the program."""
    config = top.get_config()
    config.model.name, config.train.batch_size = MODEL, batch
    config.optim.accumulate, config.augment.mixup = 1, mixup
    step = training_step(config, make_mesh(count, shard))
    return step, step.lower().compile()


def exchanged(*place):
    return totals(collectives(compiled(*place)[1].as_text()))


def numbers(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def summed(params):
    """Least and most numbers that the gradients have, each counted once.

    A bias table's may be summed before its rows are added up: [heads, n, n] rather than the table.
    """
    least = most = numbers(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if "bias_table" in jax.tree_util.keystr(path):
            rows, heads = leaf.shape
            places = ((math.isqrt(rows) + 1) // 2) ** 2
            most += heads * places**2 - leaf.size
    return least, most


@pytest.mark.slow
def test_whole_parameters_cost_one_sum_of_the_gradients():
    step, _ = compiled(8, 1, 8, 0.0)
    found = exchanged(8, 1, 8, 0.0)
    assert set(found) == {"all-reduce"}
    least, most = summed(step.state.params)
    # And the loss, and how many were right.
    assert 4 * (least + 2) <= found["all-reduce"]["bytes"] <= 4 * (most + 2)


@pytest.mark.slow
def test_a_larger_batch_with_mixup_sends_one_photograph_more_and_nothing_else():
    plain, blended = exchanged(8, 1, 8, 0.0), exchanged(8, 1, 32, 0.4)
    # With its label and its key; and while shares are drawn, whether all are done.
    assert blended.pop("collective-permute") == {"count": 3, "bytes": PHOTO + 4 + 8}
    asked = blended.pop("all-reduce, in loops of unknown length")
    assert asked["bytes"] == asked["count"] <= 4
    assert blended == plain


@pytest.mark.slow
def test_cut_parameters_are_gathered_once_whatever_the_batch():
    step, _ = compiled(2, 4, 8, 0.0)
    found = exchanged(2, 4, 8, 0.0)
    large = [p for p in jax.tree.leaves(step.state.params) if p.size >= SMALL]
    assert set(found) == {"all-gather", "all-reduce"}
    assert found["all-gather"]["bytes"] == 4 * numbers(large)
    # Summed over one axis whole, then over the other the quarter that a device keeps.
    assert found["all-reduce"]["bytes"] < 4 * 1.25 * (summed(step.state.params)[1] + SMALL)
    assert exchanged(2, 4, 32, 0.0) == found


@pytest.mark.slow
@pytest.mark.parametrize(("count", "shard"), [(8, 1), (2, 4)])
def test_a_device_is_given_its_part_of_the_state(count, shard):
    step, program = compiled(count, shard, 8, 0.0)
    leaves = jax.tree.leaves(step.state)
    large = sum(leaf.size for leaf in leaves if leaf.size >= SMALL)
    assert large > 0.8 * numbers(step.state)
    expected = 4 * (large / shard + numbers(step.state) - large) + PHOTO + 4
    assert program.memory_analysis().argument_size_in_bytes == pytest.approx(expected, rel=0.01)


# --- the count itself


def program_of(function, *arguments, out):
    mesh = jax.make_mesh((8,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    local = jax.shard_map(function, mesh=mesh, in_specs=P("d"), out_specs=out, check_vma=False)
    return jax.jit(local).lower(*arguments).compile().as_text()


def test_an_exchange_in_a_loop_counts_every_time():
    def many(x):
        return jax.lax.fori_loop(0, 5, lambda i, y: jax.lax.psum(y * i, "d"), x)

    found = collectives(program_of(many, np.ones((8, 16), np.float32), out=P("d")))
    assert totals(found) == {"all-reduce": {"count": 5, "bytes": 5 * 16 * 4}}


def test_a_loop_that_numbers_end_is_named_and_counts_once():
    def until(x):
        return jax.lax.while_loop(lambda y: y.sum() < 100, lambda y: jax.lax.psum(y, "d"), x)

    found = collectives(program_of(until, np.ones((8, 16), np.float32), out=P("d")))
    unknown = "all-reduce, in loops of unknown length"
    assert totals(found) == {unknown: {"count": 1, "bytes": 16 * 4}}


def test_kinds_are_told_apart():
    def three(x):
        whole = jax.lax.all_gather(x, "d", tiled=True)
        moved = jax.lax.ppermute(x, "d", [(i, (i + 1) % 8) for i in range(8)])
        return whole.sum(axis=0, keepdims=True) + moved

    found = totals(collectives(program_of(three, np.ones((8, 6), np.int8), out=P("d"))))
    assert found == {
        "all-gather": {"count": 1, "bytes": 8 * 6},
        "collective-permute": {"count": 1, "bytes": 6},
    }


def test_sizes_are_those_of_arrays():
    for array in (jnp.zeros((4, 8)), jnp.zeros(3, jnp.bfloat16), jnp.zeros((2, 2), bool)):
        text = jax.jit(lambda: array).lower().compile().as_text()  # noqa: B023
        result = next(line for line in text.splitlines() if "ROOT" in line).split(" = ")[1]
        assert size(result.split(" ")[0]) == array.nbytes
    assert size("(f32[4,8]{1,0}, pred[], /*index=5*/u64[2]{0})") == 128 + 1 + 16
