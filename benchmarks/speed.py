"""Inference and training step on a CPU, relative to timm in PyTorch.

Both take the same uint8 noise images with masks at the model's input size; resampling,
normalisation and mask repetition are timed. The training step is the recipe's without augmentation:
gradient with dropout and drop-path, clipping, AdamW. Sides alternate in separate processes, both
keeping freed memory, like launch.py. Needs torch and timm.

    python -m benchmarks.speed --batch=8 --rounds=9 --out=benchmarks/speed.json
    python -m benchmarks.speed --model=resnet50 --side=64 --batch=32 --dtypes float32
"""

import argparse
import importlib.metadata
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.workers import Worker
from hairjax.models.table import VARIANTS
from hairjax.system.malloc import keep_freed_memory

TINY = "swin_tiny_patch4_window7_224"
KINDS, DTYPES = ("inference", "training"), ("float32", "bfloat16")
VERSIONS = ("jax", "flax", "torch", "timm")
WITHOUT_AUGMENTATION = {
    **dict.fromkeys(("rotation", "flip", "brightness", "contrast", "saturation", "hue"), 0.0),
    "crop_scale": 1.0,
}
PAUSE = 0.3  # seconds between turns, for idle threads to fall asleep
PATIENCE = 1800.0  # time-out of a side, in seconds
Block = Callable[[int], float]  # repetitions → seconds


class Case(NamedTuple):
    """Specification of a timed program."""

    model: str
    side: int  # of the images, in pixels
    dtype: str
    kind: str
    batch: int
    drop_path: float  # rate; 0 for models without residual branches


def ours(case: Case) -> Block:
    """Inference or training step of hairjax, compiled."""
    from benchmarks.ours import Programs
    from hairjax.config.load import load_config

    config = load_config("configs/top.py")
    config.model.name, config.model.dtype = case.model, case.dtype
    config.model.drop_path = case.drop_path
    config.data.image_size = config.data.stored_size = case.side
    config.data.normalise = "imagenet"
    config.augment.update(WITHOUT_AUGMENTATION)
    config.train.batch_size, config.optim.accumulate = case.batch, 1
    programs = Programs(config)
    return programs.inference() if case.kind == "inference" else programs.training()


def theirs(case: Case, *, compiled: bool) -> Block:
    """Inference or training step of timm's model in PyTorch, bfloat16 by autocast."""
    import torch

    from benchmarks.peer import CLASSES, inputs, make
    from benchmarks.training_step import noise

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    net = make(case.model, case.side, case.drop_path).train(case.kind == "training")
    tx = torch.optim.AdamW(net.parameters(), lr=1e-5, weight_decay=0.01)
    photos = torch.from_numpy(noise(case.batch, case.side)).permute(0, 3, 1, 2).contiguous()
    targets = torch.arange(case.batch) % CLASSES

    def logits() -> torch.Tensor:
        images = inputs(photos, case.side, augmented=False)
        with torch.autocast("cpu", torch.bfloat16, enabled=case.dtype == "bfloat16"):
            return net(images).float()

    run = torch.compile(logits) if compiled else logits

    def infer() -> None:
        with torch.inference_mode():
            run()

    def train() -> None:
        torch.nn.functional.cross_entropy(run(), targets).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        tx.step()
        tx.zero_grad(set_to_none=True)

    once = infer if case.kind == "inference" else train

    def block(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            once()
        return time.perf_counter() - start

    return block


SIDES: dict[str, Callable[[Case], Block]] = {
    "hairjax": ours,
    "timm eager": lambda case: theirs(case, compiled=False),
    "timm torch.compile": lambda case: theirs(case, compiled=True),
}


def prepare(program: str, case: tuple[str, int, str, str, int, float]) -> dict[str, Block]:
    """Prepare one of ``SIDES`` in a worker."""
    keep_freed_memory()
    block = SIDES[program](Case(*case))
    block(3)  # compilation, then memory allocation
    return {"once": block}


def measure(programs: list[str], case: Case, rounds: int) -> dict[str, list[float]]:
    """Seconds of every side, alternating."""
    workers: dict[str, Worker] = {}
    seconds: dict[str, list[float]] = {program: [] for program in programs}
    try:
        for program in programs:
            workers[program] = Worker("benchmarks.speed")
            workers[program].ask(time.monotonic() + PATIENCE, "prepare", program, tuple(case))
        for _ in range(rounds):
            for program, worker in workers.items():
                time.sleep(PAUSE)
                deadline = time.monotonic() + PATIENCE
                seconds[program].append(worker.ask(deadline, "run", "once", 1))
    finally:
        for worker in workers.values():
            worker.close()
    return seconds


def summary(seconds: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median and quartiles of every side, and its ratio to ours."""
    rows = {}
    for side, found in seconds.items():
        low, middle, high = np.quantile(found, (0.25, 0.5, 0.75)).round(4).tolist()
        ratio = round(float(np.median(found) / np.median(seconds["hairjax"])), 2)
        rows[side] = {"median": middle, "low": low, "high": high, "times_ours": ratio}
    return rows


def main() -> None:
    """Print a table; write JSON with --out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=TINY, choices=VARIANTS, metavar="NAME")
    parser.add_argument("--side", type=int, help="of photographs, in pixels; default: the model's")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--drop-path", type=float, default=0.1, help="0 where a model has none")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dtypes", nargs="+", default=DTYPES, choices=DTYPES)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--sides", nargs="+", default=list(SIDES)[:2], choices=list(SIDES))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    # Hide GPUs from both sides.
    os.environ |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    side = options.side or VARIANTS[options.model].side
    found = {}
    for dtype in options.dtypes:
        for kind in options.kinds:
            case = Case(options.model, side, dtype, kind, options.batch, options.drop_path)
            rows = summary(measure(options.sides, case, options.rounds))
            found[f"{kind}, {dtype}"] = rows
            for program, row in rows.items():
                print(f"{kind}, {dtype}, {program}: {row}", flush=True)
    if options.out:
        about = {"model": options.model, "side": side, "batch": options.batch}
        about["drop_path"] = options.drop_path
        about |= {"rounds": options.rounds, "cores": len(os.sched_getaffinity(0))}
        about["versions"] = {name: importlib.metadata.version(name) for name in VERSIONS}
        options.out.write_text(json.dumps(about | {"seconds": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
