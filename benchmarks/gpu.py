"""All measurements on one GPU, relative to timm under ``torch.compile``.

    python -m benchmarks.gpu --out=gpu.json

Each program (side, model, batch) compiles in its own process, all in parallel; then they alternate
by batch: training steps and inference on random uint8 images on the device, and a large matrix
product as reference of the utilisation. Last, the full recipe from JPEGs to the report. Failed or
timed-out parts are recorded in the table.

Needs `requirements.txt`, torch, timm and a C compiler, but no network. Beside torch, timm, jax with
CUDA, flax, optax, orbax and scikit-learn these are wheels for --no-deps: ml-collections, einops,
psutil, grain, portpicker, array-record, tensorflow-datasets, tensorflow-metadata,
googleapis-common-protos, dm-tree, immutabledict, promise, simple-parsing, docstring-parser,
termcolor, toml, importlib-resources.

Dry run on a CPU with tiny sizes: --small.
"""

import argparse
import functools
import json
import os
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.flops import forward_flops, training_flops
from benchmarks.workers import Worker, in_turns

SIDES = {"hairjax": "benchmarks.ours", "timm torch.compile": "benchmarks.peer"}
TINY, BASE = "swin_tiny_patch4_window7_224", "swin_base_patch4_window7_224"
MINI = "swin_mini_patch4_window4_64"
FUSED = "fused attention"  # off by default in timm's Swin; measured at one batch size
CHANNELS, CLASSES = 6, 4
COMPILING, RECIPE = 0.5, 0.25  # fractions of the time for compilation and for the recipe
PARTS = ("steps", "recipe")


class Job(NamedTuple):
    """A program to compile and run."""

    side: str
    model: str
    batch: int
    inference: bool
    variant: str

    @property
    def name(self) -> str:
        return f"{self.side}, {self.variant}" if self.variant else self.side


def summary(seconds: list[float], per_run: float) -> dict[str, float]:
    """Median and quartiles of a rate: ``per_run`` over seconds."""
    low, middle, high = np.quantile(per_run / np.array(seconds), (0.25, 0.5, 0.75))
    return {"median": float(middle), "low": float(low), "high": float(high)}


