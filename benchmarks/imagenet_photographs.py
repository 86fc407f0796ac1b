"""Top-3 ImageNet predictions for images, through hairjax's evaluation.

python -m benchmarks.imagenet_photographs --model=mobilenetv1_075 --weights=FILE \
    --labels=LABELS.txt PHOTO ...

One label per line and class; an additional first line is the background.
"""

import argparse
from pathlib import Path

import jax
from flax import nnx

import hairjax
from benchmarks.read_options import read_options
from hairjax.data.inputs import InputSpecification
from hairjax.data.prepare.read import prepare
from hairjax.data.sources.problems import describe_problems
from hairjax.data.sources.unlabelled import pair_photos
from hairjax.evaluation.inference import make_predict
from hairjax.models.factory import native_size
from hairjax.models.table import VARIANTS
from hairjax.parallel.mesh import make_mesh
from hairjax.system.errors import UserError


def main() -> None:
    """Print the top-3 classes of every image."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--labels", required=True, type=Path)
    parser.add_argument("photos", nargs="+")
    options = parser.parse_args()
    model = hairjax.create_model(options.model, weights=options.weights)
    names = options.labels.read_text().splitlines()
    names = names[len(names) - model.head.classifier.out_features :]
    side = native_size(options.model)
    # Numbered, as ImageNet repeats two names.
    numbered = tuple(f"{i} {name}" for i, name in enumerate(names))
    index = pair_photos(options.photos, None, numbered)
    photos, problems = prepare(index, read_options(side, 1), lambda done, total: None)
    if problems:
        raise UserError(describe_problems(problems))
    graphdef, state = nnx.split(model)
    input_spec = InputSpecification(
        side, channels=(3,), normalise=(VARIANTS[options.model].family.normalise,)
    )
    predict = make_predict(graphdef, make_mesh(1, 1), input_spec=input_spec, batch_size=len(photos))
    predictions = predict(nnx.to_pure_dict(state), photos)
    values, classes = jax.lax.top_k(predictions.probabilities, 3)
    for file, shares, places in zip(predictions.files, values, classes, strict=True):
        top = ", ".join(f"{names[c]} {s:.2f}" for c, s in zip(places, shares, strict=True))
        print(f"{Path(file).name}: {top}")


if __name__ == "__main__":
    main()
