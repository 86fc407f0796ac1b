"""Make timm importable: of torchvision's operators, built for CUDA, it needs only two names."""

import torch

try:
    import torchvision  # noqa: F401
except (ImportError, RuntimeError):  # the latter beside a torch for CPUs
    _library = torch.library.Library("torchvision", "DEF")
    _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
