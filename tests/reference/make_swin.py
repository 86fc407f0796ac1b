"""Write what timm's Swin computes, for tests that must run without torch.

``swin.safetensors`` holds random weights of a small Swin in which no parameter is trivial,
``swin.npz`` what timm makes of them: photographs, map and relative-position table of every stage,
embedding and logits of each case in CASES. timm itself fits the file to other sizes, windows and
channels.

Needs torch and timm: ``python tests/reference/make_swin.py`` writes both files beside itself.
"""

from pathlib import Path

import numpy as np
import safetensors.torch
import timm
import torch

NAME = "swin_tiny_patch4_window7_224"  # any Swin of timm's: everything about it is replaced
SMALL = {"embed_dim": 8, "depths": (2, 2, 2), "num_heads": (1, 2, 4)}
CLASSES = 10

CASES = {
    "native": {"img_size": (64, 64), "window_size": 4},
    # Maps 10 × 14, 5 × 7, 3 × 4: every window is padded, merging meets odd maps, one side of the
    # last window is clipped.
    "padded": {"img_size": (40, 56), "window_size": 4},
    # Maps 8 × 12, 4 × 6, 2 × 3: the second is shifted along one axis only.
    "six_channels": {"img_size": (32, 48), "window_size": 4, "in_chans": 6},
    # Maps 12 × 20, 6 × 10, 3 × 5: larger windows and a smaller one, no table keeps its size.
    "other_window": {"img_size": (48, 80), "window_size": 6},
}


def write_weights(path: Path) -> None:
    torch.manual_seed(0)
    model = timm.create_model(NAME, num_classes=CLASSES, **SMALL, **CASES["native"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias_table"):
                parameter.normal_()
            elif parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
            else:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
    safetensors.torch.save_file(model.state_dict(), path)


@torch.no_grad()
def run(weights: Path, images: np.ndarray, **case) -> dict[str, np.ndarray]:
    overlay = {"file": str(weights), "num_classes": CLASSES}
    model = timm.create_model(
        NAME,
        pretrained=True,
        pretrained_cfg_overlay=overlay,
        num_classes=CLASSES,
        **SMALL,
        **case,
    ).eval()
    x = torch.from_numpy(images).float().permute(0, 3, 1, 2)
    maps = model.forward_intermediates(x, intermediates_only=True)
    arrays = {f"map{i}": array.permute(0, 2, 3, 1) for i, array in enumerate(maps)}
    for i, stage in enumerate(model.layers):
        arrays[f"table{i}"] = stage.blocks[0].attn.relative_position_bias_table
    arrays["embedding"] = model.forward_head(model.forward_features(x), pre_logits=True)
    arrays["logits"] = model(x)
    return {name: array.numpy() for name, array in arrays.items()}


def main() -> None:
    folder = Path(__file__).parent
    write_weights(folder / "swin.safetensors")
    generator = np.random.default_rng(0)
    arrays = {}
    for case, settings in CASES.items():
        shape = (2, *settings["img_size"], settings.get("in_chans", 3))
        # float16 to store half as much; both sides compute from it in float32.
        images = generator.normal(size=shape).astype(np.float16)
        arrays[f"{case}.images"] = images
        for name, array in run(folder / "swin.safetensors", images, **settings).items():
            arrays[f"{case}.{name}"] = array
    np.savez_compressed(folder / "swin.npz", **arrays)


if __name__ == "__main__":
    main()
