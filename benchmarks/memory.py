"""Host memory of a run of the recipe on a CPU: peak resident set of the process.

3,200 images with masks in memory as uint8 256 × 256 × 4; Swin-T at 224 trains on a few steps of 32
(micro-batches of 8), validates on a tenth, saves and reports. Sampled every 20 ms.

    python -m benchmarks.memory --out=benchmarks/memory.json
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

SMALL = 96  # side of the files in pixels; in memory, images have the recipe's size
CLASSES = 4
EVERY = 0.02  # seconds
# Phases of a run, and the message at the end of each.
PHASES = {
    "imports": "source: ",
    "preparation": "prepared set: ",
    "into memory": "photographs: ",
    "model and weights": "weights: ",
    "compilation, training, validation": "epoch ",
    "checkpoint, predictions, report": "report: ",
}


def write_photographs(root: Path, count: int) -> None:
    """Write noise JPEGs of four classes, each with a mask."""
    rng = np.random.default_rng(0)
    for i in range(count):
        name = f"level_{i % CLASSES}/{i:05}"
        for kind, shape, suffix in (("photos", (SMALL, SMALL, 3), "jpg"), ("masks", (4, 4), "png")):
            path = root / kind / f"{name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)


def command(root: Path, options: argparse.Namespace) -> list[str]:
    """Command of a short training on a set of the recipe's size."""
    share = options.steps * 32 / options.count
    fractions = f"({share}, 0.1, {0.9 - share})"
    return [
        *(sys.executable, "launch.py", "--config=configs/top.py", f"--workdir={root}/run"),
        f"--config.data.photos={root}/photos",
        f"--config.data.masks={root}/masks",
        f"--config.data.cache={root}/cache",
        f"--config.data.fractions={fractions}",
        f"--config.data.memory={options.memory}",
        "--config.weights.source=none",
        "--config.train.epochs=1",
        "--config.optim.warmup_epochs=0",
        f"--config.devices.compiled={root}/compiled",
    ]


def measure(arguments: list[str]) -> dict[str, float]:
    """Run a command; peak resident set in each of its phases, in GB."""
    peaks = dict.fromkeys(PHASES, 0.0)
    now = iter(PHASES)
    phase = next(now)
    running = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    process, ended = psutil.Process(running.pid), threading.Event()

    def watch() -> None:
        while not ended.wait(EVERY):
            peaks[phase] = max(peaks[phase], process.memory_info().rss / 1e9)

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert running.stdout is not None
    for line in running.stdout:
        print(line, end="", flush=True)
        if line.lstrip().startswith(PHASES[phase]):
            phase = next(now, phase)
    ended.set()
    watcher.join()
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"the run ended with status {running.returncode}")
    # The kernel's peak has no sampling gaps.
    return {"whole run": usage.ru_maxrss * 1024 / 1e9} | peaks


def main() -> None:
    """Print JSON; write it with --out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3200)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--memory", type=float, default=16.0, help="config.data.memory, GiB")
    parser.add_argument("--out", default="", help="a JSON file")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp())
    try:
        write_photographs(root, options.count)
        peaks = measure(command(root, options))
    finally:
        shutil.rmtree(root)
    found = {
        "model": "swin_tiny_patch4_window7_224, 6 channels, float32",
        "batch": "32 in parts of 8",
        "photographs": options.count,
        "photographs_gb": round(options.count * 256 * 256 * 4 / 1e9, 2),
        "data_memory_gib": options.memory,
        "cores": os.cpu_count(),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("jax", "flax", "numpy", "orbax-checkpoint")},
        "peak_resident_gb": {name: round(value, 2) for name, value in peaks.items()},
    }
    text = json.dumps(found, indent=1)
    print(text)
    if options.out:
        Path(options.out).write_text(text + "\n")


if __name__ == "__main__":
    main()
