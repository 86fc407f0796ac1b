"""The same weights from every source give the activations that were stored from their own code."""

import functools
import json
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

import hairjax
from hairjax.builders.model import find_model_weights, model_specification
from hairjax.config.recipe import default_config
from hairjax.models.factory import read_weights
from hairjax.models.table import SWIN, VARIANTS, Variant
from hairjax.weights import WeightsError
from hairjax.weights.load import find_weights

# Written by make_swin.py and make_swin_sources.py there, with torch, timm and transformers.
REFERENCE = Path(__file__).parents[1] / "reference"
SMALL = {"dim": 8, "depths": (2, 2, 2), "heads": (1, 2, 4), "window": 4}


@pytest.fixture(autouse=True)
def small_variant(monkeypatch):
    monkeypatch.setitem(VARIANTS, "small", Variant(64, SMALL, SWIN))


def save(arrays, path):
    safetensors.numpy.save_file(arrays, path)
    return path


def in_memory(path):
    names = json.loads((REFERENCE / "swin_transformers_names.json").read_text())
    arrays = safetensors.numpy.load_file(REFERENCE / "swin_transformers.safetensors")
    return save({names[name]: array for name, array in arrays.items()}, path)


def body_of_transformers(path):
    """What its SwinModel saves: no prefix, no classifier."""
    arrays = safetensors.numpy.load_file(REFERENCE / "swin_transformers.safetensors")
    return save({n.removeprefix("swin."): a for n, a in arrays.items() if "class" not in n}, path)


def in_parallel(path):
    arrays = safetensors.numpy.load_file(REFERENCE / "swin.safetensors")
    return save({f"module.{name}": array for name, array in arrays.items()}, path)


SOURCES = {
    "timm": lambda _: REFERENCE / "swin.safetensors",
    "timm, module.": in_parallel,
    "Microsoft": lambda _: REFERENCE / "swin_microsoft.pth",
    "transformers": lambda _: REFERENCE / "swin_transformers.safetensors",
    "transformers, body": body_of_transformers,
    "transformers (in memory)": in_memory,
}


def run(model, images, *methods):
    """What the methods return; models that differ in numbers only share a compilation."""
    return _run(*nnx.split(model), images.astype(np.float32), methods)


@functools.partial(
    jax.jit, static_argnums=(0, 3), compiler_options={"xla_backend_optimization_level": 0}
)
def _run(graphdef, state, images, methods):
    model = nnx.merge(graphdef, state)
    return [getattr(model, method)(images) for method in methods]


def relative(ours, theirs):
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.mark.parametrize("source", SOURCES)
def test_activations_equal_what_is_stored(source, tmp_path):
    path = SOURCES[source](tmp_path / "model.safetensors")
    model = hairjax.create_model("small", weights=str(path), num_classes=10)
    with np.load(REFERENCE / "swin.npz") as file:
        theirs = {n.removeprefix("native."): file[n] for n in file if n.startswith("native.")}
    maps, embedding, logits = run(model, theirs["images"], "features", "embed", "__call__")
    ours = {f"map{i}": array for i, array in enumerate(maps)} | {"embedding": embedding}
    if source != "transformers, body":
        ours["logits"] = logits
    differences = {name: relative(array, theirs[name]) for name, array in ours.items()}
    assert max(differences.values()) < 1e-5, differences


@pytest.mark.parametrize("source", SOURCES)
def test_the_source_is_named(source, tmp_path):
    checkpoint = read_weights("small", SOURCES[source](tmp_path / "model.safetensors"))
    expected = (
        "transformers" if source == "transformers, body" else source.removesuffix(", module.")
    )
    assert checkpoint.naming == expected
    assert (checkpoint.unexpected, checkpoint.mask_shifted) == ([], True)


def original(**changes):
    settings = {"in_channels": 6, "hidden": (6,), "mask_shifted": False} | changes
    return hairjax.create_model("small", weights=str(REFERENCE / "swin_original.pth"), **settings)


def test_the_original_classifier_is_reproduced():
    with np.load(REFERENCE / "swin_original.npz") as file:
        images, theirs = file["images"], file["logits"]
    assert relative(run(original(), images, "__call__")[0], theirs) < 1e-5
    # It is the missing mask that makes it so.
    assert relative(run(original(mask_shifted=True), images, "__call__")[0], theirs) > 0.01


def test_the_originals_head_is_not_dropped_unsaid():
    with pytest.raises(ValueError, match=r"has the hidden layers \(6,\), not \(\): give hidden="):
        original(hidden=())
    assert original(hidden=(), num_classes=3).head.classifier.bias.shape == (3,)


def test_unknown_names_are_refused_with_the_file(tmp_path):
    path = save({"conv1.weight": np.ones(3), "fc.bias": np.ones(3)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"a\.safetensors: .* conv1\.weight, fc\.bias; known"):
        read_weights("small", path)


def test_a_folder_of_transformers_is_no_run(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    save({"norm.bias": np.ones(3)}, tmp_path / "model.safetensors")
    assert find_weights(str(tmp_path)) == tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    ("name", "which", "said"),
    [
        ("small", "ema", "which is 'ema', and .* holds: raw parameters at its top"),
        ("resnet18", "auto", "swin.safetensors: these are not the names of a ResNet's parameters"),
    ],
)
def test_what_names_tell_is_refused_when_weights_are_looked_for(name, which, said):
    """Before photographs are."""
    config = default_config()
    config.model.name, config.weights.which = name, which
    config.weights.source = str(REFERENCE / "swin.safetensors")
    with pytest.raises(WeightsError, match=said):
        find_model_weights(model_specification(config))
