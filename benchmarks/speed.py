"""A model on a CPU beside timm's in PyTorch: inference and a training step.

Both begin with the same uint8 photographs of noise with masks, as large as the model sees them, and
what it sees is computed in the time that counts: resampled, normalised, the mask three times. A
training step is the recipe's but for augmentation, which is off: gradient with dropout and
drop-path, clipping, AdamW. Every side is a process of its own, so that neither's threads or memory
disturb the other's; they take turns. Both keep freed memory, as launch.py does. Needs torch and
timm.

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
PAUSE = 0.3  # seconds between turns, in which the idle threads of the last one fall asleep
PATIENCE = 1800.0  # seconds until a side that does not answer is given up
Block = Callable[[int], float]  # so many times, one after the other → seconds


class What(NamedTuple):
    """What is timed."""

    model: str
    side: int  # of its photographs, in pixels
    dtype: str
    kind: str
    batch: int
    drop_path: float  # rate; 0 for models that have no residual branches


def ours(what: What) -> Block:
    """Inference or a training step, compiled, as hairjax runs them."""
    from benchmarks.ours import Programs
    from hairjax.config.load import load_config

    config = load_config("configs/top.py")
    config.model.name, config.model.dtype = what.model, what.dtype
    config.model.drop_path = what.drop_path
    config.data.image_size = config.data.stored_size = what.side
    config.data.normalise = "imagenet"
    config.augment.update(WITHOUT_AUGMENTATION)
    config.train.batch_size, config.optim.accumulate = what.batch, 1
    programs = Programs(config)
    return programs.inference() if what.kind == "inference" else programs.training()


def theirs(what: What, *, compiled: bool) -> Block:
    """The same in PyTorch with timm's model, bfloat16 through autocast."""
    import torch

    from benchmarks.peer import CLASSES, inputs, make
    from benchmarks.training_step import noise

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    net = make(what.model, what.side, what.drop_path).train(what.kind == "training")
    tx = torch.optim.AdamW(net.parameters(), lr=1e-5, weight_decay=0.01)
    photos = torch.from_numpy(noise(what.batch, what.side)).permute(0, 3, 1, 2).contiguous()
    targets = torch.arange(what.batch) % CLASSES

    def logits() -> torch.Tensor:
        seen = inputs(photos, what.side, augmented=False)
        with torch.autocast("cpu", torch.bfloat16, enabled=what.dtype == "bfloat16"):
            return net(seen).float()

    run = torch.compile(logits) if compiled else logits

    def infer() -> None:
        with torch.inference_mode():
            run()

    def train() -> None:
        torch.nn.functional.cross_entropy(run(), targets).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        tx.step()
        tx.zero_grad(set_to_none=True)

    once = infer if what.kind == "inference" else train

    def block(times: int) -> float:
        begun = time.perf_counter()
        for _ in range(times):
            once()
        return time.perf_counter() - begun

    return block


SIDES: dict[str, Callable[[What], Block]] = {
    "hairjax": ours,
    "timm eager": lambda what: theirs(what, compiled=False),
    "timm torch.compile": lambda what: theirs(what, compiled=True),
}


def prepare(program: str, what: tuple[str, int, str, str, int, float]) -> dict[str, Block]:
    """What a worker runs: one of ``SIDES`` doing ``What``."""
    keep_freed_memory()
    block = SIDES[program](What(*what))
    block(3)  # the first compiles, the next find memory
    return {"once": block}


def measure(programs: list[str], what: What, rounds: int) -> dict[str, list[float]]:
    """Seconds of every side, in turns."""
    workers: dict[str, Worker] = {}
    seconds: dict[str, list[float]] = {program: [] for program in programs}
    try:
        for program in programs:
            workers[program] = Worker("benchmarks.speed")
            workers[program].ask(time.monotonic() + PATIENCE, "prepare", program, tuple(what))
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
    """Median and quartiles of every side, and how many times as long as ours it takes."""
    rows = {}
    for side, found in seconds.items():
        low, middle, high = np.quantile(found, (0.25, 0.5, 0.75)).round(4).tolist()
        ratio = round(float(np.median(found) / np.median(seconds["hairjax"])), 2)
        rows[side] = {"median": middle, "low": low, "high": high, "times_ours": ratio}
    return rows


def main() -> None:
    """Print a table, and write it as JSON where --out says."""
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
    # Of the processes: neither side is to find a GPU.
    os.environ |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    side = options.side or VARIANTS[options.model].side
    found = {}
    for dtype in options.dtypes:
        for kind in options.kinds:
            what = What(options.model, side, dtype, kind, options.batch, options.drop_path)
            rows = summary(measure(options.sides, what, options.rounds))
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
