"""From the command to the end of the first training step, and to that of the run: twice.

Swin-T on 80 photographs for one epoch; the first start prepares these and compiles, the second
finds the prepared set and the programs. Each is a process of its own.

    python -m benchmarks.startup --rounds=3
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.preparation import draw_photographs

RUN = [
    "--config=configs/top.py",
    "--config.weights.source=none",
    "--config.train.epochs=1",
    "--config.train.batch_size=8",
    "--config.optim.warmup_epochs=0",
]


def child(arguments: list[str]) -> int:
    """Run a command; say on the standard error when its first step has ended."""
    import launch
    from hairjax import loop

    def tick(clock: loop._Clock) -> None:
        if not clock.ticks:
            print(f"first step {time.time()}", file=sys.stderr, flush=True)
        clock.ticks.append(time.perf_counter())

    loop._Clock.tick = tick
    return launch.main(arguments)


def start(folder: Path, name: str) -> tuple[float, float]:
    """Seconds to the end of the first step, and of the command."""
    command = [sys.executable, "-m", "benchmarks.startup", "--child", *RUN]
    command += [f"--workdir={folder}/{name}", f"--config.devices.compiled={folder}/compiled"]
    command += [f"--config.data.{kind}={folder}/{kind}" for kind in ("photos", "masks", "cache")]
    begun = time.time()
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    step = next(line for line in done.stderr.splitlines() if line.startswith("first step"))
    return float(step.split()[2]) - begun, time.time() - begun


def main() -> None:
    """Print one JSON line: medians of the first and the second start."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    seconds: dict[str, list[tuple[float, float]]] = {"first": [], "second": []}
    for _ in range(options.rounds):
        folder = Path(tempfile.mkdtemp())
        try:
            draw_photographs(folder, 80, 512, 384, masks=True)
            for name, found in seconds.items():
                found.append(start(folder, name))
        finally:
            shutil.rmtree(folder)
    medians = {name: np.median(found, axis=0).round(1).tolist() for name, found in seconds.items()}
    print(json.dumps({"rounds": options.rounds, "seconds_to_first_step_and_end": medians}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        sys.exit(child(sys.argv[2:]))
    main()
