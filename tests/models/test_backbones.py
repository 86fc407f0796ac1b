"""Every family computes what its reference does, from small stored activations."""

import functools
import json
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

import hairjax
from hairjax.models import table as families
from hairjax.models.table import VARIANTS, Variant
from tests.cases import others_slow
from tests.reference.drawn import drawn, drawn_keras, photographs

# Written by make_backbones.py there, with torch, timm and torchvision.
REFERENCE = Path(__file__).parents[1] / "reference"
SHAPES = json.loads((REFERENCE / "backbones.json").read_text())
UNOPTIMIZED = {"xla_backend_optimization_level": 0}

_NET = {"width": 64, "depths": (1, 2, 1, 1), "cifar": False}
_NARROW = {"width": 0.25, "depth": 1.0}
_VGG = {"depths": (2, 2, 3, 3, 3), "widths": (8, 16, 24, 32, 32), "dense": 24}
CASES = {
    "resnet": (_NET | {"bottleneck": False}, families.RESNET),
    "resnet_bottleneck": (_NET | {"bottleneck": True}, families.RESNET),
    "resnet_cifar": (
        {"width": 16, "depths": (2, 2, 2), "cifar": True, "bottleneck": False},
        families.RESNET,
    ),
    "efficientnet_tensorflow": (_NARROW | {"tensorflow": True}, families.TF_EFFICIENTNET),
    "efficientnet_torchvision": (_NARROW | {"tensorflow": False}, families.EFFICIENTNET),
    "mobilenetv1": ({"generation": 1, "width": 0.25}, families.MOBILENET_V1),
    "mobilenetv2": ({"generation": 2, "width": 0.25}, families.MOBILENET_V2),
    "mobilenetv2_torchvision": ({"generation": 2, "width": 0.25}, families.MOBILENET_V2),
    "mobilenetv3": ({"generation": 3, "width": 0.35}, families.MOBILENET_V3),
    "vit": ({"patch": 16, "dim": 24, "depths": (3, 3, 3, 3), "heads": 3}, families.VIT),
    "vgg": (_VGG | {"batch_norm": False}, families.VGG16),
    "vgg_batch_norm": (_VGG | {"batch_norm": True}, families.VGG16_BN),
    "inception": ({"width": 0.125}, families.INCEPTION),
}


def reference_weights(case, folder):
    draw = drawn_keras if case == "mobilenetv1" else drawn
    arrays = {name: draw(name, tuple(shape)) for name, shape in parameters(case).items()}
    safetensors.numpy.save_file(arrays, folder / "model.safetensors")
    return str(folder / "model.safetensors")


def parameters(case):
    return SHAPES[case]["parameters"]


def stored(case):
    with np.load(REFERENCE / "backbones.npz") as file:
        return {n.partition("/")[2]: file[n] for n in file if n.startswith(f"{case}/")}


@functools.partial(jax.jit, static_argnums=0, compiler_options=UNOPTIMIZED)
def activations(graphdef, state, images):
    model = nnx.merge(graphdef, state)
    last = model.until(len(model.stages), images)
    return model.head(last, None), model.head.embed(last, None), model.features(images)


def relative(ours, theirs):
    return float(np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max())


USUAL = ("resnet_bottleneck", "mobilenetv1", "vit", "vgg_batch_norm")


@pytest.fixture(params=others_slow(CASES, USUAL))
def case(request, monkeypatch):
    options, family = CASES[request.param]
    monkeypatch.setitem(VARIANTS, "small", Variant(96, options, family))
    return request.param


def test_every_activation_equals_the_reference(case, tmp_path):
    size = tuple(SHAPES[case]["size"])
    model = hairjax.create_model(
        "small",
        num_classes=10,
        image_size=size if min(size) >= 32 else None,
        weights=reference_weights(case, tmp_path),
    )
    logits, embedding, maps = activations(*nnx.split(model), photographs(case, size, 1))
    ours = {"logits": logits, "embedding": embedding}
    for i, array in enumerate(maps):
        ours[f"map{i}.channels"] = array.mean((1, 2))
        ours[f"map{i}.places"] = array.mean(3)
    theirs = stored(case)
    assert ours.keys() == {n for n in theirs if "trained" not in n and "running" not in n}
    differences = {name: relative(array, theirs[name]) for name, array in ours.items()}
    assert max(differences.values()) < 2e-5, differences