def memory_per_image(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Additional device memory per image, in bytes by side, from the smallest and largest batch."""
    peaks: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        if row["peak_memory_bytes"] is not None:
            peaks.setdefault(row["side"], []).append((row["batch"], row["peak_memory_bytes"]))
    ends = {side: (min(found), max(found)) for side, found in peaks.items()}
    return {
        side: (most - least) / (large - small)
        for side, ((small, least), (large, most)) in ends.items()
        if large > small
    }


class Benchmark:
    """Measurements to make, results, and time left."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.begun = time.monotonic()
        self.end = self.begun + 60 * options.minutes
        self.result: dict[str, Any] = {"rows": [], "errors": {}, "seconds": {}}
        self.workers: dict[Job, Worker] = {}

    def jobs(self) -> list[Job]:
        """The programs; inference and variants at the middle batch size of each model."""
        models, parts = self.options.models, self.options.parts
        found = [Job("hairjax", models[0], self.options.recipe_batch, False, "")]
        for model, batches in zip(models, self.options.batches, strict=True):
            middle = batches[len(batches) // 2]
            for batch in batches if "steps" in parts else ():
                found += [Job(side, model, batch, batch == middle, "") for side in SIDES]
                if batch == middle:
                    found.append(Job("timm torch.compile", model, batch, False, FUSED))
        return list(dict.fromkeys(found))  # without repetition of the recipe's

    def fail(self, label: str, error: object) -> None:
        """Record and print an error."""
        self.result["errors"][label] = str(error)
        print(f"FAILED {label}: {error}", flush=True)

    def compile(self) -> None:
        """Start all processes and matrix products; wait until they are ready."""
        for job in self.jobs():
            self.workers[job] = Worker(SIDES[job.side])
            self.workers[job].tell("prepare", *job[1:])
        deadline = self.begun + COMPILING * 60 * self.options.minutes
        for job, worker in list(self.workers.items()):
            try:
                worker.answer(deadline)
            except (RuntimeError, OSError) as error:
                self.fail(f"compiling {job}", error)
                self.workers.pop(job).close()
        self.result["seconds"]["compiling all programs at once"] = time.monotonic() - self.begun

    def matmul(self) -> None:
        """Rate of a large dense bfloat16 product, the reference of the utilisation."""
        size, workers = (
            self.options.matmul,
            {side: Worker(module) for side, module in SIDES.items()},
        )
        for side, worker in list(workers.items()):
            try:
                worker.ask(self.end, "matmul", size)
            except (RuntimeError, OSError) as error:
                self.fail(f"matrix product, {side}", error)
                workers.pop(side).close()
        for side, seconds in in_turns(workers, "matmul", self.end).items():
            if isinstance(seconds, str):
                self.fail(f"matrix product, {side}", seconds)
            else:
                row = {"kind": "matmul", "side": side, "size": size}
                self.result["rows"].append(row | {"tflops": summary(seconds, 2e-12 * size**3)})
        for worker in workers.values():
            worker.close()

    def measure(self, model: str, batch: int) -> None:
        """Run all programs of a model and batch size, alternating."""
        matching = {
            job: w for job, w in self.workers.items() if (job.model, job.batch) == (model, batch)
        }
        deadline = self.end - (RECIPE * 60 * self.options.minutes)
        for kind in ("training", "inference"):
            able = {
                job.name: w for job, w in matching.items() if kind == "training" or job.inference
            }
            for name, seconds in in_turns(able, kind, deadline).items():
                label = f"{kind}, {model}, batch {batch}, {name}"
                if isinstance(seconds, str):
                    self.fail(label, seconds)
                    continue
                rate = summary(seconds, batch)
                row: dict[str, Any] = {"kind": kind, "model": model, "batch": batch, "side": name}
                row |= {"images_per_second": rate, **able[name].ask(deadline, "describe")}
                self.result["rows"].append(row)
                print(f"{label}: {rate['median']:.1f} images/s", flush=True)
        for job, worker in matching.items():
            if job.side == "hairjax" and job.inference:
                try:
                    traced = worker.ask(deadline, "trace")
                    self.result.setdefault("longest_kernels_ms", {})[f"{model}, {batch}"] = traced
                except (RuntimeError, OSError) as error:
                    self.fail(f"trace, {model}, batch {batch}", error)
            self.workers.pop(job).close()

    def recipe(self, folder: Path, written: Future) -> None:
        """Run the recipe from command to report, after all other processes."""
        from benchmarks.recipe import run

        self.result["seconds"]["writing photographs"] = written.result()
        bare = [
            row["images_per_second"]["median"]
            for row in self.result["rows"]
            if (row["kind"], row["side"]) == ("training", "hairjax")
            and (row["model"], row["batch"]) == (self.options.models[0], self.options.recipe_batch)
        ]
        if not bare:
            raise RuntimeError("the bare step of its batch was not measured")
        excluded = ("XLA_PYTHON_CLIENT_PREALLOCATE", "TORCHINDUCTOR_CACHE_DIR")
        self.result["recipe"] = run(
            folder / "set",
            folder / "run",
            [f"--config.model.name={self.options.models[0]}", *self.options.overrides],
            self.options.epochs,
            self.options.recipe_batch,
            self.options.recipe_batch / bare[0],
            self.end - time.monotonic() - 5,
            {name: value for name, value in os.environ.items() if name not in excluded},
        )

    def conclude(self) -> None:
        """Best batch of each side, their ratio, and the device utilisation."""
        rows = self.result["rows"]
        products = [row["tflops"]["median"] for row in rows if row["kind"] == "matmul"]
        for kind, flops in (("training", training_flops), ("inference", forward_flops)):
            for model in self.options.models:
                best: dict[str, dict] = {}
                matching = [row for row in rows if (row["kind"], row.get("model")) == (kind, model)]
                for row in matching:
                    side, rate = row["side"].split(",")[0], row["images_per_second"]["median"]
                    if side not in best or rate > best[side]["images_per_second"]["median"]:
                        best[side] = row
                found: dict[str, Any] = {"best": best}
                if kind == "training":
                    found["bytes_per_image"] = memory_per_image(matching)
                rates = {side: row["images_per_second"]["median"] for side, row in best.items()}
                if len(rates) == len(SIDES):
                    found["ours_faster"] = rates["hairjax"] / rates["timm torch.compile"]
                if products:
                    found["flops_per_image"] = flops(model, CHANNELS, CLASSES)
                    found["utilisation"] = {
                        side: rate * found["flops_per_image"] / 1e12 / max(products)
                        for side, rate in rates.items()
                    }
                self.result.setdefault("best", {})[f"{kind}, {model}"] = found


def table(result: dict[str, Any]) -> None:
    """Print the results."""
    print("\n| | model | batch | side | images/s (quartiles) | peak memory |")
    print("|---|---|---|---|---|---|")
    for row in result["rows"]:
        if row["kind"] == "matmul":
            print("| matmul | | {size} | {side} | {tflops[median]:.0f} TFLOP/s | |".format(**row))
            continue
        rate = "{median:.1f} ({low:.1f} – {high:.1f})".format(**row["images_per_second"])
        memory = f"{(row['peak_memory_bytes'] or 0) / 2**30:.1f} GiB"
        print("| {kind} | {model} | {batch} | {side} ".format(**row) + f"| {rate} | {memory} |")
    for name, found in result["best"].items():
        shares = ", ".join(f"{side} {s:.1%}" for side, s in found.get("utilisation", {}).items())
        print(f"{name}: ours {found.get('ours_faster', float('nan')):.2f} × timm; used: {shares}")
        for side, size in found.get("bytes_per_image", {}).items():
            print(f"{name}: a further image of a batch takes {side} {size / 2**20:.1f} MiB")
    print(json.dumps(result.get("recipe", {}), indent=1))
    for label, error in result["errors"].items():
        print(f"FAILED {label}: {error.strip().splitlines()[-1]}")


def read_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=7.8, help="time limit of all parts")
    parser.add_argument("--models", nargs="+", default=[TINY, BASE])
    parser.add_argument("--batches", nargs="+", default=["128,256,512", "128,256"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--epochs", type=int, default=100, help="of the recipe, if time allows")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    sizes = {"matmul": 8192, "recipe_batch": 32, "count": 3200, "drawn": 200, "side": 1024}
    options.overrides = []
    if options.small:
        options.models, options.batches, options.epochs = [MINI], ["4,8"], 3
        sizes = {"matmul": 256, "recipe_batch": 4, "count": 80, "drawn": 40, "side": 128}
        options.overrides = ["--config.train.batch_size=4", "--config.train.log_every=2"]
    options.batches = [list(map(int, batches.split(","))) for batches in options.batches]
    for name, value in sizes.items():
        setattr(options, name, value)
    return options


def main() -> None:
    """Measure all parts, writing the results after each."""
    options = read_options()
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # the sides share the device
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "4")
    benchmark = Benchmark(options)
    result = benchmark.result
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(1) as pool:
        from benchmarks.recipe import write_photographs

        os.environ["TORCHINDUCTOR_CACHE_DIR"] = f"{name}/inductor"
        folder = Path(name)
        written = pool.submit(
            write_photographs, folder / "set", options.count, options.drawn, options.side
        )
        parts: list[tuple[str, Callable[[], None]]] = [
            ("compiling", benchmark.compile),
            ("matrix product", benchmark.matmul),
        ]
        for place in dict.fromkeys((job.model, job.batch) for job in benchmark.jobs()):
            measure = functools.partial(benchmark.measure, *place)
            parts.append((f"{place[0]}, batch {place[1]}", measure))
        if "recipe" in options.parts:
            parts.append(("recipe", lambda: benchmark.recipe(folder, written)))
        parts.append(("conclusion", benchmark.conclude))
        for part, do in parts:
            try:
                do()
            except Exception:
                benchmark.fail(part, traceback.format_exc())
            result["seconds"][f"at the end of {part}"] = time.monotonic() - benchmark.begun
            options.out.write_text(json.dumps(result, indent=1, default=str) + "\n")
        for worker in benchmark.workers.values():
            worker.close()
    table(result)


if __name__ == "__main__":
    main()
