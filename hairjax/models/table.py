"""Table of models: the variant of each name."""

from typing import Any, NamedTuple

from hairjax.models.backbone import Backbone
from hairjax.models.cnn import CNN
from hairjax.models.efficientnet import EfficientNet
from hairjax.models.inception import InceptionV3
from hairjax.models.mobilenet import MobileNet
from hairjax.models.resnet import ResNet
from hairjax.models.swin import Swin
from hairjax.models.vgg import VGG
from hairjax.models.vit import ViT
from hairjax.weights.names import inception as inception_names
from hairjax.weights.names import mobile as mobile_names
from hairjax.weights.names import resnet as resnet_names
from hairjax.weights.names import swin as swin_names
from hairjax.weights.names import vgg as vgg_names
from hairjax.weights.names import vit as vit_names
from hairjax.weights.naming import Naming


class Family(NamedTuple):
    """Models of one architecture."""

    title: str  # in a sentence
    build: type[Backbone]
    namings: tuple[Naming, ...]  # of published weights
    normalise: str  # RGB normalisation of these: a key of ``data.inputs.NORMALISATIONS``
    batch_norm: bool  # True for batch norms, which depend on the micro-batches
    maps: str = "grad_cam"  # explanation method: a key of ``evaluation.explain.maps.METHODS``


class Variant(NamedTuple):
    """Variant of a family."""

    side: int  # native image size in pixels
    options: dict[str, Any]  # constructor arguments
    family: Family


SWIN = Family("a Swin", Swin, swin_names.NAMINGS, "imagenet", batch_norm=False)
RESNET = Family("a ResNet", ResNet, resnet_names.NAMINGS, "imagenet", batch_norm=True)
MOBILENET_V1 = Family("a MobileNetV1", MobileNet, mobile_names.V1_NAMINGS, "half", batch_norm=True)
MOBILENET_V2 = Family(
    "a MobileNetV2", MobileNet, mobile_names.V2_NAMINGS, "imagenet", batch_norm=True
)
MOBILENET_V3 = Family(
    "a MobileNetV3", MobileNet, mobile_names.V3_NAMINGS, "imagenet", batch_norm=True
)
EFFICIENTNET = Family(
    "an EfficientNet", EfficientNet, mobile_names.EFFICIENTNET_NAMINGS, "imagenet", batch_norm=True
)
TF_EFFICIENTNET = Family(
    "an EfficientNet", EfficientNet, mobile_names.TENSORFLOW_NAMINGS, "imagenet", batch_norm=True
)
VIT = Family("a ViT", ViT, vit_names.NAMINGS, "half", batch_norm=False, maps="attention_rollout")
VGG16 = Family("a VGG", VGG, vgg_names.NAMINGS, "imagenet", batch_norm=False)
VGG16_BN = Family("a VGG", VGG, vgg_names.BATCH_NORM_NAMINGS, "imagenet", batch_norm=True)
INCEPTION = Family("an Inception-v3", InceptionV3, inception_names.NAMINGS, "half", batch_norm=True)
OWN = Family("this network", CNN, (), "imagenet", batch_norm=True)

_TINY = {"dim": 96, "depths": (2, 2, 6, 2), "heads": (3, 6, 12, 24)}
_SMALL = {"dim": 96, "depths": (2, 2, 18, 2), "heads": (3, 6, 12, 24)}
_BASE = {"dim": 128, "depths": (2, 2, 18, 2), "heads": (4, 8, 16, 32)}
_LARGE = {"dim": 192, "depths": (2, 2, 18, 2), "heads": (6, 12, 24, 48)}

_PLAIN = {"width": 64, "bottleneck": False, "cifar": False}
_BOTTLENECK = _PLAIN | {"bottleneck": True}
_CIFAR = {"width": 16, "bottleneck": False, "cifar": True}

