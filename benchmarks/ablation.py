"""Ablation of the mask and the stem rule: cross-validation on the tomatoes, by subject.

All variants share five folds; finished runs are not repeated.

    python launch.py --config=configs/cifar10.py --config.data.photos=CIFAR10/train
    python -m benchmarks.ablation --weights=runs/cifar10
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from hairjax.evaluation.metrics.classification import evaluate
from hairjax.evaluation.metrics.intervals import mean_interval
from hairjax.evaluation.predictions import Predictions
from hairjax.runs.results import measure
from hairjax.studies.folds import read_folds

FOLDS = 5
ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_suffix(".json")
# Overrides of configs/tomato.py, with fewer epochs, initialised from the weights.
VARIANTS: dict[str, dict[str, object]] = {
    "RGB and mask, copy": {},
    "RGB and mask, zero": {"weights.stem": "zero"},
    "RGB and mask, mean": {"weights.stem": "mean"},
    "RGB and mask, random_mask": {"weights.stem": "random_mask"},
    "RGB and mask, random_all": {"weights.stem": "random_all"},
    "RGB alone": {"model.in_channels": 3},
    "mask alone": {"model.in_channels": 1},
    "RGB and mask, from scratch": {"weights.source": "none"},
}
COMMON = {"train.epochs": 15, "optim.warmup_epochs": 1, "data.folds": FOLDS}


def run_folds(variant: str, options: argparse.Namespace) -> Predictions:
    """Train a variant on every fold; return the pooled out-of-fold predictions."""
    workdir = Path(options.out) / variant.replace(", ", "-").replace(" ", "_")
    keys = {**COMMON, "weights.source": options.weights, **VARIANTS[variant]}
    command = [sys.executable, str(ROOT / "launch.py"), "folds"]
    command += [f"--config={ROOT}/configs/tomato.py", f"--workdir={workdir}"]
    command += [f"--config.{key}={value}" for key, value in keys.items()] + options.more
    # All folds share their compiled programs.
    cache = {"JAX_COMPILATION_CACHE_DIR": str(Path("runs/compiled").absolute())}
    environment = {**cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5", **os.environ}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return read_folds(workdir, "test").predictions


def difference(predictions: Predictions, other: Predictions) -> tuple[float, float, float]:
    """Difference in accuracy of ``mine`` and ``other``, with a 95 % interval over subjects."""
    place = {file: i for i, file in enumerate(other.files)}
    order = [place[file] for file in predictions.files]
    right = (predictions.predicted == predictions.labels).astype(float)
    right -= (other.predicted == other.labels)[order]
    value, interval = mean_interval(right, predictions.subjects, (-1.0, 1.0))
    return value, *(interval or (np.nan, np.nan))


def main() -> None:
    """Run unfinished variants and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="a run on RGB to start from")
    parser.add_argument("--out", default="runs/ablation", help="folder of the runs")
    parser.add_argument(
        "more", nargs="*", help="overrides for all: --config.data.photos=… after --"
    )
    options = parser.parse_args()
    whole = {}
    for variant in VARIANTS:
        whole[variant] = run_folds(variant, options)
        found = evaluate(whole[variant].labels, whole[variant].probabilities)
        print(f"{variant}: {found['accuracy']:.3f}", flush=True)
    reference = next(iter(VARIANTS))
    rows = {variant: row_of(whole[variant], whole[reference]) for variant in VARIANTS}
    TABLE.write_text(json.dumps(rows, indent=1) + "\n")
    print("| | accuracy | kappa | accuracy less the first |\n|---|---|---|---|")
    for variant, row in rows.items():
        cells = ("{:.3f} ({:.3f} – {:.3f})".format(*cell) if cell else "" for cell in row.values())
        print(f"| {variant} | " + " | ".join(cells) + " |")


def row_of(predictions: Predictions, reference: Predictions) -> dict[str, tuple | None]:
    """Accuracy, kappa and difference from a reference (None for itself), with intervals."""
    found = measure(predictions)
    names = ("accuracy", "quadratic_kappa")
    ends = {name: found.intervals[name] or (np.nan, np.nan) for name in names}
    return {name: (found.metrics[name], *ends[name]) for name in names} | {
        "difference": None if predictions is reference else difference(predictions, reference)
    }


if __name__ == "__main__":
    main()
