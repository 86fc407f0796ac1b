"""Partial fine-tuning: cost of a step and an epoch relative to full fine-tuning.

Strategies alternate in one process on noise images; so do epochs of feature extraction with and
without cached features (training and validation; caching is timed separately). Memory is XLA's plan
of temporaries.

    python -m benchmarks.finetuning --photographs=128 --batch=8 --rounds=7
"""

import argparse
import json
import time
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from benchmarks.training_step import CLASSES, noise, temporary_bytes, training_step
from hairjax.builders.inputs import image_side, stored_side
from hairjax.builders.setup import resolve
from hairjax.config.load import load_config
from hairjax.data.augment import Amounts
from hairjax.data.order import training_batches
from hairjax.data.photoset import PhotoSet
from hairjax.parallel.mesh import make_mesh
from hairjax.runs.run import make_predictor
from hairjax.system.malloc import keep_freed_memory
from hairjax.training.phases import Phase, PhaseData, begin_phase, frozen_stages

STRATEGIES = ("full", "last:1", "head")
OFF = dict.fromkeys(Amounts._fields, 0.0) | {"crop_scale": 1.0}


class Strategy:
    """Compiled step of a strategy, without augmentation, and its state."""

    def __init__(self, config: ConfigDict, photos: PhotoSet, validation: PhotoSet, *, keep: bool):
        self.config, mesh = config, make_mesh(1, 1)
        plain = training_step(config, mesh)
        cached = frozen_stages(plain.frozen) if keep else 0
        run = plain.learner.step(frozen=plain.frozen, cached_stages=cached)
        setup = resolve(config)
        graphdef, self.state = plain.learner.graphdef, plain.begin()
        predict = make_predictor(setup, graphdef, mesh)
        start = time.perf_counter()
        self.material = begin_phase(
            Phase(1, plain.frozen, cached, run),
            self.state.params,
            setup=setup,
            graphdef=graphdef,
            options=plain.learner.options,
            whole=PhaseData(photos, np.arange(len(photos)), validation, predict),
        )
        self.preparation = time.perf_counter() - start
        batch = self.material.photos.images[: config.train.batch_size]
        shape = jax.ShapeDtypeStruct(batch.shape, batch.dtype)
        self.step = plain._replace(run=run, photos=shape).lower().compile()

    def plan(self) -> dict[str, float]:
        """FLOPs and temporary memory of a step, from XLA."""
        work = self.step.cost_analysis()
        assert work, "XLA counts the operations of its programs"
        return {
            "gflop": round(work["flops"] / 1e9, 1),
            "temporaries_mib": round(temporary_bytes(self.step) / 2**20, 1),
        }

    def epoch(self, steps: int) -> list[float]:
        """Seconds of each training step, then of validation."""
        size, marks = self.config.train.batch_size, [time.perf_counter()]
        photos, train = self.material.photos, self.material.train
        batches = training_batches(
            photos,
            train,
            range(steps),
            seed=0,
            balanced=False,
            batch_size=size,
            share=slice(0, size),
        )
        for images, labels in batches:
            self.state, loss = self.step(self.state, images, labels)
            loss.block_until_ready()
            marks.append(time.perf_counter())
        self.material.predict(self.state.params, self.material.validation)
        return np.diff([*marks, time.perf_counter()]).tolist()


def noise_photographs(count: int, side: int) -> PhotoSet:
    """Noise images."""
    names = tuple(map(str, range(count)))
    return PhotoSet(
        images=noise(count, side),
        labels=np.arange(count, dtype=np.int32) % CLASSES,
        files=names,
        subjects=names,
        sha256=names,
        classes=tuple(f"level_{i}" for i in range(CLASSES)),
        has_masks=True,
    )


def measure(config: ConfigDict, photographs: int, rounds: int) -> dict:
    """Time the steps of all strategies and the epochs of feature extraction, alternating."""
    side, batch = stored_side(config.data.stored_size, image_side(config)), config.train.batch_size
    photos, validation = (
        noise_photographs(photographs, side),
        noise_photographs(photographs // 8, side),
    )
    programs = {}
    for name in (*STRATEGIES, "head, maps kept"):
        chosen = config.copy_and_resolve_references()
        chosen.optim.finetune = name.partition(",")[0]
        chosen.augment.update(OFF)
        programs[name] = Strategy(chosen, photos, validation, keep="kept" in name)
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, program in programs.items():
            (spent, _) = program.epoch(1)
            if number:  # the first round warms up
                seconds[name].append(spent)
    medians = {name: float(np.median(found)) for name, found in seconds.items()}
    steps, epochs = photographs // batch, {}
    for name in ("head, maps kept", "head"):
        epochs[name] = [sum(programs[name].epoch(steps)) for _ in range(max(rounds // 2, 1))]
    return {
        "model": config.model.name,
        "device": jax.devices()[0].device_kind,
        "batch": batch,
        "photographs": photographs,
        "rounds": rounds,
        "steps": {
            name: {
                "seconds": [round(float(q), 4) for q in np.quantile(seconds[name], [0, 0.5, 1])],
                "of_full": round(medians[name] / medians["full"], 4),
                **program.plan(),
            }
            for name, program in programs.items()
        },
        "epoch_seconds": {name: round(float(np.median(v)), 3) for name, v in epochs.items()},
        "epoch_ratio": round(
            float(np.median(epochs["head"]) / np.median(epochs["head, maps kept"])), 1
        ),
        "maps_computed_seconds": round(programs["head, maps kept"].preparation, 1),
    }


def table(result: dict) -> str:
    """Markdown table of the steps."""
    lines = ["| strategy | step, s | of full | GFLOP | temporaries, MiB |", "|---|---|---|---|---|"]
    for name, row in result["steps"].items():
        low, median, high = row["seconds"]
        lines.append(
            f"| {name} | {median:.3f} ({low:.3f} … {high:.3f}) | {row['of_full']:.3f} | "
            f"{row['gflop']:,} | {row['temporaries_mib']:,} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, write JSON and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/top.py")
    parser.add_argument("--photographs", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/finetuning.json"))
    options = parser.parse_args()
    keep_freed_memory()
    config = load_config(options.config)
    config.train.batch_size = options.batch
    result = measure(config, options.photographs, options.rounds)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result), table(result), sep="\n")


if __name__ == "__main__":
    main()
