from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from hairjax.weights import WeightsError
from hairjax.weights.names.swin import NAMINGS, TIMM
from hairjax.weights.naming import DERIVED, OURS, our_layout, our_path, recognise, translate

REFERENCE = Path(__file__).parents[1] / "reference" / "swin.safetensors"


@pytest.mark.parametrize(
    ("timm", "shape", "ours", "axes"),
    [
        ("patch_embed.proj.weight", (8, 3, 4, 4), "stem.proj.kernel", (2, 3, 1, 0)),
        ("patch_embed.norm.weight", (8,), "stem.norm.scale", (0,)),
        ("patch_embed.norm.bias", (8,), "stem.norm.bias", (0,)),
        ("layers.2.downsample.norm.weight", (64,), "stages.2.merge.norm.scale", (0,)),
        (
            "layers.2.downsample.reduction.weight",
            (32, 64),
            "stages.2.merge.reduction.kernel",
            (1, 0),
        ),
        (
            "layers.0.blocks.11.attn.relative_position_bias_table",
            (49, 2),
            "stages.0.blocks.11.attention.bias_table",
            (0, 1),
        ),
        (
            "layers.1.blocks.0.attn.qkv.weight",
            (24, 8),
            "stages.1.blocks.0.attention.qkv.kernel",
            (1, 0),
        ),
        ("layers.1.blocks.0.attn.proj.bias", (8,), "stages.1.blocks.0.attention.proj.bias", (0,)),
        ("layers.1.blocks.0.norm2.weight", (8,), "stages.1.blocks.0.norm2.scale", (0,)),
        (
            "layers.1.blocks.0.mlp.fc1.weight",
            (32, 8),
            "stages.1.blocks.0.mlp.expand.kernel",
            (1, 0),
        ),
        ("layers.1.blocks.0.mlp.fc2.bias", (8,), "stages.1.blocks.0.mlp.reduce.bias", (0,)),
        ("norm.weight", (32,), "head.norm.scale", (0,)),
        ("head.fc.weight", (10, 32), "head.classifier.kernel", (1, 0)),
        ("head.fc.bias", (10,), "head.classifier.bias", (0,)),
    ],
)
def test_names_and_layouts(timm, shape, ours, axes):
    array = np.random.default_rng(0).normal(size=shape)
    path, translated = our_layout(our_path(TIMM, timm), array)
    assert path == ours
    np.testing.assert_array_equal(translated, array.transpose(axes))


@pytest.mark.parametrize(
    "name",
    [
        "head.weight",
        "cls_token",
        "layers.0.blocks.0.attn.logit_scale",
        "layers.x.blocks.0.norm1.weight",
        "module.patch_embed.proj.weight",
        "layers.0.blocks.0.attn.relative_position_bias_table.ema",
    ],
)
def test_names_that_timm_does_not_give_are_not_guessed(name):
    assert our_path(TIMM, name) is None


def test_no_two_names_become_one():
    arrays = safetensors.numpy.load_file(REFERENCE)
    found, unexpected = translate(TIMM, "", arrays)
    assert unexpected == []
    assert len(found) == len(arrays) == 92


def test_buffers_that_follow_from_the_window_are_recognised():
    assert DERIVED.search("layers.0.blocks.1.attn_mask")
    assert DERIVED.search("layers.0.blocks.1.attn.relative_position_index")
    assert not DERIVED.search("layers.0.blocks.1.attn.relative_position_bias_table")


# --- other sources; that their arrays give equal activations is tested in test_sources.py

BODY = ("patch_embed.proj.weight", "layers.0.blocks.0.norm1.weight")
END = (*BODY, "layers.0.downsample.norm.weight")
BLOCK = "encoder.layers.0.blocks.0."
EMBEDDINGS = "embeddings.patch_embeddings.projection.weight"


