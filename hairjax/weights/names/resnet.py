"""Parameter names of a ResNet: torchvision's and timm's alike, Idelbayev's for CIFAR."""

from hairjax.weights.naming import Naming, Table

_BLOCK = r"layer(\d+)\.(\d+)\."
_OURS = r"stages.\1-1.blocks.\2."
_BODY: Table = (
    (r"conv1\.", "stem.proj."),
    (r"bn1\.", "stem.norm."),
    (_BLOCK + r"conv(\d+)\.", _OURS + r"convs.\3-1."),
    (_BLOCK + r"bn(\d+)\.", _OURS + r"norms.\3-1."),
    (_BLOCK + r"downsample\.0\.", _OURS + "shortcut.conv."),
    (_BLOCK + r"downsample\.1\.", _OURS + "shortcut.norm."),
)
TORCHVISION = Naming(
    "torchvision and timm",
    (r"conv1\.weight", r"bn1\.weight", r"layer1\.0\.conv1\.weight"),
    (*_BODY, (r"fc\.", "head.classifier.")),
)
CIFAR = Naming(
    "Idelbayev's for CIFAR-10",
    (r"conv1\.weight", r"layer1\.0\.conv1\.weight", r"linear\.weight"),
    (*_BODY, (r"linear\.", "head.classifier.")),
)
NAMINGS = (CIFAR, TORCHVISION)
