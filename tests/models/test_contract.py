"""What every model promises, without computing anything: shapes are enough."""

import math

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

import hairjax
from hairjax.models import VARIANTS, model_builder, native_size, part_names

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
}


@pytest.fixture(scope="module", params=hairjax.list_models())
def named_model(request):
    """A model's name, and the model with shapes in place of arrays."""
    build = model_builder(
        request.param,
        in_channels=3,
        num_classes=1000,
        image_size=None,
        dropout=0.1,
        drop_path=0.1,
        hidden=(),
        head="softmax",
        mask_shifted=True,
        dtype=jnp.float32,
        remat=False,
    )
    return request.param, nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0)))


def test_has_timms_number_of_parameters(named_model):
    name, model = named_model
    leaves = jax.tree.leaves(nnx.state(model))
    assert sum(math.prod(leaf.shape) for leaf in leaves) == PARAMETERS[name]
    assert all(leaf.dtype == jnp.float32 for leaf in leaves)


def test_is_exactly_stem_stages_and_head(named_model):
    _, model = named_model
    groups = nnx.to_pure_dict(nnx.state(model))
    assert set(groups) == {"stem", "stages", "head"}
    assert isinstance(model.stages, nnx.List)
    stages = [f"stages.{i}" for i in range(len(model.stages))]
    assert part_names(model) == ["stem", *stages, "head"]
    assert sorted(groups["stages"]) == list(range(len(model.stages)))


def test_gives_float32_logits_and_a_map_per_stage(named_model):
    name, model = named_model
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
    strides = [4, 8, 16, 32][: len(maps)]
    assert [m.shape[1:3] for m in maps] == [(side // s, side // s) for s in strides]
    assert (embedding.shape, embedding.dtype) == ((2, maps[-1].shape[-1]), jnp.float32)


def test_every_variant_is_listed_with_its_parameters():
    assert hairjax.list_models() == list(VARIANTS) == list(PARAMETERS)
