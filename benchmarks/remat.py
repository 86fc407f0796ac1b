"""Rematerialisation, memory against time: a training step with and without `model.remat`.

Both programs run in turns in one process. Memory is what XLA plans for temporaries.

    python -m benchmarks.remat --config=configs/top.py --batch=8 --rounds=5
"""

import argparse
import functools
import json
import time

import jax
import numpy as np
from flax import nnx
from ml_collections import ConfigDict

from hairjax import devices, optim
from hairjax.config import load_config
from hairjax.data.augment import Amounts
from hairjax.data.load import image_side, normalisation, stored_side
from hairjax.groups import make_groups
from hairjax.models import load_model
from hairjax.run import model_options
from hairjax.step import TrainState, first_state, make_train_step

CLASSES = 4


def compile_step(config: ConfigDict, batch: int) -> tuple[jax.stages.Compiled, TrainState, tuple]:
    """The compiled step of a configuration, its first state, and a batch of noise."""
    model, _ = load_model(
        config.model.name,
        **model_options(config, CLASSES),
        weights=None,
        stem=config.weights.stem,
        seed=0,
    )
    graphdef, state = nnx.split(model)
    params, mesh = nnx.to_pure_dict(state), devices.make_mesh(1, 1)
    groups = make_groups(config.optim, len(params["stages"]), 100)
    schedules = optim.make_schedules(config.optim, groups, 100, 100)
    tx = optim.make_optimizer(config.optim, schedules, params, groups, 100)
    step = make_train_step(
        graphdef,
        tx,
        mesh,
        layout=devices.replicated(mesh),
        frozen=(),
        kept=0,
        amounts=Amounts(**config.augment),
        side=image_side(config),
        channels=config.model.in_channels,
        normalise=normalisation(config),
        classes=CLASSES,
        smoothing=0.0,
        ema=0.0,
        parts=1,
        seed=0,
    )
    side, rng = stored_side(config), np.random.default_rng(0)
    data = (
        rng.integers(0, 256, (batch, side, side, 4), dtype=np.uint8),
        np.arange(batch, dtype=np.int32) % CLASSES,
    )
    first = jax.jit(functools.partial(first_state, tx=tx, averaged=False))(params)
    return step.lower(first, *data).compile(), first, data


def main() -> None:
    """Compile both, run them in turns, print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/top.py")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    config = load_config(options.config)
    programs, memory = {}, {}
    for remat in (False, True):
        config.model.remat = remat
        programs[remat] = compile_step(config, options.batch)
        memory[remat] = programs[remat][0].memory_analysis().temp_size_in_bytes
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(options.rounds + 1):  # the first round warms up
        for remat, (step, state, data) in programs.items():
            start = time.perf_counter()
            state, loss = step(state, *data)
            loss.block_until_ready()
            seconds[remat].append(time.perf_counter() - start)
            programs[remat] = (step, state, data)
    ratios = [on / off for off, on in zip(seconds[False][1:], seconds[True][1:], strict=True)]
    result = {
        "model": config.model.name,
        "batch": options.batch,
        "device": jax.devices()[0].device_kind,
        "temporaries_gib": {str(key): round(value / 2**30, 2) for key, value in memory.items()},
        "seconds_median": {
            str(key): round(float(np.median(value[1:])), 3) for key, value in seconds.items()
        },
        "time_ratio": [round(float(q), 2) for q in np.quantile(ratios, [0, 0.5, 1])],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
