"""Write what timm, torchvision, Keras and Idelbayev's ResNet compute, for tests without them.

``backbones.json`` holds the names and shapes of each network's parameters, whose numbers follow
from them (`drawn`). ``backbones.npz`` holds what the network makes of random photographs: logits,
embedding, and of every stage's map the means over its channels and over its places. Of a ResNet
also what a batch in training makes of logits, running statistics and the gradient of the stem.

Needs torch, timm, torchvision and keras (``KERAS_BACKEND=torch``):
``python -m tests.reference.make_backbones`` writes both files.
"""

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision
from timm.models.efficientnet import _gen_efficientnet, _gen_mobilenet_v2
from timm.models.mobilenetv3 import _gen_mobilenet_v3
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional
from torchvision.models.efficientnet import EfficientNet, _efficientnet_conf

from tests.reference.drawn import drawn, drawn_keras, photographs

CLASSES = 10


class CifarBlock(nn.Module):
    """Idelbayev's, with the shortcut "A" of the paper."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, (outputs - inputs) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branch = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        x = x[:, :, :: self.stride, :: self.stride]
        return functional.relu(branch + functional.pad(x, (0, 0, 0, 0, self.added, self.added)))


class CifarResNet(nn.Module):
    """Idelbayev's."""

    def __init__(self, depth: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        inputs = 16
        for i in range(3):
            outputs = 16 * 2**i
            blocks = [CifarBlock(inputs, outputs, 2 if i else 1)]
            blocks += [CifarBlock(outputs, outputs, 1) for _ in range(depth - 1)]
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
            inputs = outputs
        self.linear = nn.Linear(64, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def vgg(batch_norm: bool) -> nn.Module:
    cfg = [8, 8, "M", 16, 16, "M", 24, 24, 24, "M", 32, 32, 32, "M", 32, 32, 32, "M"]
    features = torchvision.models.vgg.make_layers(cfg, batch_norm=batch_norm)
    model = torchvision.models.VGG(features, init_weights=False)
    model.classifier = nn.Sequential(
        nn.Linear(32 * 49, 24),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(24, 24),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(24, CLASSES),
    )
    return model


def inception() -> nn.Module:
    """An eighth of its channels."""
    from torchvision.models import inception as parts

    def narrow(inputs: int, outputs: int, **rest: object) -> nn.Module:
        return parts.BasicConv2d(max(inputs // 8, 3), outputs // 8, **rest)

    def block(make: Callable) -> Callable:
        return lambda *args, **kwargs: make(*args, **kwargs, conv_block=narrow)

    blocks = [parts.InceptionA, parts.InceptionB, parts.InceptionC, parts.InceptionD]
    model = torchvision.models.Inception3(
        CLASSES,
        aux_logits=False,
        init_weights=False,
        inception_blocks=[narrow, *map(block, [*blocks, parts.InceptionE]), None],
    )
    model.fc = nn.Linear(256, CLASSES)
    return model


def resnet(block: type, depths: tuple[int, ...]) -> nn.Module:
    return torchvision.models.ResNet(block, depths, num_classes=CLASSES)


BLOCKS = torchvision.models.resnet
# Case → (network, size of its photographs, where the maps are). Sizes are odd where they may be.
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, int], list[str]]] = {
    "resnet": (
        lambda: resnet(BLOCKS.BasicBlock, (1, 2, 1, 1)),
        (40, 55),
        [f"layer{i}" for i in (1, 2, 3, 4)],
    ),
    "resnet_bottleneck": (
        lambda: resnet(BLOCKS.Bottleneck, (1, 2, 1, 1)),
        (40, 55),
        [f"layer{i}" for i in (1, 2, 3, 4)],
    ),
    "resnet_cifar": (lambda: CifarResNet(2), (32, 31), ["layer1", "layer2", "layer3"]),
    "efficientnet_tensorflow": (
        lambda: _gen_efficientnet(
            "tf_efficientnet_b0", 0.25, num_classes=CLASSES, bn_eps=1e-3, pad_type="same"
        ),
        (64, 77),
        [f"blocks.{i}" for i in range(7)],
    ),
    "efficientnet_torchvision": (
        lambda: EfficientNet(
            _efficientnet_conf("efficientnet_b0", width_mult=0.25, depth_mult=1.0)[0],
            dropout=0.0,
            num_classes=CLASSES,
        ),
        (64, 77),
        [f"features.{i}" for i in range(1, 8)],
    ),
    "mobilenetv2": (
        lambda: _gen_mobilenet_v2("mobilenetv2_100", 0.25, num_classes=CLASSES),
        (64, 77),
        [f"blocks.{i}" for i in range(7)],
    ),
    "mobilenetv2_torchvision": (
        lambda: torchvision.models.MobileNetV2(CLASSES, width_mult=0.25),
        (64, 77),
        [f"features.{i}" for i in (1, 3, 6, 10, 13, 16, 17)],
    ),
    "mobilenetv3": (
        lambda: _gen_mobilenet_v3("mobilenetv3_large_100", 0.35, num_classes=CLASSES),
        (64, 77),
        [f"blocks.{i}" for i in range(6)],
    ),
    "vit": (
        lambda: VisionTransformer(64, 16, embed_dim=24, depth=12, num_heads=3, num_classes=CLASSES),
        (64, 64),
        [f"blocks.{i}" for i in (2, 5, 8, 11)],
    ),
    "vgg": (lambda: vgg(False), (33, 258), [f"features.{i}" for i in (3, 8, 15, 22, 29)]),
    "vgg_batch_norm": (
        lambda: vgg(True),
        (75, 90),
        [f"features.{i}" for i in (5, 12, 22, 32, 42)],
    ),
    "inception": (
        inception,
        (80, 97),
        ["Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c"],
    ),
}
TRAINED = "resnet"


def fill(model: nn.Module) -> dict[str, list[int]]:
    shapes = {
        name: list(tensor.shape)
        for name, tensor in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    arrays = {name: torch.from_numpy(drawn(name, tuple(shape))) for name, shape in shapes.items()}
    model.load_state_dict(arrays, strict=False)
    return shapes


def outputs(model: nn.Module, images: np.ndarray, places: list[str]) -> dict[str, np.ndarray]:
    maps: dict[str, torch.Tensor] = {}
    embeddings = []
    for i, place in enumerate(places):
        model.get_submodule(place).register_forward_hook(
            lambda module, given, found, i=i: maps.update({f"map{i}": found})
        )
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    last.register_forward_hook(lambda module, given, found: embeddings.append(given[0]))
    with torch.no_grad():
        logits = model(torch.from_numpy(images).permute(0, 3, 1, 2))
    found = {"logits": logits.numpy(), "embedding": embeddings[0].numpy()}
    for name, array in maps.items():
        if array.ndim == 3:  # a ViT's tokens
            side = int(array.shape[1] ** 0.5)
            array = array[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
        found[f"{name}.channels"] = array.mean((2, 3)).numpy()
        found[f"{name}.places"] = array.mean(1).numpy()
    return found


def trained(model: nn.Module, images: np.ndarray) -> dict[str, np.ndarray]:
    model.train()
    logits = model(torch.from_numpy(images).permute(0, 3, 1, 2))
    functional.cross_entropy(logits, torch.arange(len(images)) % CLASSES).backward()
    statistics = {n: b.numpy() for n, b in model.named_buffers() if "running" in n}
    gradient = model.conv1.weight.grad.numpy()
    return {"trained.logits": logits.detach().numpy(), "trained.gradient": gradient, **statistics}


def keras_mobilenet() -> tuple[dict[str, list[int]], dict[str, np.ndarray]]:
    """Shapes of the parameters, and what Keras's MobileNet makes of photographs."""
    keras = importlib.import_module("keras")
    size = (45, 64)
    model = keras.applications.MobileNet(
        (*size, 3), alpha=0.25, weights=None, classes=CLASSES, classifier_activation=None
    )
    shapes = {weight.path: list(weight.shape) for weight in model.weights}
    for weight in model.weights:
        weight.assign(drawn_keras(weight.path, tuple(weight.shape)))
    layers = [f"conv_pw_{i}_relu" for i in (1, 3, 5, 11, 13)]
    places = [*layers, "global_average_pooling2d"]
    whole = keras.Model(model.inputs, [*(model.get_layer(n).output for n in places), model.output])
    *maps, embedding, logits = whole(photographs("mobilenetv1", size, 1), training=False)
    found = {"logits": logits, "embedding": embedding.reshape(1, -1)}
    for i, array in enumerate(maps):
        found[f"map{i}.channels"], found[f"map{i}.places"] = array.mean((1, 2)), array.mean(3)
    arrays = {name: tensor.detach().numpy() for name, tensor in found.items()}
    return {"size": size, "parameters": shapes}, arrays


def main() -> None:
    folder = Path(__file__).parent
    shapes, arrays = {}, {}
    for case, (make, size, places) in CASES.items():
        model = make().eval()
        shapes[case] = {"size": size, "parameters": fill(model)}
        found = outputs(model, photographs(case, size, 1), places)
        if case == TRAINED:
            found |= trained(model, photographs(case, size, 4))
        arrays |= {f"{case}/{name}": array for name, array in found.items()}
    shapes["mobilenetv1"], found = keras_mobilenet()
    arrays |= {f"mobilenetv1/{name}": array for name, array in found.items()}
    (folder / "backbones.json").write_text(json.dumps(shapes, separators=(",", ":")) + "\n")
    np.savez_compressed(folder / "backbones.npz", **arrays)


if __name__ == "__main__":
    main()