_VGG = {"depths": (2, 2, 3, 3, 3), "widths": (64, 128, 256, 512, 512), "dense": 4096}
_EFFICIENTNETS = {  # side, width, depth
    "efficientnet_b0": (224, 1.0, 1.0),
    "efficientnet_b1": (240, 1.0, 1.1),
    "efficientnet_b2": (260, 1.1, 1.2),
    "efficientnet_b3": (300, 1.2, 1.4),
}
_VITS = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}  # width, heads


def _efficientnets(tensorflow: bool) -> dict[str, Variant]:
    family, prefix = (TF_EFFICIENTNET, "tf_") if tensorflow else (EFFICIENTNET, "")
    return {
        prefix + name: Variant(
            side, {"width": width, "depth": depth, "tensorflow": tensorflow}, family
        )
        for name, (side, width, depth) in _EFFICIENTNETS.items()
    }


# Names and numbers are timm's.
VARIANTS: dict[str, Variant] = {
    "swin_tiny_patch4_window7_224": Variant(224, _TINY | {"window": 7}, SWIN),
    "swin_small_patch4_window7_224": Variant(224, _SMALL | {"window": 7}, SWIN),
    "swin_base_patch4_window7_224": Variant(224, _BASE | {"window": 7}, SWIN),
    "swin_large_patch4_window7_224": Variant(224, _LARGE | {"window": 7}, SWIN),
    "swin_base_patch4_window12_384": Variant(384, _BASE | {"window": 12}, SWIN),
    "swin_large_patch4_window12_384": Variant(384, _LARGE | {"window": 12}, SWIN),
    # Ours, for the demo and machines without a GPU; no published weights.
    "swin_mini_patch4_window4_64": Variant(
        64, {"dim": 32, "depths": (2, 2, 2), "heads": (2, 4, 8), "window": 4}, SWIN
    ),
    "resnet18": Variant(224, _PLAIN | {"depths": (2, 2, 2, 2)}, RESNET),
    "resnet34": Variant(224, _PLAIN | {"depths": (3, 4, 6, 3)}, RESNET),
    "resnet50": Variant(224, _BOTTLENECK | {"depths": (3, 4, 6, 3)}, RESNET),
    "resnet101": Variant(224, _BOTTLENECK | {"depths": (3, 4, 23, 3)}, RESNET),
    # From the paper's section on CIFAR-10; no names in timm.
    "cifar_resnet20": Variant(32, _CIFAR | {"depths": (3, 3, 3)}, RESNET),
    "cifar_resnet32": Variant(32, _CIFAR | {"depths": (5, 5, 5)}, RESNET),
    "cifar_resnet44": Variant(32, _CIFAR | {"depths": (7, 7, 7)}, RESNET),
    "cifar_resnet56": Variant(32, _CIFAR | {"depths": (9, 9, 9)}, RESNET),
    **_efficientnets(tensorflow=False),
    **_efficientnets(tensorflow=True),  # for weights converted from TensorFlow
    **{
        f"mobilenetv1_{round(100 * width):03}": Variant(
            224, {"generation": 1, "width": width}, MOBILENET_V1
        )
        for width in (0.25, 0.5, 0.75, 1.0)
    },
    "mobilenetv2_100": Variant(224, {"generation": 2, "width": 1.0}, MOBILENET_V2),
    "mobilenetv3_large_100": Variant(224, {"generation": 3, "width": 1.0}, MOBILENET_V3),
    **{
        f"vit_{name}_patch16_224": Variant(
            224, {"patch": 16, "dim": dim, "depths": (3, 3, 3, 3), "heads": heads}, VIT
        )
        for name, (dim, heads) in _VITS.items()
    },
    "vgg16": Variant(224, _VGG | {"batch_norm": False}, VGG16),
    "vgg16_bn": Variant(224, _VGG | {"batch_norm": True}, VGG16_BN),
    "inception_v3": Variant(299, {"width": 1.0}, INCEPTION),
    # Ours: seven convolutions, for experiments with many runs.
    "cnn7": Variant(64, {"width": 32, "depths": (2, 2, 2)}, OWN),
}
