"""Make timm importable: of torchvision's operators, built for CUDA, it needs only two names."""

import torch

try:
    import torchvision  # noqa: F401
except (ImportError, RuntimeError):  # the latter beside a torch for CPUs
    _library = torch.library.Library("torchvision", "DEF")
    _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def pytest_collection_modifyitems(items):
    """Large models first, so that no process ends alone with one."""
    items.sort(key=lambda item: "losses" not in item.name and "large" not in item.name)
