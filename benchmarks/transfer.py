"""Strategies of transfer beside each other on the tomatoes, split by subject, several seeds each.

ImageNet to tomatoes, MobileNetV1 0.75 with its published weights; CIFAR-10 to tomatoes, a CIFAR
ResNet-32. All rows and seeds have the split that the first run draws. What is finished is not run
again.

    python -m benchmarks.transfer imagenet --weights=mobilenet_v1_0.75_224_float32.npz
    python -m benchmarks.transfer cifar --weights=resnet32.th
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from hairjax.report.ledger import read_ledger

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_suffix(".json")
SCRATCH, PROBE = "full, from scratch", "probe"
PEAK = {f"optim.peak.{group}": 1e-3 for group in ("early", "middle", "late")}
SETS = {
    "imagenet": {
        "common": {
            **PEAK,
            "model.name": "mobilenetv1_075",
            "data.image_size": 96,
            "train.batch_size": 32,
            "train.epochs": 8,
            "optim.warmup_epochs": 1,
        },
        "rows": {
            "head": {"optim.finetune": "head"},
            "last:1": {"optim.finetune": "last:1"},
            "gradual": {"optim.finetune": "gradual", "optim.gradual": "2,1"},
            "full": {},
            "full, layer_decay 0.75": {"optim.layer_decay": 0.75},
            PROBE: {},
            SCRATCH: {},
        },
    },
    "cifar": {
        "common": {
            **PEAK,
            "model.name": "cifar_resnet32",
            "data.image_size": 64,
            "train.batch_size": 32,
            "train.epochs": 8,
            "optim.warmup_epochs": 1,
        },
        "rows": {"head": {"optim.finetune": "head"}, "full": {}, SCRATCH: {}},
    },
}


def run(row: str, keys: dict, workdir: Path, more: list[str]) -> None:
    """Train and look at the test photographs, or probe; nothing where that is done."""
    if (workdir / "test" / "metrics.json").is_file():
        return
    settings = [f"--config.{key}={value}" for key, value in keys.items()]
    launch = [sys.executable, str(ROOT / "launch.py")]
    common = [f"--config={ROOT}/configs/tomato.py", f"--workdir={workdir}", *settings, *more]
    if row == PROBE:
        commands = [[*launch, "probe", *common, f"--split={split}"] for split in SPLITS]
    else:
        judge = ["evaluate", f"--workdir={workdir}", "--split=test"]
        commands = [[*launch, *common], [*launch, *judge]]
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


SPLITS = ("validation", "test")


def measure(row: str, workdirs: list[Path]) -> dict:
    """Mean and standard deviation over the seeds; parameters that train; seconds per epoch."""
    found: dict = {}
    for name in ("accuracy", "quadratic_kappa"):
        values = [json.loads((w / "test" / "metrics.json").read_text())[name] for w in workdirs]
        found[name] = (float(np.mean(values)), float(np.std(values, ddof=1)))
    if row == PROBE:
        return found
    ledger = read_ledger(workdirs[0] / "groups.txt")
    found["trainable"] = sum(e.count for e in ledger if e.trains.startswith("from epoch"))
    # The first epoch compiles; a part that thaws compiles again.
    seconds = [
        json.loads(line)["seconds"]
        for workdir in workdirs
        for line in (workdir / "timing.jsonl").read_text().splitlines()[1:]
    ]
    found["seconds_per_epoch"] = float(np.median(seconds))
    return found


def main() -> None:
    """Run what is not run yet, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--weights", required=True, help="published weights to start from")
    parser.add_argument("--out", default="runs/transfer", help="where the runs go")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "more", nargs="*", help="overrides for all: --config.data.photos=… after --"
    )
    options = parser.parse_args()
    chosen = SETS[options.set]
    split = Path(options.out) / options.set / "head-0" / "split.csv"
    places = {
        row: [
            Path(options.out) / options.set / f"{row.replace(', ', '-').replace(' ', '_')}-{seed}"
            for seed in range(options.seeds)
        ]
        for row in chosen["rows"]
    }
    for seed in range(options.seeds):
        for row, own in chosen["rows"].items():
            keys = {"weights.source": options.weights, "seed": seed, **chosen["common"], **own}
            if row == SCRATCH:
                keys["weights.source"] = "none"
            if places[row][seed] != split.parent:
                keys["data.split"] = split
            run(row, keys, places[row][seed], options.more)
            print(f"{places[row][seed]}", flush=True)
    rows = {row: measure(row, places[row]) for row in chosen["rows"]}
    whole = json.loads(TABLE.read_text()) if TABLE.is_file() else {}
    TABLE.write_text(json.dumps(whole | {options.set: rows}, indent=1) + "\n")
    print("| | accuracy | kappa | parameters that train | seconds per epoch |")
    print("|---|---|---|---|---|")
    for row, found in rows.items():
        cells = ["{:.3f} ± {:.3f}".format(*found[n]) for n in ("accuracy", "quadratic_kappa")]
        cells += [f"{found['trainable']:,}"] if "trainable" in found else ["–"]
        cells += [f"{found['seconds_per_epoch']:.1f}"] if "trainable" in found else ["–"]
        print(f"| {row} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
