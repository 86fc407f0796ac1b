"""Transfer strategies on the tomatoes, split by subject, over several seeds.

ImageNet to tomatoes (MobileNetV1 0.75, published Keras weights); CIFAR-10 to tomatoes (Idelbayev's
ResNet-32); both combined, or RGB and mask, beside each separately; families from scratch, on the
tomatoes and a fifth of CIFAR-10. All share the split of the first run; finished runs are not
repeated.

    python -m benchmarks.transfer strategies --imagenet=mobilenet_v1_0.75_224_float32.npz
    python -m benchmarks.transfer cifar --cifar=resnet32.th
    python -m benchmarks.transfer together --imagenet=… --cifar=…
    python -m benchmarks.transfer scratch
    python -m benchmarks.transfer pictures --pictures=CIFAR10
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from hairjax.optim.parameter_table import read_groups_csv

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_suffix(".json")
SPLITS = ("validation", "test")
PROBE = "probe"
IMAGENET, CIFAR = "mobilenetv1_075", "cifar_resnet32"  # models of the given weights
Keys = dict[str, object]
COMMON: Keys = {
    **{f"optim.peak.{group}": 1e-3 for group in ("early", "middle", "late")},
    "train.batch_size": 32,
    "train.epochs": 8,
    "optim.warmup_epochs": 1,
}
# At the default rate a Swin-T from scratch stays at chance.
SCRATCH = {
    **{f"optim.peak.{group}": 2e-4 for group in ("early", "middle", "late")},
    "weights.source": "none",
    "data.image_size": 64,
}
PICTURES = {
    "weights.source": "none",
    "data.image_size": 32,
    "data.stored_size": 32,
    "data.fractions": "0.2,0.1,0.7",
    "train.batch_size": 64,
}
LAST = {"optim.finetune": "last:1", "data.image_size": 64}
STRATEGIES: dict[str, Keys] = {
    "head": {"optim.finetune": "head"},
    "last:1": {"optim.finetune": "last:1"},
    "gradual": {"optim.finetune": "gradual", "optim.gradual": "2,1"},
    "full": {},
    "full, layer_decay 0.75": {"optim.layer_decay": 0.75},
    PROBE: {},
    "full, from scratch": {"weights.source": "none"},
}
# Rows: overrides of the configuration, or the rows to ensemble.
SETS: dict[str, dict[str, Keys | tuple[str, ...]]] = {
    "strategies": {
        row: {"model.name": IMAGENET, "weights.source": IMAGENET, "data.image_size": 64, **own}
        for row, own in STRATEGIES.items()
    },
    "cifar": {
        row: {"model.name": CIFAR, "weights.source": CIFAR, "data.image_size": 64, **own}
        for row, own in STRATEGIES.items()
        if row in ("head", "full", "full, from scratch")
    },
    "scratch": {
        "Swin-T": {"model.name": "swin_tiny_patch4_window7_224", **SCRATCH},
        "ResNet-50": {"model.name": "resnet50", **SCRATCH},
        "EfficientNet-B3": {"model.name": "efficientnet_b3", **SCRATCH},
    },
    "pictures": {
        "ResNet-32": {"model.name": CIFAR, **PICTURES},
        "VGG16 with batch norm": {"model.name": "vgg16_bn", **PICTURES},
    },
    "together": {
        "MobileNetV1": {"model.name": IMAGENET, "weights.source": IMAGENET, **LAST},
        "ResNet-32": {"model.name": CIFAR, "weights.source": CIFAR, **LAST},
        "both, ensemble": ("MobileNetV1", "ResNet-32"),
        "both, feature fusion": {
            "model.name": IMAGENET,
            "weights.source": IMAGENET,
            "model.second": CIFAR,
            "weights.second": CIFAR,
            **LAST,
        },
        "MobileNetV1, RGB": {
            "model.name": IMAGENET,
            "weights.source": IMAGENET,
            "model.in_channels": 3,
            **LAST,
        },
        "MobileNetV1, mask": {
            "model.name": IMAGENET,
            "weights.source": IMAGENET,
            "model.in_channels": 1,
            **LAST,
        },
        "RGB and mask, ensemble": ("MobileNetV1, RGB", "MobileNetV1, mask"),
        "RGB and mask, two streams": {
            "model.name": IMAGENET,
            "weights.source": IMAGENET,
            "model.second": IMAGENET,
            "model.second_sees": "mask",
            **LAST,
        },
    },
}


def commands(
    row: str, own: Keys | tuple[str, ...], folder: Path, seed: int, options: argparse.Namespace
) -> list[list[str]]:
    """Commands of a row: train and evaluate on test; probe; or ensemble and evaluate."""
    workdir = place(folder, row, seed)
    to = f"--workdir={workdir}"
    if isinstance(own, tuple):
        members = [str(place(folder, name, seed)) for name in own]
        return [["ensemble", *members, f"--split={split}", to] for split in SPLITS]
    files: dict[object, str | None] = {IMAGENET: options.imagenet, CIFAR: options.cifar}
    keys = {**COMMON, **own, "seed": seed}
    keys |= {
        key: files[own[key]] for key in own if key.startswith("weights.") and own[key] in files
    }
    split = folder / "split.csv"
    if split.is_file():
        keys["data.split"] = split
    config = "tomato"
    if options.set == "pictures":
        config, keys["data.photos"] = "cifar10", f"{options.pictures}/train"
    common = [f"--config={ROOT}/configs/{config}.py", to, *options.more]
    common += [f"--config.{key}={value}" for key, value in keys.items()]
    if row == PROBE:
        return [["probe", *common, "--split=test"]]
    return [common, ["evaluate", to, "--split=test"]]


def place(folder: Path, row: str, seed: int) -> Path:
    """Run directory of a row."""
    return folder / f"{row.replace(', ', '-').replace(' ', '_')}-{seed}"


def measure(workdirs: list[Path]) -> dict:
    """Mean and standard deviation over seeds; trainable parameters; seconds per epoch."""
    found: dict = {}
    for name in ("accuracy", "quadratic_kappa"):
        values = [json.loads((w / "test" / "metrics.json").read_text())[name] for w in workdirs]
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        found[name] = (float(np.mean(values)), spread)
    if not (workdirs[0] / "groups.csv").is_file():
        return found
    rows = read_groups_csv(workdirs[0] / "groups.csv")
    found["trainable"] = sum(row.count for row in rows if row.is_parameter and row.first_epoch)
    # Without the epochs that compile: the first, and those after unfreezing.
    seconds = [
        json.loads(line)["seconds"]
        for workdir in workdirs
        for line in (workdir / "timing.jsonl").read_text().splitlines()[1:]
    ]
    found["seconds_per_epoch"] = float(np.median(seconds))
    return found


def main() -> None:
    """Run unfinished rows and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--imagenet", help="MobileNetV1 0.75's published weights")
    parser.add_argument("--cifar", help="the CIFAR ResNet-32's published weights")
    parser.add_argument("--pictures", help="CIFAR-10 as pictures, train/CLASS/…")
    parser.add_argument("--out", default="runs/transfer", help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "more", nargs="*", help="overrides for all: --config.data.photos=… after --"
    )
    options = parser.parse_args()
    chosen, folder = SETS[options.set], Path(options.out) / options.set
    launch = [sys.executable, str(ROOT / "launch.py")]
    for seed in range(options.seeds):
        for row, own in chosen.items():
            workdir = place(folder, row, seed)
            if not (workdir / "test" / "metrics.json").is_file():
                for command in commands(row, own, folder, seed, options):
                    subprocess.run([*launch, *command], check=True, stdout=subprocess.DEVNULL)
            if not (folder / "split.csv").is_file():
                shutil.copy(workdir / "split.csv", folder / "split.csv")
            print(workdir, flush=True)
    rows = {
        row: measure([place(folder, row, seed) for seed in range(options.seeds)]) for row in chosen
    }
    whole = json.loads(TABLE.read_text()) if TABLE.is_file() else {}
    TABLE.write_text(json.dumps(whole | {options.set: rows}, indent=1) + "\n")
    print("| | accuracy | kappa | parameters that train | seconds per epoch |")
    print("|---|---|---|---|---|")
    for row, found in rows.items():
        both = [found[name] for name in ("accuracy", "quadratic_kappa")]
        cells = [f"{mean:.3f}" + (f" ± {sd:.3f}" if sd is not None else "") for mean, sd in both]
        cells += [f"{found['trainable']:,}"] if "trainable" in found else ["–"]
        cells += [f"{found['seconds_per_epoch']:.1f}"] if "trainable" in found else ["–"]
        print(f"| {row} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
