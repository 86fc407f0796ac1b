"""Accuracy of published ResNets on the CIFAR-10 test set, through hairjax's evaluation.

python -m benchmarks.cifar_resnets --photos=CIFAR10/test --weights=FOLDER

Needs a folder per class, and weights of https://github.com/akamaster/pytorch_resnet_cifar10
(`*resnet20*.th` and so on; missing ones are skipped).
"""

import argparse
import os
from pathlib import Path

import numpy as np
from flax import nnx

import hairjax
from benchmarks.read_options import read_options
from hairjax.data.inputs import InputSpecification
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.read import prepare
from hairjax.data.sources.photos import Search, find_photos
from hairjax.data.sources.problems import describe_problems
from hairjax.evaluation.inference import make_predict
from hairjax.parallel.mesh import make_mesh
from hairjax.system.errors import UserError

SIDE, BATCH = 32, 500


def read(folder: str) -> PhotoSet:
    """Load all images at their own size."""
    index = find_photos(
        Search(photos=folder, masks="", manifest="", subject="", classes=None, need_masks=False)
    )
    photos, problems = prepare(
        index, read_options(SIDE, os.cpu_count() or 1), lambda done, total: None
    )
    if problems:
        raise UserError(describe_problems(problems))
    return photos


def accuracy(name: str, weights: Path, photos: PhotoSet) -> float:
    """Accuracy of a model."""
    model = hairjax.create_model(name, weights=str(weights), num_classes=len(photos.classes))
    graphdef, state = nnx.split(model)
    input_spec = InputSpecification(side=SIDE, channels=(3,), normalise=("imagenet",))
    predict = make_predict(graphdef, make_mesh(1, 1), input_spec=input_spec, batch_size=BATCH)
    predictions = predict(nnx.to_pure_dict(state), photos)
    return float(np.mean(predictions.probabilities.argmax(axis=1) == photos.labels))


def main() -> None:
    """Print one line per network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", required=True, help="a folder per class")
    parser.add_argument("--weights", required=True, type=Path, help="a folder with *resnet*.th")
    options = parser.parse_args()
    photos = read(options.photos)
    print(f"{len(photos):,} pictures of {', '.join(photos.classes)}")
    for depth in (20, 32, 44, 56):
        for weights in sorted(options.weights.glob(f"*resnet{depth}*.th")):
            share = accuracy(f"cifar_resnet{depth}", weights, photos)
            print(f"ResNet-{depth}: {share:.2%} ({weights.name})", flush=True)


if __name__ == "__main__":
    main()
