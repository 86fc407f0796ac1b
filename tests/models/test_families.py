"""What every family has beside its numbers: gradients, six channels, sizes, messages, settings."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import hairjax
from configs import top
from hairjax.builders.inputs import input_specification
from hairjax.builders.validation import check_config
from hairjax.data.inputs import denormalised, normalised
from hairjax.models import table as families
from hairjax.models.layers.inverted_residual import InvertedResidual, Shape
from hairjax.models.table import VARIANTS, Variant
from hairjax.optim.parts import is_statistic, part_of
from hairjax.parallel.compilation import compiler_options
from hairjax.system.errors import UserError
from hairjax.training.classification import Classification
from hairjax.training.step import Examples, gradients
from hairjax.weights.position import resize_position
from tests.cases import others_slow
from tests.models.test_backbones import CASES, reference_weights

UNOPTIMIZED = {"xla_backend_optimization_level": 0}
TASK = Classification(3, 0.0, None)
SIDE = 32
# Smaller than those of the reference: a gradient takes long to compile.
TINY = {
    "cnn": ({"width": 4, "depths": (1, 2)}, families.OWN),
    "resnet": (
        {"width": 8, "depths": (1, 1), "cifar": False, "bottleneck": True},
        families.RESNET,
    ),
    "vit": ({"patch": 16, "dim": 12, "depths": (1, 1), "heads": 2}, families.VIT),
    "vgg": (
        {"depths": (2, 1), "widths": (4, 6), "dense": 8, "batch_norm": True},
        families.VGG16_BN,
    ),
}


@pytest.fixture
def small(request, monkeypatch):
    monkeypatch.setitem(VARIANTS, "small", Variant(SIDE, *CASES[request.param]))
    return request.param


def images(channels=3, size=(SIDE, SIDE), batch=4):
    return np.random.default_rng(0).normal(size=(batch, *size, channels)).astype(np.float32)


def examples():
    return Examples(images(), jax.nn.one_hot(jnp.arange(4) % 3, 3), jax.random.key(0))


@pytest.mark.parametrize("tiny", TINY)
def test_gradients_reach_every_parameter_that_trains(tiny, monkeypatch):
    monkeypatch.setitem(VARIANTS, "small", Variant(SIDE, *TINY[tiny]))
    drop = 0.2 if tiny in ("resnet", "vit") else 0.0
    model = hairjax.create_model("small", num_classes=3, dropout=0.2, drop_path=drop)
    graphdef, state = nnx.split(model)
    frozen, params = ("stem", "stages.0"), nnx.to_pure_dict(state)
    run = functools.partial(gradients, graphdef, task=TASK, frozen=frozen, cached_stages=0)
    compiled = jax.jit(run, compiler_options=UNOPTIMIZED)
    (loss, _, moved), grads = compiled(params, examples())
    assert np.isfinite(loss)
    for path, gradient in jax.tree_util.tree_leaves_with_path(grads):
        place = tuple(part.key for part in path)
        silent = part_of(place) in frozen or is_statistic(place)
        assert np.any(gradient) != silent, place
    parts = {part_of(tuple(p.key for p in path)) for path, _ in jax.tree.leaves_with_path(moved)}
    assert not parts & set(frozen)


@pytest.mark.slow
@pytest.mark.parametrize("tiny", ["swin", "vit", "vgg"])
def test_gradients_in_bfloat16_are_those_in_float32_but_for_rounding(tiny, monkeypatch):
    swin = {"dim": 16, "depths": (2, 1), "heads": (2, 4), "window": 4}
    variants = TINY | {"swin": (swin, families.SWIN)}
    monkeypatch.setitem(VARIANTS, "small", Variant(SIDE, *variants[tiny]))
    found = []
    for dtype in (jnp.float32, jnp.bfloat16):
        model = hairjax.create_model("small", num_classes=3, dtype=dtype)
        graphdef, state = nnx.split(model)
        run = functools.partial(gradients, graphdef, task=TASK, frozen=(), cached_stages=0)
        compiled = jax.jit(run, compiler_options=compiler_options())
        _, grads = compiled(nnx.to_pure_dict(state), examples())
        leaves = jax.tree.leaves(grads)
        assert all(leaf.dtype == jnp.float32 for leaf in leaves)
        found.append(np.concatenate([np.ravel(leaf) for leaf in leaves]))
    whole, half = found
    assert 0 < np.linalg.norm(half - whole) < 0.05 * np.linalg.norm(whole)


def test_gradients_reach_all_of_an_inverted_residual():
    shape = Shape(6, 3, 1, 12, 4, jax.nn.relu, jax.nn.hard_sigmoid, None, True)
    block = InvertedResidual(
        6,
        shape,
        padding="torch",
        epsilon=1e-3,
        drop_path=0.3,
        dtype=jnp.float32,
        rngs=nnx.Rngs(0),
    )
    graphdef, state, statistics = nnx.split(block, nnx.Param, nnx.BatchStat)
    statistics = nnx.to_pure_dict(statistics)

    def loss(state, x):
        return jnp.square(nnx.merge(graphdef, state, statistics)(x, jax.random.key(1))).mean()

    run = jax.jit(jax.grad(loss), compiler_options=UNOPTIMIZED)
    gradient = run(state, images(6, (5, 5), 8))
    assert all(np.any(leaf) for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("tiny", ["vit", "resnet"])
def test_what_goes_on_from_a_stage_ends_as_the_call_does(tiny, monkeypatch):
    monkeypatch.setitem(VARIANTS, "small", Variant(SIDE, *TINY[tiny]))
    model = hairjax.create_model("small", num_classes=3)
    graphdef, state = nnx.split(model)

    @functools.partial(jax.jit, compiler_options=UNOPTIMIZED)
    def run(state, x):
        model = nnx.merge(graphdef, state)
        return model(x), model.continue_from(1, model.until(1, x))

    whole, in_two = run(state, images())
    np.testing.assert_allclose(in_two, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("small", others_slow(CASES, ("resnet", "vit")), indirect=True)
def test_six_channels_are_fitted_by_the_stems_rules(small, tmp_path):
    side = {"vit": 64, "inception": 80}.get(small, SIDE)
    weights = reference_weights(small, tmp_path)
    arguments = {"num_classes": 10, "image_size": side, "weights": weights}
    three = hairjax.create_model("small", **arguments).stem.proj.kernel[...]
    six = hairjax.create_model("small", in_channels=6, stem="copy", **arguments)
    expected = np.concatenate([three, three], axis=2) / 2
    np.testing.assert_allclose(six.stem.proj.kernel[...], expected, rtol=1e-6)


@pytest.mark.parametrize("small", ["resnet_cifar"], indirect=True)
def test_a_convolutional_network_takes_any_size_but_its_own_channels(small):
    model = hairjax.create_model("small", num_classes=3, in_channels=6)
    shapes = jax.eval_shape(lambda x: model.features(x), jnp.zeros((1, 33, 20, 6)))
    assert [shape.shape[1:3] for shape in shapes] == [(33, 20), (17, 10), (9, 5)]
    with pytest.raises(ValueError, match=r"photographs \[batch, h, w, 6\], not \[1, 32, 32, 3\]"):
        model(jnp.zeros((1, 32, 32, 3)))


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("vgg16", {"image_size": 31}, "VGG takes photographs of at least 32 × 32 pixels, not 31"),
        ("inception_v3", {"image_size": (80, 74)}, "at least 75 × 75 pixels, not 80 × 74"),
        ("vit_tiny_patch16_224", {"image_size": 100}, "multiples of 16, not 100 × 100"),
        ("mobilenetv1_100", {"drop_path": 0.1}, r"no residual branches .*drop_path=0\.1 to drop"),
        ("vgg16_bn", {"drop_path": 0.1}, "set it to 0"),
        ("inception_v3", {"drop_path": 0.1}, "set it to 0"),
        ("cnn7", {"drop_path": 0.1}, "set it to 0"),
        (
            "resnet18",
            {"mask_shifted": False},
            "for the shifted windows of a Swin; resnet18 has none",
        ),
    ],
)
def test_what_a_model_cannot_be_is_refused(name, arguments, said):
    with pytest.raises(UserError, match=said):
        hairjax.create_model(name, **arguments)


def test_a_swins_weights_are_refused_by_another_family(tmp_path):
    weights = reference_weights("vit", tmp_path)
    with pytest.raises(UserError, match=r"not the names of a ResNet's parameters: .*; known are"):
        hairjax.create_model("resnet18", weights=weights)


# --- the configuration


def configuration(**model):
    config = top.get_config("demo")
    config.model.update(model)
    return config


@pytest.mark.parametrize(
    ("name", "asked", "used"),
    [
        ("swin_mini_patch4_window4_64", "auto", "imagenet"),
        ("vit_tiny_patch16_224", "auto", "half"),
        ("mobilenetv1_075", "auto", "half"),
        ("vit_tiny_patch16_224", "imagenet", "imagenet"),
        ("resnet50", "unit", "unit"),
    ],
)
def test_rgb_is_normalised_as_the_weights_had_it_unless_said(name, asked, used):
    config = configuration(name=name)
    config.data.normalise = asked
    assert input_specification(config).normalise == (used,)


def test_normalisations():
    rgb = np.random.default_rng(0).random((5, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(normalised(rgb, "half"), 2 * rgb - 1, atol=1e-6)
    np.testing.assert_array_equal(normalised(rgb, "unit"), rgb)
    for name in ("imagenet", "half", "unit"):
        np.testing.assert_allclose(denormalised(normalised(rgb, name), name), rgb, atol=1e-6)


def test_the_default_weights_are_the_swins():
    config = configuration(name="resnet50")
    config.weights.source = top.get_config().weights.source
    with pytest.raises(UserError, match=r"timm/resnet50\.ms_in22k is the name of a Swin's weights"):
        check_config(config)


def test_a_position_embedding_keeps_its_token_and_a_slope():
    """Cubic interpolation is exact on a slope, away from the border."""
    row = np.arange(8, dtype=np.float32)
    patches = np.repeat(row, 8)[None, :, None]
    embedding = np.concatenate([np.full((1, 1, 1), 9.0, np.float32), patches], axis=1)
    resized = resize_position(embedding, (16, 4))
    assert resized.shape == (1, 65, 1)
    assert resized[0, 0, 0] == 9
    grid = resized[0, 1:, 0].reshape(16, 4)
    np.testing.assert_allclose(grid[4:12, 0], (np.arange(4, 12) + 0.5) / 2 - 0.5, atol=1e-5)
