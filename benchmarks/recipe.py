"""The whole recipe from JPEG photographs with masks to the report, through launch.py, and timed."""

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
DRAWN, DRAWN_SIDE, SIDE = 200, 512, 1024
# Seconds beside the epochs for which room is left: starting, reading, compiling, the report.
AROUND = 90


def write_photographs(root: Path, count: int, drawn: int, side: int) -> float:
    """JPEG photographs of about so many pixels a side with masks, by class; returns the seconds.

    Some are drawn; the others are these, shifted, mirrored, lighter or darker, under the name of
    the same person, so that a split by subject does not part them.
    """
    begun, workers = time.perf_counter(), os.cpu_count() or 1
    seen = synthesise("top", drawn, min(DRAWN_SIDE, side), 0, workers, lambda done, total: None)
    images = np.asarray(seen.images)
    for kind in ("photos", "masks"):
        for name in seen.classes:
            (root / kind / name).mkdir(parents=True)

    def write(i: int) -> None:
        rng, which = np.random.default_rng((1, i)), i % len(seen)
        level, subject = seen.classes[seen.labels[which]], seen.subjects[which]
        shift = rng.integers(-12, 13, 2)
        picture = np.roll(images[which], shift, axis=(0, 1))[:, :: rng.choice((-1, 1))]
        rgb = Image.fromarray(np.ascontiguousarray(picture[..., :3]))
        rgb = rgb.resize((side, side), Image.Resampling.BICUBIC)
        light = rng.uniform(0.8, 1.2)
        file = f"{level}/{subject}_{i:05}"
        rgb.point(lambda value: light * value).save(root / "photos" / f"{file}.jpg", quality=90)
        mask = Image.fromarray(np.ascontiguousarray(picture[..., 3]))
        mask.resize((side, side)).save(root / "masks" / f"{file}.png", compress_level=1)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(write, range(count)))
    return time.perf_counter() - begun


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
    """Train, evaluate and report as a person does, in the time there is.

    Args:
        photos: of ``write_photographs``.
        workdir: a new folder for the run.
        overrides: of the recipe.
        epochs: as many as wanted.
        batch: photographs in a step.
        bare: seconds of a bare training step of this batch; with it epochs are fitted in.
        seconds: that may be spent.
        environment: of the command.
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
    """Run the command; when its first epoch ended, and when all was done."""
    begun, log = time.perf_counter(), workdir.with_suffix(".log")
    first = math.nan
    timing = workdir / "timing.jsonl"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            while process.poll() is None and time.perf_counter() - begun < seconds:
                if math.isnan(first) and timing.exists() and timing.read_text():
                    first = time.perf_counter() - begun
                time.sleep(0.05)
        finally:
            if unfinished := process.poll() is None:
                process.terminate()
                process.wait(60)
    total = time.perf_counter() - begun
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
