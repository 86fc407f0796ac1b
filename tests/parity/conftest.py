"""Make timm importable: torchvision has no CPU build, and timm only needs two of its operators."""

import torch

try:
    import torchvision  # noqa: F401
except ImportError:
    _library = torch.library.Library("torchvision", "DEF")
    _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
