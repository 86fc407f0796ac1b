"""Compile time of the training step: Swin-B, with three times the blocks, relative to Swin-T.

The recipe's step with augmentation, clipping and AdamW, without a compilation cache, in alternating
rounds. CPU seconds are more reliable than wall-clock seconds on a shared machine.

    python -m benchmarks.compile_time --rounds=3 --out=compile_time.json
"""

import argparse
import json
import time
from pathlib import Path

import jax
import numpy as np

from benchmarks.training_step import training_step
from hairjax.config.load import load_config
from hairjax.parallel.mesh import make_mesh

MODELS = ("swin_tiny_patch4_window7_224", "swin_base_patch4_window7_224")
TARGET = 1.5  # times the first model's seconds
Seconds = dict[str, float]


def lower_step(name: str, dtype: str) -> jax.stages.Lowered:
    """Lower the recipe's training step for a model."""
    config = load_config("configs/top.py")
    config.model.name, config.model.dtype = name, dtype
    return training_step(config, make_mesh(1, 1)).lower()


def compile_once(name: str, dtype: str) -> Seconds:
    """Seconds of lowering, compilation, both, and CPU seconds."""
    jax.clear_caches()
    wall, cpu = time.perf_counter(), time.process_time()
    lowered = lower_step(name, dtype)
    traced = time.perf_counter()
    lowered.compile()
    end = time.perf_counter()
    return {
        "lower": traced - wall,
        "compile": end - traced,
        "both": end - wall,
        "processor": time.process_time() - cpu,
    }


def summary(rounds: list[Seconds]) -> dict[str, dict[str, float]]:
    """Median, minimum and maximum of each kind of seconds."""
    return {
        kind: {
            "median": round(float(np.median(found)), 2),
            "least": round(min(found), 2),
            "most": round(max(found), 2),
        }
        for kind in rounds[0]
        for found in [[seconds[kind] for seconds in rounds]]
    }


def main() -> None:
    """Print a table; write JSON with --out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="auto", help="auto, float32 or bfloat16")
    parser.add_argument("--models", nargs=2, default=MODELS, help="the second against the first")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)
    first, second = options.models
    # Warm-up: imports and XLA initialisation.
    jax.jit(lambda x: x + 1)(1.0)
    lower_step(first, options.dtype)
    rounds: dict[str, list[Seconds]] = {first: [], second: []}
    for number in range(options.rounds):
        for name, found in rounds.items():
            found.append(compile_once(name, options.dtype))
            print(f"round {number + 1}, {name}: {found[-1]['both']:.1f} s", flush=True)

    def times(kind: str) -> list[float]:
        pairs = zip(rounds[first], rounds[second], strict=True)
        return [round(large[kind] / small[kind], 2) for small, large in pairs]

    result = {
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "dtype": options.dtype,
        "seconds": {name: summary(found) for name, found in rounds.items()},
        "times_the_first": {kind: times(kind) for kind in ("both", "processor")},
        "target": TARGET,
    }
    print("| | lower | compile | both, median (least – most) | processor |\n|---|---|---|---|---|")
    for name, row in result["seconds"].items():
        both = "{median} ({least} – {most}) s".format(**row["both"])
        others = [f"{row[kind]['median']} s" for kind in ("lower", "compile", "processor")]
        print(f"| {name} | {others[0]} | {others[1]} | {both} | {others[2]} |")
    wall, cpu = (float(np.median(times(kind))) for kind in ("both", "processor"))
    print(f"{second}: {wall:.2f} × {first} ({cpu:.2f} by the processor); goal: at most {TARGET}")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
