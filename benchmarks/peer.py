"""timm's Swin under ``torch.compile`` in the GPU benchmark, in a process of its own.

Training: bfloat16 autocast, fused AdamW, gradient clipping, dropout and drop-path as in the recipe.
Augmentation equals hairjax's, batched on the GPU and compiled with the model, as timm's on the CPU
would be the bottleneck. Inference: bfloat16 weights.
"""

import math
import time
from collections.abc import Callable

import timm
import torch
from timm.layers import set_fused_attn
from timm.models.swin_transformer import SwinTransformer
from timm.optim import param_groups_weight_decay
from torch.nn import functional

from hairjax.data.augment import _RGB, _YIQ, ASPECT, GREY, IMAGENET_MEAN
from hairjax.data.inputs import IMAGENET_STD
from hairjax.models.factory import native_size
from hairjax.models.table import SWIN, VARIANTS

CHANNELS, CLASSES, DROPOUT, DROP_PATH = 6, 4, 0.2, 0.1
ROTATION, FLIP, COLOUR, HUE, CROP = 15.0, 0.5, 0.2, 0.02, 0.8
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
Block = Callable[[int], float]


def _wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def _timed(times: int, once: Callable[[], object]) -> float:
    _wait()
    start = time.perf_counter()
    for _ in range(times):
        once()
    _wait()
    return time.perf_counter() - start


def matmul(size: int) -> Block:
    """Product of two square bfloat16 matrices of normal values."""
    a, b = (torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    return lambda times: _timed(times, lambda: torch.matmul(a, b))


def transforms(count: int) -> torch.Tensor:
    """Sample crop, rotation and flip per image: [count, 2, 3] for ``affine_grid``."""

    def uniform() -> torch.Tensor:
        return 2 * torch.rand(count, device=DEVICE) - 1

    area = CROP + (1 - CROP) * torch.rand(count, device=DEVICE)
    limit = torch.minimum(torch.full_like(area, math.log(ASPECT)), -torch.log(area))
    aspect = torch.exp(limit * uniform())
    width, height = torch.sqrt(area * aspect), torch.sqrt(area / aspect)
    turn = math.radians(ROTATION) * uniform()
    mirror = torch.where(torch.rand(count, device=DEVICE) < FLIP, -1.0, 1.0)
    cos, sin = torch.cos(turn), torch.sin(turn)
    rows = [cos * width * mirror, -sin * height, (1 - width) * uniform()]
    rows += [sin * width * mirror, cos * height, (1 - height) * uniform()]
    return torch.stack(rows, dim=1).reshape(count, 2, 3)


def warp(photos: torch.Tensor, theta: torch.Tensor, side: int) -> torch.Tensor:
    """Resample bilinearly: uint8 [n, 4, stored, stored] → float32 [n, 4, side, side]."""
    grid = functional.affine_grid(theta, [len(photos), 4, side, side], align_corners=False)
    beyond = torch.tensor([*IMAGENET_MEAN, 0.0], device=DEVICE).reshape(1, 4, 1, 1)
    return functional.grid_sample(photos / 255 - beyond, grid, align_corners=False) + beyond


def jitter(rgb: torch.Tensor) -> torch.Tensor:
    """Apply random brightness, contrast, saturation and hue: [n, 3, side, side] in [0, 1]."""
    grey = torch.tensor(GREY, device=DEVICE).reshape(1, 3, 1, 1)

    def factor() -> torch.Tensor:
        return 1 + COLOUR * (2 * torch.rand(len(rgb), 1, 1, 1, device=DEVICE) - 1)

    rgb = (rgb * factor()).clamp(0, 1)
    mean = (rgb * grey).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    rgb = (mean + factor() * (rgb - mean)).clamp(0, 1)
    luma = (rgb * grey).sum(1, keepdim=True)
    rgb = (luma + factor() * (rgb - luma)).clamp(0, 1)
    turn = 2 * math.pi * HUE * (2 * torch.rand(len(rgb), device=DEVICE) - 1)
    cos, sin, one, zero = torch.cos(turn), torch.sin(turn), turn * 0 + 1, turn * 0
    rows = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], 1).reshape(-1, 3, 3)
    back, forth = torch.tensor(_RGB, device=DEVICE), torch.tensor(_YIQ, device=DEVICE)
    return torch.einsum("nij,njhw->nihw", back @ rows @ forth, rgb).clamp(0, 1)


