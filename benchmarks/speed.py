"""Swin on a CPU beside timm's in PyTorch: inference and a training step.

Every side is a process of its own, so that neither's threads or memory disturb the other's; they
take turns. Photographs are the same noise. A training step is the gradient, clipping and AdamW with
drop-path on; augmentation is left out on both sides. Both keep freed memory, as launch.py does.
Needs torch and timm.

    python -m benchmarks.speed --batch=8 --rounds=9 --out=benchmarks/speed.json
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hairjax.heap import keep_freed_memory

CHANNELS, CLASSES, DROP_PATH = 6, 4, 0.1
KINDS, DTYPES = ("inference", "training"), ("float32", "bfloat16")
VERSIONS = ("jax", "flax", "torch", "timm")
PAUSE = 0.3  # seconds between turns, in which the idle threads of the last one fall asleep
Batch = tuple[np.ndarray, np.ndarray]
Run = Callable[[], None]


def ours(model: str, dtype: str, kind: str, batch: Batch) -> Run:
    """Inference or a training step, compiled, as hairjax runs them."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    from hairjax import create_model, optim
    from hairjax.config import load_config
    from hairjax.devices import compiler_options
    from hairjax.step import gradients

    graphdef, state = nnx.split(
        create_model(
            model,
            in_channels=CHANNELS,
            num_classes=CLASSES,
            drop_path=DROP_PATH,
            dtype=jnp.dtype(dtype),
        )
    )
    params, config = nnx.to_pure_dict(state), load_config("configs/top.py")
    inputs, targets = jnp.asarray(batch[0]), jax.nn.one_hot(jnp.asarray(batch[1]), CLASSES)
    if kind == "inference":
        infer = jax.jit(
            lambda params, inputs: nnx.merge(graphdef, params)(inputs),
            compiler_options=compiler_options(),
        )

        def inference() -> None:
            jax.block_until_ready(infer(params, inputs))

        return inference

    groups = optim.label_parameters(params)
    tx = optim.make_optimizer(config.optim, optim.make_schedules(config.optim, 100, 100), groups)
    settings = {"groups": groups, "peak": config.optim.peak, "frozen": ()}

    def step(params: dict, opt_state: optax.OptState) -> tuple:
        key = jax.random.key(0)
        _, grads = gradients(graphdef, params, inputs, targets, key, **settings)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    compiled = jax.jit(step, donate_argnums=(0, 1), compiler_options=compiler_options())
    now = [params, tx.init(params)]

    def train() -> None:
        now[:] = jax.block_until_ready(compiled(*now))

    return train


def theirs(model: str, dtype: str, kind: str, batch: Batch, compiled: bool) -> Run:
    """The same in PyTorch with timm's model, bfloat16 through autocast."""
    import timm
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    net = timm.create_model(
        model, in_chans=CHANNELS, num_classes=CLASSES, drop_path_rate=DROP_PATH
    ).train(kind == "training")
    run = torch.compile(net) if compiled else net
    tx = torch.optim.AdamW(net.parameters(), lr=1e-5, weight_decay=0.01)
    inputs = torch.from_numpy(batch[0].transpose(0, 3, 1, 2).copy())
    targets = torch.from_numpy(batch[1])
    cast = torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16")

    def infer() -> None:
        with torch.inference_mode(), cast:
            run(inputs)

    def train() -> None:
        with cast:
            loss = torch.nn.functional.cross_entropy(run(inputs).float(), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        tx.step()
        tx.zero_grad(set_to_none=True)

    return infer if kind == "inference" else train


SIDES = {
    "hairjax": ours,
    "timm eager": lambda *what: theirs(*what, compiled=False),
    "timm torch.compile": lambda *what: theirs(*what, compiled=True),
}


def child(side: str, model: str, dtype: str, kind: str, batch_size: str) -> None:
    """Run a side once for every line of the standard input; answer with the seconds it took."""
    keep_freed_memory()
    rng = np.random.default_rng(0)
    images = rng.normal(size=(int(batch_size), 224, 224, CHANNELS)).astype(np.float32)
    run = SIDES[side](model, dtype, kind, (images, rng.integers(0, CLASSES, int(batch_size))))
    for _ in range(3):  # the first compile, the next find memory
        run()
    print("ready", flush=True)
    for _ in sys.stdin:
        begun = time.perf_counter()
        run()
        print(time.perf_counter() - begun, flush=True)


def measure(sides: list[str], what: list[str], rounds: int) -> dict[str, list[float]]:
    """Seconds of every side, in turns."""
    command = [sys.executable, "-m", "benchmarks.speed", "--child"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    children = {}
    for side in sides:
        children[side] = subprocess.Popen([*command, side, *what], text=True, **pipes)
        said = children[side].stdout.readline()
        if said != "ready\n":
            raise RuntimeError(f"{side} did not start: {children[side].stderr.read()[-2000:]}")
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, process in children.items():
            time.sleep(PAUSE)
            print("go", file=process.stdin, flush=True)
            seconds[side].append(float(process.stdout.readline()))
    for process in children.values():
        process.communicate()
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
    parser.add_argument("--model", default="swin_tiny_patch4_window7_224")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dtypes", nargs="+", default=DTYPES, choices=DTYPES)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--sides", nargs="+", default=list(SIDES)[:2], choices=list(SIDES))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = {}
    for dtype in options.dtypes:
        for kind in options.kinds:
            what = [options.model, dtype, kind, str(options.batch)]
            rows = summary(measure(options.sides, what, options.rounds))
            found[f"{kind}, {dtype}"] = rows
            for side, row in rows.items():
                print(f"{kind}, {dtype}, {side}: {row}", flush=True)
    if options.out:
        about = {"model": options.model, "batch": options.batch, "rounds": options.rounds}
        about["cores"] = len(os.sched_getaffinity(0))
        about["versions"] = {name: importlib.metadata.version(name) for name in VERSIONS}
        options.out.write_text(json.dumps(about | {"seconds": found}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main()
