"""Time from the command to the first training step and to the end of the run, for two starts.

Swin-T for one epoch on 80 images in batches of 8, from weights of the published size. The first
start prepares and compiles; the second uses both caches. Separate processes.

    python -m benchmarks.startup --rounds=3
    python -m benchmarks.startup --rounds=3 --drawn
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Other imports are local, so that a start does not find them imported.
MODEL, PUBLISHED_CLASSES = "swin_tiny_patch4_window7_224", 21841
RUN = [
    "--config=configs/top.py",
    f"--config.model.name={MODEL}",
    "--config.train.epochs=1",
    "--config.train.batch_size=8",
    "--config.optim.warmup_epochs=0",
]


def child(arguments: list[str]) -> int:
    """Run a command as launch.py does; report the end of the first step on standard error."""
    import launch

    launch.tune()
    from hairjax.training.timing import EpochTimer

    def tick(self: EpochTimer) -> None:
        if not self.ticks:
            print(f"first step {time.time()}", file=sys.stderr, flush=True)
        self.ticks.append(time.perf_counter())

    EpochTimer.tick = tick  # type: ignore[method-assign]
    return launch.main(arguments)


def write_weights(path: Path) -> None:
    """Write random weights in the format of the hub."""
    import numpy as np

    from hairjax.commands.convert import abstract_shapes, write

    shapes = abstract_shapes(
        MODEL,
        channels=3,
        classes=PUBLISHED_CLASSES,
        hidden=(),
        head="softmax",
        image_size=None,
    )
    rng = np.random.default_rng(0)
    write({name: rng.normal(0, 0.02, shape) for name, shape in shapes.items()}, {}, path)


def start(folder: Path, weights: str, name: str) -> tuple[float, float]:
    """Seconds to the end of the first step, and of the command."""
    command = [sys.executable, "-m", "benchmarks.startup", "--child", *RUN]
    command += [f"--workdir={folder}/{name}", f"--config.devices.compiled={folder}/compiled"]
    command += [f"--config.data.{kind}={folder}/{kind}" for kind in ("photos", "masks", "cache")]
    command.append(f"--config.weights.source={weights}")
    began = time.time()
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    step = next(line for line in done.stderr.splitlines() if line.startswith("first step"))
    return float(step.split()[2]) - began, time.time() - began


def main() -> None:
    """Print one JSON line: medians of the first and second start."""
    from benchmarks.preparation import write_photographs

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--drawn", action="store_true", help="initialise weights at random")
    options = parser.parse_args()
    seconds: dict[str, list[tuple[float, float]]] = {"first": [], "second": []}
    for _ in range(options.rounds):
        folder = Path(tempfile.mkdtemp())
        try:
            write_photographs(folder, 80, 512, 384, masks=True)
            write_weights(folder / "weights.safetensors")
            weights = "none" if options.drawn else f"{folder}/weights.safetensors"
            for name, found in seconds.items():
                found.append(start(folder, weights, name))
        finally:
            shutil.rmtree(folder)
    medians = {
        name: [round(statistics.median(column), 1) for column in zip(*found, strict=True)]
        for name, found in seconds.items()
    }
    print(json.dumps({"rounds": options.rounds, "seconds_to_first_step_and_end": medians}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        sys.exit(child(sys.argv[2:]))
    main()