def inputs(photos: torch.Tensor, side: int, augmented: bool) -> torch.Tensor:
    """Model inputs: uint8 [n, 4, stored, stored] → float32 [n, 6, side, side]."""
    if augmented:
        theta = transforms(len(photos))
    else:
        theta = torch.eye(2, 3, device=DEVICE).expand(len(photos), 2, 3)
    picture = warp(photos, theta, side)
    rgb = jitter(picture[:, :3]) if augmented else picture[:, :3]
    mean, std = (
        torch.tensor(values, device=DEVICE).reshape(1, 3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return torch.cat([(rgb - mean) / std, picture[:, 3:].expand(-1, 3, -1, -1)], dim=1)


def prepare(model: str, batch: int, inference: bool, variant: str) -> dict[str, Block]:
    """Compile a training step, and optionally inference, of a model in hairjax and timm.

    `variant` "fused attention" uses PyTorch's attention kernels, "" timm's default.
    """
    set_fused_attn(enable=True, experimental=variant == "fused attention")
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    side = native_size(model)
    swin = make(model, side, DROP_PATH).to(DEVICE)
    stored = round(side * 8 / 7)
    photos = torch.randint(0, 256, (batch, 4, stored, stored), dtype=torch.uint8, device=DEVICE)
    labels = torch.arange(batch, device=DEVICE) % CLASSES
    groups = param_groups_weight_decay(swin, 0.01)
    optimizer = torch.optim.AdamW(groups, lr=1e-5, fused=True)

    def loss(photos: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        images = inputs(photos, side, augmented=True)
        with torch.autocast(DEVICE, torch.bfloat16):
            logits = swin(images)
        return functional.cross_entropy(logits.float(), labels)

    compiled = torch.compile(loss, dynamic=False)

    def step() -> None:
        swin.train()
        compiled(photos, labels).backward()
        torch.nn.utils.clip_grad_norm_(swin.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    blocks: dict[str, Block] = {"training": lambda times: _timed(times, step)}
    if inference:
        blocks["inference"] = _inference(model, side, photos)
    for block in blocks.values():
        block(2)
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
    return blocks


def make(model: str, side: int, drop_path: float) -> torch.nn.Module:
    """Create the model with ``timm.create_model``, or a small Swin missing in timm."""
    options = {"in_chans": CHANNELS, "num_classes": CLASSES, "drop_rate": DROPOUT}
    if drop_path:  # not supported by all models of timm
        options["drop_path_rate"] = drop_path
    if model.startswith(("swin", "vit")):  # of fixed input size
        options["img_size"] = side
    if VARIANTS[model].family is not SWIN or timm.is_model(model):
        return timm.create_model(model, **options)
    variant = VARIANTS[model].options
    return SwinTransformer(
        **options,
        embed_dim=variant["dim"],
        depths=variant["depths"],
        num_heads=variant["heads"],
        window_size=variant["window"],
    )


def _inference(model: str, side: int, photos: torch.Tensor) -> Block:
    swin = make(model, side, DROP_PATH).to(DEVICE, torch.bfloat16).eval()
    compiled = torch.compile(
        lambda photos: swin(inputs(photos, side, augmented=False).bfloat16()), dynamic=False
    )

    def infer(times: int) -> float:
        with torch.inference_mode():
            return _timed(times, lambda: compiled(photos))

    return infer


def peak_memory() -> int | None:
    """Peak device memory in bytes; None on a CPU."""
    return torch.cuda.max_memory_allocated() if DEVICE == "cuda" else None


def describe() -> dict[str, str]:
    """Device and library versions."""
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"
    return {"device": name, "torch": torch.__version__, "timm": timm.__version__}