@pytest.mark.parametrize("prefix", ["", "module.", "model.backbone."])
@pytest.mark.parametrize(
    ("names", "title"),
    [
        ((*BODY, "layers.1.downsample.norm.weight", "head.fc.weight"), "timm"),
        (BODY, "timm"),
        ((*END, "head.weight"), "Microsoft"),
        (END, "Microsoft"),
        ((*END, "head.0.weight", "head.3.weight"), "the original hair-loss classifier"),
        ((f"swin.{EMBEDDINGS}", f"swin.{BLOCK}attention.self.query.weight"), "transformers"),
        ((EMBEDDINGS, f"{BLOCK}attention.self.query.weight"), "transformers"),
        ((EMBEDDINGS, f"{BLOCK}attention.q_proj.weight"), "transformers (in memory)"),
        (
            (
                "backbone.patch_embed.projection.weight",
                "backbone.stages.0.blocks.0.attn.w_msa.qkv.weight",
                "head.fc.weight",
            ),
            "OpenMMLab",
        ),
        (("stem.proj.kernel", "head.norm.scale"), "hairjax"),
    ],
)
def test_a_naming_is_recognised_behind_any_prefix(names, title, prefix):
    found = recognise([prefix + name for name in names], "a Swin", NAMINGS)
    assert {place: naming.title for place, naming in found.items()} == {prefix: title}


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ((), "none at all"),
        (("conv1.weight", "fc.bias"), "conv1.weight, fc.bias;"),
        ([f"layer{i}" for i in range(9)], "layer0, layer1, layer2, layer3, layer4 …;"),
        (("xpatch_embed.proj.weight",), "xpatch_embed"),
        (("a.swin." + EMBEDDINGS, f"b.swin.{BLOCK}attention.self.query.weight"), "a.swin"),
    ],
)
def test_an_unknown_naming_is_refused_with_its_names_and_the_known(names, listed):
    with pytest.raises(WeightsError) as error:
        recognise(names, "a Swin", NAMINGS)
    assert listed in str(error.value)
    assert all(naming.title in str(error.value) for naming in (OURS, *NAMINGS))


def test_what_lies_outside_the_prefix_is_unexpected():
    arrays = {"module.norm.bias": np.zeros(3), "norm.weight": np.ones(3)}
    found, unexpected = translate(TIMM, "module.", arrays)
    assert list(found) == ["head.norm.bias"]
    assert unexpected == ["norm.weight"]


def test_patch_merging_at_the_end_of_a_stage_opens_the_next():
    microsoft = next(naming for naming in NAMINGS if naming.title == "Microsoft")
    path = our_path(microsoft, "layers.9.downsample.reduction.weight")
    assert path == "stages.10.merge.reduction.weight"


def test_openmmlabs_patch_merging_is_ours():
    """Its patches are torch's ``Unfold``: channels, and in each the rows of a patch."""
    draw = np.random.default_rng(0).standard_normal
    channels, out = 3, 5
    patch = draw((2, 2, channels))  # row, column, channel
    weight, scale = draw((out, 4 * channels)), draw(4 * channels)
    unfolded = patch.transpose(2, 0, 1).ravel()
    # As Microsoft's joins them: rows change before columns, channels first of all.
    joined = np.concatenate([patch[0, 0], patch[1, 0], patch[0, 1], patch[1, 1]])
    place = "backbone.stages.1.downsample."
    arrays = {f"{place}reduction.weight": weight, f"{place}norm.weight": scale}
    openmmlab = next(naming for naming in NAMINGS if naming.title == "OpenMMLab")
    found, unexpected = translate(openmmlab, "", arrays)
    assert unexpected == []
    ours = (joined * found["stages.2.merge.norm.scale"]) @ found["stages.2.merge.reduction.kernel"]
    np.testing.assert_allclose(ours, weight @ (unfolded * scale), rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 6)])
def test_patch_merging_of_another_shape_is_left_to_the_comparison(shape):
    openmmlab = next(naming for naming in NAMINGS if naming.title == "OpenMMLab")
    name = "stages.0.downsample.reduction.weight"
    found, _ = translate(openmmlab, "", {name: np.zeros(shape)})
    assert [array.size for array in found.values()] == [np.zeros(shape).size]


def transformers_parts(**shapes):
    transformers = next(naming for naming in NAMINGS if naming.title == "transformers")
    place = f"swin.{BLOCK}attention.self."
    arrays = {f"{place}{name}": np.full(shape, i) for i, (name, shape) in enumerate(shapes.items())}
    return translate(transformers, "", {k.replace("__", "."): a for k, a in arrays.items()})


def test_query_key_and_value_are_joined_in_this_order():
    parts = {"value__weight": (2, 3), "query__weight": (2, 3), "key__weight": (2, 3)}
    found, unexpected = transformers_parts(**parts)
    assert unexpected == []
    kernel = found["stages.0.blocks.0.attention.qkv.kernel"]
    np.testing.assert_array_equal(kernel, [[1, 1, 2, 2, 0, 0]] * 3)


@pytest.mark.parametrize(
    "parts",
    [
        {"query__weight": (2, 3), "value__weight": (2, 3)},
        {"query__weight": (2, 3), "key__weight": (2, 4), "value__weight": (2, 3)},
        {"query__bias": (), "key__bias": (), "value__bias": ()},
    ],
)
def test_parts_that_cannot_be_joined_are_all_unexpected(parts):
    found, unexpected = transformers_parts(**parts)
    assert found == {}
    assert len(unexpected) == len(parts)
