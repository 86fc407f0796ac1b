"""Rematerialisation, memory against time: a training step with and without `model.remat`.

Both alternate in one process. Memory is XLA's plan of temporaries.

    python -m benchmarks.remat --config=configs/top.py --batch=8 --rounds=5
"""

import argparse
import json
import time

import jax
import numpy as np

from benchmarks.training_step import temporary_bytes, training_step
from hairjax.config.load import load_config
from hairjax.parallel.mesh import make_mesh
from hairjax.system.malloc import keep_freed_memory


def main() -> None:
    """Compile and time both; print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/top.py")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    keep_freed_memory()
    config = load_config(options.config)
    config.train.batch_size, config.optim.accumulate = options.batch, 1
    programs: dict[bool, tuple[jax.stages.Compiled, tuple[jax.Array, jax.Array]]] = {}
    states, memory = {}, {}
    for remat in (False, True):
        config.model.remat = remat
        step = training_step(config, make_mesh(1, 1))
        compiled = step.lower().compile()
        memory[remat] = temporary_bytes(compiled)
        programs[remat], states[remat] = (compiled, step.batch()), step.begin()
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(options.rounds + 1):  # the first round warms up
        for remat, (program, batch) in programs.items():
            start = time.perf_counter()
            states[remat], loss = program(states[remat], *batch)
            loss.block_until_ready()
            seconds[remat].append(time.perf_counter() - start)
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
