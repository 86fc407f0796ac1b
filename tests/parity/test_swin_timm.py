"""Swin against timm at full size: the same file of random weights, the same random photographs.

Run with ``python -m pytest tests/parity -s`` to see every difference; needs torch and timm.
"""

import jax
import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from flax import nnx, traverse_util

import hairjax
from hairjax.optim.layer_decay import layer_distances

TINY = "swin_tiny_patch4_window7_224"
IMAGENET_22K = 21_841
LIMIT = 1e-4  # largest absolute difference over the largest absolute value


def write_weights(name, path, **kwargs):
    """Save a timm model in which no parameter keeps a trivial value (0 or 1)."""
    torch.manual_seed(0)
    model = timm.create_model(name, **kwargs)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if key.endswith("bias_table"):
                parameter.normal_(0, 0.5)
            elif parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    safetensors.torch.save_file(model.state_dict(), path)
    return path


def timm_model(name, path, **kwargs):
    """Build timm's model and let timm itself fit the file to it."""
    overlay = {"file": str(path), "num_classes": kwargs["num_classes"]}
    return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **kwargs).eval()


def photographs(size, channels, batch=1):
    return np.random.default_rng(1).normal(size=(batch, *size, channels)).astype(np.float32)


def relative(ours, theirs):
    theirs = theirs.detach().numpy()
    return np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max()


def compare(label, ours, theirs, images):
    """Largest relative difference of logits and of every stage's map."""
    graphdef, state = nnx.split(ours)
    logits, maps = jax.jit(
        lambda state, x: (nnx.merge(graphdef, state)(x), nnx.merge(graphdef, state).features(x))
    )(state, images)
    with torch.no_grad():
        x = torch.from_numpy(images).permute(0, 3, 1, 2)
        final, reference_maps = theirs.forward_intermediates(x)
        reference = theirs.forward_head(final)
    differences = [relative(logits, reference)]
    differences += [
        relative(a, b.permute(0, 2, 3, 1)) for a, b in zip(maps, reference_maps, strict=True)
    ]
    print(f"\n{label}: logits {differences[0]:.1e}, maps {max(differences[1:]):.1e}")
    assert max(differences) < LIMIT


@pytest.mark.parametrize(
    "name",
    [name for name in hairjax.list_models() if name.startswith("swin") and "mini" not in name],
)
def test_variant(name, tmp_path):
    classes = IMAGENET_22K if name == TINY else 1000  # a large model has its head for a sixth
    path = write_weights(name, tmp_path / "model.safetensors", num_classes=classes)
    theirs = timm_model(name, path, num_classes=classes)
    ours = hairjax.create_model(name, weights=str(path))
    side = int(name.rsplit("_", 1)[1])
    compare(name, ours, theirs, photographs((side, side), 3))


@pytest.mark.parametrize("size", [(256, 256), (224, 320), (96, 96), (64, 160)])
def test_other_sizes(size, tmp_path):
    path = write_weights(TINY, tmp_path / "model.safetensors", num_classes=100)
    theirs = timm_model(TINY, path, num_classes=100, img_size=size)
    ours = hairjax.create_model(TINY, image_size=size, weights=str(path))
    compare(f"{TINY} at {size[0]} × {size[1]}", ours, theirs, photographs(size, 3, batch=2))


def test_window_of_another_size(tmp_path):
    """Window-7 weights in a window-12 model: every table grows as timm's do."""
    small, large = "swin_base_patch4_window7_224", "swin_base_patch4_window12_384"
    path = write_weights(small, tmp_path / "model.safetensors", num_classes=10)
    theirs = timm_model(large, path, num_classes=10)
    ours = hairjax.create_model(large, weights=str(path))
    compare(f"{small} weights in {large}", ours, theirs, photographs((384, 384), 3))


def test_six_channels(tmp_path):
    """``copy`` is timm's own adaptation of the same RGB file to ``in_chans=6``."""
    path = write_weights(TINY, tmp_path / "model.safetensors", num_classes=IMAGENET_22K)
    theirs = timm_model(TINY, path, num_classes=IMAGENET_22K, in_chans=6)
    ours = hairjax.create_model(TINY, in_channels=6, weights=str(path), stem="copy")
    compare(f"{TINY}, six channels", ours, theirs, photographs((224, 224), 6, batch=2))


def test_layers_are_as_far_from_the_head_as_in_timm():
    """But for the last norm: Microsoft's code and ours count it to the head, timm to a block."""
    theirs = timm.create_model(TINY)
    layers = timm.models.group_parameters(theirs, theirs.group_matcher(coarse=False), reverse=True)
    names = {"patch_embed": "stem", "layers": "stages", "downsample": "merge"}
    far = {}
    for name, layer in layers.items():
        place = tuple(names.get(part, part) for part in name.split("."))
        if place[0] != "norm":
            far[place[:4] if place[0] == "stages" else place[:1]] = max(layers.values()) - layer
    params = nnx.to_pure_dict(nnx.state(nnx.eval_shape(lambda: hairjax.create_model(TINY))))
    flat = traverse_util.flatten_dict(layer_distances(params))
    ours = {tuple(map(str, path)): distance for path, distance in flat.items()}
    found = {p[:4] if p[0] == "stages" else p[:1]: distance for p, distance in ours.items()}
    assert found == far
