"""hairjax's side of the benchmark on a GPU: what is timed, in a process of its own."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benchmarks.training_step import training_step
from hairjax import devices
from hairjax.config import load_config
from hairjax.data.augment import model_inputs
from hairjax.sight import sight

Block = Callable[[int], float]  # so many times, one after the other → seconds
TRACED = 3  # steps


def matmul(size: int) -> Block:
    """A product of two square matrices of normal numbers in bfloat16."""
    a, b = (jax.random.normal(jax.random.key(i), (size, size), jnp.bfloat16) for i in (0, 1))
    product = jax.jit(jnp.matmul)
    product(a, b).block_until_ready()

    def run(times: int) -> float:
        begun = time.perf_counter()
        for _ in range(times):
            result = product(a, b)
        result.block_until_ready()
        return time.perf_counter() - begun

    return run


def prepare(model: str, batch: int, inference: bool, variant: str) -> dict[str, Block]:
    """The recipe's training step in bfloat16, and inference from photographs, both compiled."""
    if variant:
        raise ValueError(f"hairjax has one variant, not {variant!r}")
    config = load_config("configs/top.py")
    config.model.name, config.model.dtype = model, "bfloat16"
    config.train.batch_size, config.optim.accumulate = batch, 1
    step = training_step(config, devices.make_mesh(1, 1))
    compiled = step.lower().compile()
    photos, labels = step.batch()
    # To the device when it is first run: others are measured before.
    state: list[Any] = []

    def train(times: int) -> float:
        if not state:
            state.append(step.begin())
        begun = time.perf_counter()
        for _ in range(times):
            state[0], loss = compiled(state[0], photos, labels)
        if not np.isfinite(float(loss)):
            raise ArithmeticError(f"the loss is {float(loss)}")
        return time.perf_counter() - begun

    if not inference:
        return {"training": train}

    def logits(params: dict, photos: jax.Array) -> jax.Array:
        inputs = model_inputs(photos, None, None, sight(config))
        return nnx.merge(step.graphdef, params)(inputs)

    judge = jax.jit(logits).lower(step.state.params, photos).compile()

    def infer(times: int) -> float:
        given = state[0].params
        begun = time.perf_counter()
        for _ in range(times):
            result = judge(given, photos)
        result.block_until_ready()
        return time.perf_counter() - begun

    return {"training": train, "inference": infer}


def peak_memory() -> int | None:
    """Bytes on the device; None where it does not tell."""
    stats = jax.local_devices()[0].memory_stats()
    return stats["peak_bytes_in_use"] if stats else None


def describe() -> dict[str, str]:
    """The device, and whose program this is."""
    return {"device": jax.devices()[0].device_kind, "jax": jax.__version__}


def trace(train: Block) -> dict[str, float]:
    """The kernels that take longest in a training step: milliseconds of each."""
    found: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            train(TRACED)
        (file,) = Path(folder).rglob("*.xplane.pb")
        for plane in jax.profiler.ProfileData.from_file(str(file)).planes:
            if plane.name.startswith("/device:"):
                for line in plane.lines:
                    if line.name.startswith("Stream"):
                        for event in line.events:
                            found[event.name] += event.duration_ns / 1e6 / TRACED
    longest = sorted(found.items(), key=lambda item: -item[1])[:25]
    return {name: round(value, 4) for name, value in longest} | {
        "all kernels": round(sum(found.values()), 3)
    }
