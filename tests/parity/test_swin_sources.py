"""Every source of weights at full size, against the source's own code.

Run with ``python -m pytest tests/parity -s`` to see every difference; needs torch, timm and
transformers.
"""

import jax
import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from flax import nnx
from transformers import SwinConfig, SwinForImageClassification

import hairjax
from hairjax.models.factory import native_size
from hairjax.models.table import VARIANTS
from tests.reference.make_swin_sources import (
    channels_first,
    microsoft_state,
    original_model,
    transformers_state,
)

NAMES = [name for name in hairjax.list_models() if name.startswith("swin") and "mini" not in name]
# The others' files are compared to the bit with timm's, which test_swin_timm.py computes with.
COMPUTED = [
    name for name in NAMES if "large" not in name and name != "swin_base_patch4_window7_224"
]
# As many as of ImageNet-22K in the smallest; a head is a sixth of the largest otherwise.
CLASSES = {name: 21_841 if name == NAMES[0] else 1000 for name in NAMES}
LIMIT = 1e-4  # largest absolute difference over the largest absolute value


def randomised(model):
    """Give every parameter that is 0 or 1 a value that matters."""
    torch.manual_seed(0)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if key.endswith("bias_table"):
                parameter.normal_(0, 0.5)
            elif parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def compare(label, ours, theirs, images):
    graphdef, state = nnx.split(ours)
    logits = jax.jit(lambda state, x: nnx.merge(graphdef, state)(x))(state, images)
    with torch.no_grad():
        reference = theirs(channels_first(images)).numpy()
    difference = np.abs(np.asarray(logits) - reference).max() / np.abs(reference).max()
    print(f"\n{label}: logits {difference:.1e}")
    assert difference < LIMIT


def assert_same_parameters(name, model, weights, folder):
    """hairjax reads the same parameters from `weights` and from what timm calls them."""
    safetensors.torch.save_file(model.state_dict(), folder / "timm.safetensors")
    theirs = hairjax.create_model(name, weights=str(folder / "timm.safetensors"))
    ours = hairjax.create_model(name, weights=str(weights))
    found, expected = (jax.tree.leaves_with_path(nnx.state(model)) for model in (ours, theirs))
    for (path, mine), (other, its) in zip(found, expected, strict=True):
        assert path == other
        np.testing.assert_array_equal(mine, its, err_msg=str(path))


def photographs(name, channels=3):
    side = native_size(name)
    return np.random.default_rng(1).normal(size=(1, side, side, channels)).astype(np.float32)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", NAMES)
def test_microsoft(name, legacy, tmp_path):
    """timm and hairjax read the same file."""
    if legacy and name != NAMES[0]:
        pytest.skip("the format is the same for every variant")
    path = tmp_path / "model.pth"
    model = randomised(timm.create_model(name, num_classes=CLASSES[name]))
    state = microsoft_state(model)
    torch.save({"model": state}, path, _use_new_zipfile_serialization=not legacy)
    if name not in COMPUTED:
        assert_same_parameters(name, model, path, tmp_path)
        return
    theirs = timm.create_model(
        name,
        pretrained=True,
        pretrained_cfg_overlay={"file": str(path), "num_classes": CLASSES[name]},
        num_classes=CLASSES[name],
    ).eval()
    ours = hairjax.create_model(name, weights=str(path))
    kind = "legacy" if legacy else "zip"
    compare(f"{name} of Microsoft, {kind}", ours, theirs, photographs(name))


@pytest.mark.parametrize("names", ["written", "in memory"])
@pytest.mark.parametrize("name", NAMES)
def test_transformers(name, names, tmp_path):
    """What transformers computes from the file it wrote itself."""
    if names == "in memory" and name != NAMES[0]:
        pytest.skip("the names are the same for every variant")
    if name not in COMPUTED:
        model, path = (
            timm.create_model(name, num_classes=CLASSES[name]),
            tmp_path / "its.safetensors",
        )
        safetensors.torch.save_file(transformers_state(model), path)
        assert_same_parameters(name, model, path, tmp_path)
        return
    side, variant, _ = VARIANTS[name]
    config = SwinConfig(
        image_size=side,
        embed_dim=variant["dim"],
        depths=list(variant["depths"]),
        num_heads=list(variant["heads"]),
        window_size=variant["window"],
        num_labels=CLASSES[name],
    )
    theirs = randomised(SwinForImageClassification(config))
    if names == "written":
        theirs.save_pretrained(tmp_path)
        theirs = SwinForImageClassification.from_pretrained(tmp_path).eval()
    else:
        safetensors.torch.save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours = hairjax.create_model(name, weights=str(tmp_path))
    label = f"{name} of transformers, names as {names}"
    compare(label, ours, lambda x: theirs(x).logits, photographs(name))


def test_transformers_computes_what_timm_does(tmp_path):
    """So that the two references stand for the same network."""
    name = NAMES[0]
    model = randomised(timm.create_model(name, num_classes=10))
    theirs = SwinForImageClassification(SwinConfig(num_labels=10)).eval()
    theirs.load_state_dict(transformers_state(model))
    safetensors.torch.save_file(model.state_dict(), tmp_path / "model.safetensors")
    ours = hairjax.create_model(name, weights=str(tmp_path))
    compare(f"{name} of timm in transformers", ours, lambda x: theirs(x).logits, photographs(name))


@pytest.mark.parametrize("name", NAMES[:2])
def test_original_classifier(name, tmp_path):
    """Six channels, 256 hidden, no mask in shifted windows, under a prefix as DataParallel's."""
    theirs = randomised(original_model(name, hidden=256))
    state = {f"module.{key}": value for key, value in microsoft_state(theirs).items()}
    torch.save({"epoch": 68, "model_state_dict": state}, tmp_path / "best.pth")
    ours = hairjax.create_model(
        name, in_channels=6, hidden=(256,), mask_shifted=False, weights=str(tmp_path / "best.pth")
    )
    compare(f"{name}, original classifier", ours, theirs, photographs(name, channels=6))
