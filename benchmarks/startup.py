"""From the command to the end of the first training step, and to that of the run: twice.

Swin-T on 64 synthetic photographs for one epoch; the first start compiles, the second finds its
programs. Each is a process of its own.

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

RUN = [
    "--config=configs/top.py",
    "--config.data.source=synthetic",
    "--config.data.count=80",
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
