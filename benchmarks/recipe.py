"""The full recipe from JPEGs with masks to the report, through launch.py, timed."""

import json
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hairjax.data.synthetic import synthesise

ROOT = Path(__file__).parents[1]
DISTINCT, SYNTHETIC_SIDE, SIDE = 200, 512, 1024
# Seconds reserved for start, reading, compilation and report.
AROUND = 90


def write_photographs(root: Path, count: int, distinct: int, side: int) -> float:
    """Write JPEGs with masks by class; return the seconds.

    ``distinct`` images are synthesised; the others are shifted, mirrored and brightened or darkened
    copies of the same people.
    """
    start, workers = time.perf_counter(), os.cpu_count() or 1
    synthesised = synthesise(
        "top", distinct, min(SYNTHETIC_SIDE, side), 0, workers, lambda done, total: None
    )
    images = np.asarray(synthesised.images)
    for kind in ("photos", "masks"):
        for name in synthesised.classes:
            (root / kind / name).mkdir(parents=True)

    def write(i: int) -> None:
        rng, source = np.random.default_rng((1, i)), i % len(synthesised)
        level, subject = (
            synthesised.classes[synthesised.labels[source]],
            synthesised.subjects[source],
        )
        shift = rng.integers(-12, 13, 2)
        picture = np.roll(images[source], shift, axis=(0, 1))[:, :: rng.choice((-1, 1))]
        rgb = Image.fromarray(np.ascontiguousarray(picture[..., :3]))
        rgb = rgb.resize((side, side), Image.Resampling.BICUBIC)
        light = rng.uniform(0.8, 1.2)
        file = f"{level}/{subject}_{i:05}"
        rgb.point(lambda value: light * value).save(root / "photos" / f"{file}.jpg", quality=90)
        mask = Image.fromarray(np.ascontiguousarray(picture[..., 3]))
        mask.resize((side, side)).save(root / "masks" / f"{file}.png", compress_level=1)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(write, range(count)))
    return time.perf_counter() - start


def run(
    photos: Path,
    workdir: Path,
    overrides: list[str],
    epochs: int,
    batch: int,
    bare: float,
    seconds: float,
    environment: dict[str, str],
) -> dict[str, Any]:
    """Train, evaluate and report within a time limit, on the folder of ``write_photographs``.

    `epochs` is the maximum, `bare` the seconds of a bare training step of `batch` images, from
    which the number of epochs that fit is estimated; `seconds` is the limit.
    """
    count = len(list((photos / "photos").rglob("*.jpg")))
    steps = math.floor(count * 0.8) // batch
    projected = AROUND + epochs * (1.15 * steps * bare + 0.5)
    fitting = math.floor((seconds - AROUND) / (1.15 * steps * bare + 0.5))
    taken = epochs if projected <= seconds else max(min(fitting, epochs), 3)
    command = [sys.executable, str(ROOT / "launch.py"), f"--config={ROOT}/configs/top.py"]
    command += [f"--workdir={workdir}", f"--config.data.photos={photos}/photos"]
    command += [f"--config.data.masks={photos}/masks", "--config.data.subject=/(s[0-9]+)_"]
    command += [f"--config.data.cache={workdir}-cache", "--config.weights.source=none"]
    command += [f"--config.devices.compiled={workdir}-compiled", f"--config.train.epochs={taken}"]
    command += [f"--config.optim.warmup_epochs={min(5, taken - 1)}", *overrides]
    found = _watch(command, workdir, seconds, environment)
    rows = [json.loads(line) for line in (workdir / "timing.jsonl").read_text().splitlines()]
    later = rows[1:] or rows
    rate = float(np.median([row["images_per_second"] for row in later]))
    trained = steps * batch
    return found | {
        "photographs": count,
        "batch": batch,
        "epochs_wanted": epochs,
        "epochs_taken": taken,
        "epochs_finished": len(rows),
        "report": (workdir / "report.html").exists(),
        "epoch_seconds_median": round(float(np.median([row["seconds"] for row in later])), 3),
        "images_per_second_in_an_epoch": round(rate, 1),
        "images_per_second_of_the_bare_step": round(batch / bare, 1),
        "share_of_the_bare_step": round(rate * bare / batch, 3),
        "images_per_second_with_evaluation_and_checkpoint": round(
            float(np.median([trained / row["seconds"] for row in later])), 1
        ),
    }


def _watch(
    command: list[str], workdir: Path, seconds: float, environment: dict[str, str]
) -> dict[str, Any]:
    """Run the command; return the times of the first epoch and the end."""
    start, log = time.perf_counter(), workdir.with_suffix(".log")
    first = math.nan
    timing = workdir / "timing.jsonl"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            while process.poll() is None and time.perf_counter() - start < seconds:
                if math.isnan(first) and timing.exists() and timing.read_text():
                    first = time.perf_counter() - start
                time.sleep(0.05)
        finally:
            if unfinished := process.poll() is None:
                process.terminate()
                process.wait(60)
    total = time.perf_counter() - start
    if process.returncode and not (unfinished and timing.exists()):
        raise RuntimeError(f"status {process.returncode}: {log.read_text()[-3000:]}")
    return {
        "command": " ".join(command[1:]),
        "stopped_for_lack_of_time": unfinished,
        "seconds_from_command_to_report": round(total, 1),
        "seconds_to_the_end_of_the_first_epoch": round(first, 1),
        "seconds_after_the_first_epoch": round(total - first, 1),
        "log": log.read_text()[-1500:],
    }
