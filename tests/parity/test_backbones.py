"""Every family at full size against timm and torchvision: the same random weights and photographs.

Run with ``python -m pytest tests/parity -s`` to see every difference; needs torch, timm and
torchvision.
"""

import jax
import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from flax import nnx

import hairjax
from hairjax.data.inputs import NORMALISATIONS
from hairjax.models.factory import native_size
from hairjax.models.table import VARIANTS

# Which may be there for a GPU alone, and then cannot be imported.
torchvision = pytest.importorskip("torchvision", exc_type=ImportError)

LIMIT = 1e-4  # largest absolute difference over the largest absolute value
# Those that timm has. What Keras and Idelbayev have is stored in tests/reference.
NAMES = [
    name
    for name in VARIANTS
    if not name.startswith(("swin", "cifar", "mobilenetv1")) and name != "cnn7"
]
# Weights that the families' own normalisation is meant for.
PUBLISHED = {
    "resnet18": "a1_in1k",
    "resnet34": "a1_in1k",
    "resnet50": "a1_in1k",
    "resnet101": "a1_in1k",
    "efficientnet_b0": "ra_in1k",
    "efficientnet_b1": "ft_in1k",
    "efficientnet_b2": "ra_in1k",
    "efficientnet_b3": "ra2_in1k",
    "tf_efficientnet_b0": "ns_jft_in1k",
    "tf_efficientnet_b1": "ns_jft_in1k",
    "tf_efficientnet_b2": "ns_jft_in1k",
    "tf_efficientnet_b3": "ns_jft_in1k",
    "mobilenetv2_100": "ra_in1k",
    "mobilenetv3_large_100": "ra_in1k",
    "vit_tiny_patch16_224": "augreg_in21k",
    "vit_small_patch16_224": "augreg_in21k",
    "vit_base_patch16_224": "augreg_in21k",
    "vgg16": "tv_in1k",
    "vgg16_bn": "tv_in1k",
    "inception_v3": "tv_in1k",
}


def randomised(model):
    """No parameter and no statistic keeps a trivial value (0 or 1)."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
        for name, statistic in model.named_buffers():
            if name.endswith("running_mean"):
                statistic.normal_(0, 0.1)
            if name.endswith("running_var"):
                statistic.uniform_(0.5, 1.5)
    return model.eval()


def compare(name, theirs, folder, size=None, source=None):
    """The largest relative difference of the logits; ``source``: whose weights, else theirs."""
    path = folder / "model.safetensors"
    safetensors.torch.save_file((source or theirs).state_dict(), path)
    side = native_size(name)
    size = size or (side, side)
    images = np.random.default_rng(1).normal(size=(1, *size, 3)).astype(np.float32)
    ours = hairjax.create_model(name, image_size=size, weights=str(path))
    graphdef, state = nnx.split(ours)
    logits = jax.jit(lambda state, x: nnx.merge(graphdef, state)(x))(state, images)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    found = np.abs(np.asarray(logits) - expected).max() / np.abs(expected).max()
    print(f"\n{name} at {size[0]} × {size[1]}: {found:.1e}")
    assert found < LIMIT


@pytest.mark.parametrize("name", NAMES)
def test_timm(name, tmp_path):
    theirs = randomised(timm.create_model(name, num_classes=1000))
    compare(name, theirs, tmp_path)


TORCHVISION = {
    "resnet50": "resnet50",
    "efficientnet_b0": "efficientnet_b0",
    "efficientnet_b3": "efficientnet_b3",
    "mobilenetv2_100": "mobilenet_v2",
    "vgg16": "vgg16",
    "vgg16_bn": "vgg16_bn",
    "inception_v3": "inception_v3",
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name, tmp_path):
    """Inception-v3 with its auxiliary classifier, which is passed over."""
    rest = {"init_weights": False} if name.startswith(("vgg", "inception")) else {}
    theirs = getattr(torchvision.models, TORCHVISION[name])(weights=None, **rest)
    compare(name, randomised(theirs), tmp_path)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "tf_efficientnet_b0", "vgg16_bn"])
def test_other_sizes(name, tmp_path):
    theirs = (
        torchvision.models.vgg16_bn(init_weights=False)
        if name == "vgg16_bn"
        else timm.create_model(name)
    )
    compare(name, randomised(theirs), tmp_path, (161, 230))


def test_a_vits_position_embedding_is_resized_as_in_timm(tmp_path):
    name, size = "vit_tiny_patch16_224", (96, 320)
    source = randomised(timm.create_model(name))
    safetensors.torch.save_file(source.state_dict(), tmp_path / "timm.safetensors")
    overlay = {"file": str(tmp_path / "timm.safetensors"), "num_classes": 1000}
    theirs = timm.create_model(
        name, pretrained=True, pretrained_cfg_overlay=overlay, img_size=size
    ).eval()
    compare(name, theirs, tmp_path, size, source)


@pytest.mark.parametrize("name", PUBLISHED)
def test_rgb_is_normalised_as_for_the_published_weights(name):
    published = timm.get_pretrained_cfg(f"{name}.{PUBLISHED[name]}")
    mean, deviation = NORMALISATIONS[VARIANTS[name].family.normalise]
    assert (published.mean, published.std) == (mean, deviation)


def test_every_name_of_timms_has_published_weights():
    assert list(PUBLISHED) == NAMES
