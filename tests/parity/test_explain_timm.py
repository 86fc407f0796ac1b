"""Grad-CAM against torch's autograd through timm's Swin, attention rollout against timm's ViT.

With the same random weights and photographs.
"""

import jax
import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from flax import nnx
from test_swin_timm import LIMIT, TINY, photographs, relative, timm_model, write_weights

import hairjax
from hairjax.evaluation.explain.maps import grad_cam, upsample
from hairjax.evaluation.explain.rollout import attention_rollout

VIT = "vit_tiny_patch16_224"


def torch_grad_cam(model, images, classes, stage):
    """The method written out in torch: [batch, h, w]."""
    x = model.patch_embed(torch.from_numpy(images).permute(0, 3, 1, 2))
    for i, layer in enumerate(model.layers):
        x = layer(x)
        if i == stage % len(model.layers):
            features = x = x.detach().requires_grad_()
    logits = model.forward_head(model.norm(x))
    logits[torch.arange(len(images)), torch.from_numpy(classes)].sum().backward()
    weights = features.grad.mean(dim=(1, 2), keepdim=True)
    return (weights * features).sum(-1)


@pytest.mark.parametrize("stage", [-1, -2, 0])
def test_maps(stage, tmp_path):
    path = write_weights(TINY, tmp_path / "model.safetensors", num_classes=100)
    theirs = timm_model(TINY, path, num_classes=100)
    graphdef, state = nnx.split(hairjax.create_model(TINY, weights=str(path)))
    images, classes = photographs((224, 224), 3, batch=3), np.array([4, 99, 0])
    ours = jax.jit(lambda state: grad_cam(nnx.merge(graphdef, state), images, classes, stage))(
        state
    )
    expected = torch_grad_cam(theirs, images, classes, stage)
    difference = relative(ours, expected)
    print(f"\nGrad-CAM of stage {stage}: {difference:.1e}")
    assert difference < LIMIT
    assert (np.asarray(ours) > 0).any() and (np.asarray(ours) < 0).any()


def torch_rollout(model, images, blocks):
    """The method written out in torch: [batch, token, token] of the first blocks."""
    shares = []
    for block in model.blocks:
        block.attn.fused_attn = False  # which would not hold them
        block.attn.attn_drop.register_forward_hook(
            lambda module, given, found: shares.append(found.double())
        )
    with torch.no_grad():
        model(torch.from_numpy(images).permute(0, 3, 1, 2))
    rolled = torch.eye(shares[0].shape[-1], dtype=torch.float64)
    for taken in shares[:blocks]:
        rolled = (taken.mean(1) + torch.eye(taken.shape[-1])) / 2 @ rolled
    return rolled


@pytest.mark.parametrize(("size", "stage"), [((224, 224), -1), ((96, 320), 1)])
def test_rollout(size, stage, tmp_path):
    torch.manual_seed(0)
    theirs = timm.create_model(VIT, num_classes=10, img_size=size).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if "qkv" in name:  # attention that is far from even
                parameter.mul_(10)
            elif parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    safetensors.torch.save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours = hairjax.create_model(VIT, image_size=size, weights=str(tmp_path / "model.safetensors"))
    graphdef, state = nnx.split(ours)
    images, classes = photographs(size, 3, batch=2), np.zeros(2, np.int32)
    maps = jax.jit(
        lambda state: attention_rollout(nnx.merge(graphdef, state), images, classes, stage)
    )(state)
    rolled = torch_rollout(theirs, images, 12 if stage == -1 else 3 * (stage + 1))
    assert np.allclose(rolled.sum(-1), 1)
    expected = rolled[:, 0, 1:].reshape(maps.shape)
    assert np.ptp(expected.numpy()) > 0.5 * expected.max()
    difference = relative(maps, expected)
    print(f"\nattention rollout at {size[0]} × {size[1]}, stage {stage}: {difference:.1e}")
    assert difference < LIMIT


def test_upsampling_is_torchs():
    maps = np.random.default_rng(0).normal(size=(2, 7, 7)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[:, None], size=(256, 256), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(upsample(maps, 256), expected[:, 0], atol=1e-5)
