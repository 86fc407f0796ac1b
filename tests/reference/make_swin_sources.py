"""Write the weights of ``swin.safetensors`` as others would, for tests that must run without torch.

- ``swin_microsoft.pth``: in Microsoft's names and torch's zip format, with what its training
  script keeps beside them; timm reads it back to the same logits.
- ``swin_transformers.safetensors``: as transformers' ``save_pretrained`` writes them;
  ``swin_transformers_names.json``: what transformers calls the same parameters in memory.
- ``swin_original.pth``: six channels and the head of the original hair-loss classifier, in its
  names and torch's legacy format; ``swin_original.npz``: what it makes of a photograph.

Needs torch, timm and transformers: ``python tests/reference/make_swin_sources.py`` writes the files
beside itself.
"""

import argparse
import json
import re
import shutil
import tempfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import safetensors.torch
import timm
import torch
from torch import nn
from transformers import SwinConfig, SwinForImageClassification

FOLDER = Path(__file__).parent
NAME = "swin_tiny_patch4_window7_224"  # any Swin of timm's: everything about it is replaced
SMALL = {"embed_dim": 8, "depths": (2, 2, 2), "num_heads": (1, 2, 4)}
NATIVE = {"img_size": (64, 64), "window_size": 4}
CLASSES = 10


def microsoft_state(model: nn.Module) -> OrderedDict[str, torch.Tensor]:
    """A timm Swin's parameters by Microsoft's names, with the buffers that its files carry."""
    state = OrderedDict()
    for name, parameter in model.state_dict().items():
        name = re.sub(
            r"^layers\.(\d+)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", name
        )
        state[re.sub(r"^head\.fc\.", "head.", name)] = parameter
    for i, stage in enumerate(model.layers):
        for j, block in enumerate(stage.blocks):
            place = f"layers.{i}.blocks.{j}"
            state[f"{place}.attn.relative_position_index"] = block.attn.relative_position_index
            if block.attn_mask is not None:
                state[f"{place}.attn_mask"] = block.attn_mask
    return state


def original_model(name: str, hidden: int, **kwargs) -> nn.Module:
    """The original hair-loss classifier from timm's parts: its head, and no attention mask."""
    model = timm.create_model(name, num_classes=4, in_chans=6, **kwargs)
    for stage in model.layers:
        for block in stage.blocks:
            block.attn_mask = None
    model.head.fc = nn.Sequential(
        nn.Linear(model.num_features, hidden), nn.ReLU(), nn.Dropout(0.3), nn.Linear(hidden, 4)
    )
    return model.eval()


def transformers_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """A timm Swin's parameters by the names that transformers gives them in memory."""
    state = {}
    block = r"^layers\.(\d+)\.blocks\.(\d+)\."
    ours = r"swin.encoder.layers.\1.blocks.\2."
    for name, parameter in model.state_dict().items():
        if found := re.match(block + r"attn\.qkv\.(\w+)$", name):
            for letter, part in zip("qkv", parameter.chunk(3), strict=True):
                place = f"swin.encoder.layers.{found[1]}.blocks.{found[2]}.attention"
                state[f"{place}.{letter}_proj.{found[3]}"] = part.clone()
            continue
        for pattern, replacement in (
            (r"^patch_embed\.proj\.", "swin.embeddings.patch_embeddings.projection."),
            (r"^patch_embed\.norm\.", "swin.embeddings.norm."),
            (block + r"norm1\.", ours + "layernorm_before."),
            (block + r"norm2\.", ours + "layernorm_after."),
            (block + r"attn\.proj\.", ours + "attention.o_proj."),
            (block + r"attn\.rel", ours + "attention.relative_position_bias.rel"),
            (block + r"mlp\.", ours + "mlp."),
            (r"^norm\.", "swin.layernorm."),
            (r"^head\.fc\.", "classifier."),
        ):
            name = re.sub(pattern, replacement, name)
        name = re.sub(
            r"^layers\.(\d+)\.downsample",
            lambda m: f"swin.encoder.layers.{int(m[1]) - 1}.downsample",
            name,
        )
        state[name] = parameter
    return state


def photographs(channels: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(1, 64, 64, channels)).astype(np.float16)


def channels_first(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).float().permute(0, 3, 1, 2)


@torch.no_grad()
def write_microsoft(model: nn.Module) -> None:
    plain = {"model": microsoft_state(model)}
    with tempfile.TemporaryDirectory() as folder:  # timm refuses the arguments beside the weights
        torch.save(plain, f"{folder}/plain.pth")
        again = timm.create_model(
            NAME,
            pretrained=True,
            pretrained_cfg_overlay={"file": f"{folder}/plain.pth", "num_classes": CLASSES},
            num_classes=CLASSES,
            **SMALL,
            **NATIVE,
        ).eval()
    x = channels_first(photographs(3))
    torch.testing.assert_close(again(x), model(x), rtol=0, atol=0)
    beside = {
        "config": argparse.Namespace(lr=1e-3, amp=True),
        "max_accuracy": np.float64(81.2),
        "epoch": 299,
    }
    torch.save({**plain, **beside}, FOLDER / "swin_microsoft.pth")


@torch.no_grad()
def write_transformers(model: nn.Module) -> None:
    theirs = SwinForImageClassification(
        SwinConfig(
            image_size=64,
            patch_size=4,
            embed_dim=SMALL["embed_dim"],
            depths=list(SMALL["depths"]),
            num_heads=list(SMALL["num_heads"]),
            window_size=NATIVE["window_size"],
            num_labels=CLASSES,
        )
    ).eval()
    theirs.load_state_dict(transformers_state(model))
    x = channels_first(photographs(3))
    torch.testing.assert_close(theirs(x).logits, model(x))
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        shutil.copyfile(f"{folder}/model.safetensors", FOLDER / "swin_transformers.safetensors")
    in_memory = theirs.state_dict()
    names = {
        written: next(n for n, p in in_memory.items() if torch.equal(p, parameter))
        for written, parameter in safetensors.torch.load_file(
            FOLDER / "swin_transformers.safetensors"
        ).items()
    }
    assert len(set(names.values())) == len(names) == len(in_memory)
    (FOLDER / "swin_transformers_names.json").write_text(json.dumps(names, indent=0) + "\n")


@torch.no_grad()
def write_original(model: nn.Module) -> None:
    original = original_model(NAME, hidden=6, **SMALL, **NATIVE)
    state = model.state_dict()
    state["patch_embed.proj.weight"] = state["patch_embed.proj.weight"].repeat(1, 2, 1, 1)
    state["patch_embed.proj.weight"][:, 3:] *= 0.7
    torch.manual_seed(1)
    head = {
        name: torch.randn_like(p) for name, p in original.state_dict().items() if "head" in name
    }
    body = {name: parameter for name, parameter in state.items() if "head" not in name}
    original.load_state_dict({**body, **head})
    torch.save(
        {"epoch": 68, "model_state_dict": microsoft_state(original), "best_acc": np.float64(0.98)},
        FOLDER / "swin_original.pth",
        _use_new_zipfile_serialization=False,
    )
    images = photographs(6)
    logits = original(channels_first(images)).numpy()
    np.savez_compressed(FOLDER / "swin_original.npz", images=images, logits=logits)


def main() -> None:
    model = timm.create_model(NAME, num_classes=CLASSES, **SMALL, **NATIVE).eval()
    model.load_state_dict(safetensors.torch.load_file(FOLDER / "swin.safetensors"))
    write_microsoft(model)
    write_transformers(model)
    write_original(model)


if __name__ == "__main__":
    main()
