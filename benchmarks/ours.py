"""hairjax in the GPU benchmark, in a process of its own."""

import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from ml_collections import ConfigDict

from benchmarks.training_step import training_step
from hairjax.builders.inputs import input_specification
from hairjax.config.load import load_config
from hairjax.data.inputs import model_inputs
from hairjax.parallel.compilation import compiler_options, dispatch_inline
from hairjax.parallel.mesh import make_mesh
from hairjax.training.train_state import TrainState

Block = Callable[[int], float]  # repetitions → seconds
TRACED = 3  # steps


def matmul(size: int) -> Block:
    """Product of two square bfloat16 matrices of normal values."""
    a, b = (jax.random.normal(jax.random.key(i), (size, size), jnp.bfloat16) for i in (0, 1))
    product = jax.jit(jnp.matmul)
    product(a, b).block_until_ready()

    def run(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            result = product(a, b)
        result.block_until_ready()
        return time.perf_counter() - start

    return run


class Programs:
    """Compiled training step and inference of a configuration, sharing a state."""

    def __init__(self, config: ConfigDict):
        dispatch_inline()
        self.input_spec = input_specification(config)
        self.step = training_step(config, make_mesh(1, 1))
        self.photos, self.labels = self.step.batch()

    @functools.cached_property
    def state(self) -> TrainState:
        """State, transferred on first use."""
        return self.step.begin()

    def training(self) -> Block:
        """Consecutive training steps."""
        compiled = self.step.lower().compile()

        def train(times: int) -> float:
            now, start = self.state, time.perf_counter()
            for _ in range(times):
                now, loss = compiled(now, self.photos, self.labels)
            self.state = now
            if not np.isfinite(float(loss)):
                raise ArithmeticError(f"the loss is {float(loss)}")
            return time.perf_counter() - start

        return train

    def inference(self) -> Block:
        """Images to logits."""

        def logits(params: dict, photos: jax.Array) -> jax.Array:
            inputs = model_inputs(photos, None, None, self.input_spec)
            return nnx.merge(self.step.learner.graphdef, params)(inputs)

        jitted = jax.jit(logits, compiler_options=compiler_options())
        compiled = jitted.lower(self.step.state.params, self.photos).compile()

        def infer(times: int) -> float:
            given, start = self.state.params, time.perf_counter()
            for _ in range(times):
                result = compiled(given, self.photos)
            result.block_until_ready()
            return time.perf_counter() - start

        return infer


def prepare(model: str, batch: int, inference: bool, variant: str) -> dict[str, Block]:
    """Compile the recipe's training step in bfloat16, and inference."""
    if variant:
        raise ValueError(f"hairjax has one variant, not {variant!r}")
    config = load_config("configs/top.py")
    config.model.name, config.model.dtype = model, "bfloat16"
    config.train.batch_size, config.optim.accumulate = batch, 1
    programs = Programs(config)
    blocks = {"training": programs.training()}
    return blocks | {"inference": programs.inference()} if inference else blocks


def peak_memory() -> int | None:
    """Peak device memory in bytes; None if unavailable."""
    stats = jax.local_devices()[0].memory_stats()
    return stats["peak_bytes_in_use"] if stats else None


def describe() -> dict[str, str]:
    """Device and library versions."""
    return {"device": jax.devices()[0].device_kind, "jax": jax.__version__}


def trace(train: Block) -> dict[str, float]:
    """Slowest kernels of a training step, in milliseconds."""
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
