"""Grad-CAM against torch's autograd through timm's Swin, with the same random weights."""

import jax
import numpy as np
import pytest
import torch
from flax import nnx
from test_swin_timm import LIMIT, TINY, photographs, relative, timm_model, write_weights

import hairjax
from hairjax.evaluation.explain import grad_cam, upsample


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


def test_upsampling_is_torchs():
    maps = np.random.default_rng(0).normal(size=(2, 7, 7)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[:, None], size=(256, 256), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(upsample(maps, 256), expected[:, 0], atol=1e-5)
