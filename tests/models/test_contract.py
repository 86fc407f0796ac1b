"""What every model promises, without computing anything: shapes are enough."""

import functools
import math

import jax
import jax.numpy as jnp
import pytest
from flax import nnx, traverse_util

import hairjax
from hairjax.models.factory import input_size, model_builder, native_size, stage_count
from hairjax.models.layers.common import ParameterKeys, part_names
from hairjax.models.table import VARIANTS
from hairjax.optim.parts import is_statistic
from tests.cases import others_slow
from tests.models.example import options

# sum(p.numel() for p in timm.create_model(name, num_classes=1000).parameters()) with timm 1.0.31;
# for the mini, which timm has no name for, the same of timm.models.SwinTransformer(img_size=64,
# window_size=4, embed_dim=32, depths=(2, 2, 2), num_heads=(2, 4, 8), num_classes=1000).
PARAMETERS = {
    "swin_tiny_patch4_window7_224": 28_288_354,
    "swin_small_patch4_window7_224": 49_606_258,
    "swin_base_patch4_window7_224": 87_768_224,
    "swin_large_patch4_window7_224": 196_532_476,
    "swin_base_patch4_window12_384": 87_903_584,
    "swin_large_patch4_window12_384": 196_735_516,
    "swin_mini_patch4_window4_64": 695_908,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    # Of Idelbayev's 269,722, 464,154, 658,586 and 853,018 with 990 classes more.
    "cifar_resnet20": 269_722 + 990 * 65,
    "cifar_resnet32": 464_154 + 990 * 65,
    "cifar_resnet44": 658_586 + 990 * 65,
    "cifar_resnet56": 853_018 + 990 * 65,
    "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232,
    "tf_efficientnet_b0": 5_288_548,
    "tf_efficientnet_b1": 7_794_184,
    "tf_efficientnet_b2": 9_109_994,
    "tf_efficientnet_b3": 12_233_232,
    # Those of Keras's that train: keras.applications.MobileNet(alpha=0.25) and so on.
    "mobilenetv1_025": 470_072,
    "mobilenetv1_050": 1_331_592,
    "mobilenetv1_075": 2_585_560,
    "mobilenetv1_100": 4_231_976,
    "mobilenetv2_100": 3_504_872,
    "mobilenetv3_large_100": 5_483_032,
    "vit_tiny_patch16_224": 5_717_416,
    "vit_small_patch16_224": 22_050_664,
    "vit_base_patch16_224": 86_567_656,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    # timm's; torchvision's 27,161,264 are those and the auxiliary classifier's.
    "inception_v3": 23_834_568,
    # Ours: seven kernels, seven norms, a classifier.
    "cnn7": 9 * (3 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128**2 + 128 * 256 + 256**2)
    + 2 * (32 + 2 * 64 + 2 * 128 + 2 * 256)
    + 257 * 1000,
}

_MOBILE = [2, 4, 8, 16, 16, 32, 32]
STRIDES = {
    "cifar": [1, 2, 4],
    "efficientnet": _MOBILE,
    "tf": _MOBILE,
    "mobilenetv1": [2, 4, 8, 16, 32],
    "mobilenetv2": _MOBILE,
    "mobilenetv3": _MOBILE[:-1],
    "vit": [16] * 4,
    "vgg16": [1, 2, 4, 8, 16],
    "cnn7": [2, 4, 8],
}


# Every Swin and the smallest of each other family, of which some by default: tracing takes seconds.
SHAPED = [name for name in VARIANTS if name.startswith("swin")]
SHAPED += ["resnet18", "cifar_resnet20", "efficientnet_b0", "mobilenetv1_025", "mobilenetv2_100"]
SHAPED += ["mobilenetv3_large_100", "vit_tiny_patch16_224", "vgg16_bn", "cnn7"]
USUAL = {"swin_mini_patch4_window4_64", "resnet18", "mobilenetv1_025", "mobilenetv3_large_100"}
USUAL |= {"vit_tiny_patch16_224", "vgg16_bn", "cnn7"}
COUNTED = USUAL | {"swin_tiny_patch4_window7_224", "cifar_resnet20", "efficientnet_b0"}
COUNTED |= {"mobilenetv2_100", "inception_v3"}


@functools.cache
def shapes_of(name):
    """The model with shapes in place of arrays."""
    given = options(image_size=input_size(name, None), num_classes=1000, dropout=0.1)
    build = model_builder(name, given)
    return nnx.eval_shape(lambda: build(rngs=ParameterKeys(0)))


@pytest.fixture(scope="module", params=others_slow(hairjax.list_models(), COUNTED))
def named_model(request):
    return request.param, shapes_of(request.param)


def test_has_the_published_number_of_parameters(named_model):
    name, model = named_model
    leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert sum(math.prod(leaf.shape) for leaf in leaves) == PARAMETERS[name]
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(nnx.state(model)))


def test_statistics_are_told_from_parameters_by_their_names(named_model):
    name, model = named_model
    found = traverse_util.flatten_dict(nnx.to_pure_dict(nnx.state(model, nnx.BatchStat)))
    every = traverse_util.flatten_dict(nnx.to_pure_dict(nnx.state(model)))
    assert {path for path in every if is_statistic(path)} == found.keys()
    assert VARIANTS[name].family.batch_norm == bool(found)


def test_is_exactly_stem_stages_and_head(named_model):
    name, model = named_model
    groups = nnx.to_pure_dict(nnx.state(model))
    assert set(groups) == {"stem", "stages", "head"}
    assert isinstance(model.stages, nnx.List)
    stages = [f"stages.{i}" for i in range(len(model.stages))]
    assert part_names(model) == ["stem", *stages, "head"]
    assert (
        sorted(groups["stages"]) == list(range(len(model.stages))) == list(range(stage_count(name)))
    )
    # What sees the photograph, which the rules of weights.stem adapt.
    assert model.stem.proj.kernel.shape[2] == 3


@pytest.mark.parametrize("name", others_slow(SHAPED, USUAL))
def test_gives_float32_logits_and_a_map_per_stage(name):
    model = shapes_of(name)
    side = native_size(name)
    images = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
    graphdef, state = nnx.split(model)

    def outputs(state, images, key):
        model, rngs = nnx.merge(graphdef, state), nnx.Rngs(dropout=key)
        frozen = ("stem", "stages.0")
        maps = model.features(images, train=True, rngs=rngs, frozen=frozen)
        return model(images, train=True, rngs=rngs, frozen=frozen), maps, model.embed(images)

    logits, maps, embedding = jax.eval_shape(outputs, state, images, jax.random.key(0))
    assert (logits.shape, logits.dtype) == ((2, 1000), jnp.float32)
    assert len(maps) == len(model.stages)
    strides = STRIDES.get(name.split("_")[0], [4, 8, 16, 32][: len(maps)])
    assert [m.shape[1:3] for m in maps] == [(-(-side // s), -(-side // s)) for s in strides]
    width = model.head.classifier.in_features
    assert (embedding.shape, embedding.dtype) == ((2, width), jnp.float32)


def test_every_variant_is_listed_with_its_parameters():
    assert hairjax.list_models() == list(VARIANTS) == list(PARAMETERS)
