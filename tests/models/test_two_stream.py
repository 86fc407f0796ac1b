"""Two models as one: what each of them gives alone is what it gives beside the other."""

import functools
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import hairjax
from configs import top
from hairjax.builders.inputs import input_specification
from hairjax.builders.model import (
    abstract_model,
    find_model_weights,
    model_specification,
    pretrained_model,
)
from hairjax.builders.two_stream_weights import stream_leaves
from hairjax.builders.validation import check_config
from hairjax.commands.convert import write
from hairjax.data.augment import Amounts
from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.evaluation.explain.maps import grad_cam
from hairjax.models import table as families
from hairjax.models.table import VARIANTS, Variant
from hairjax.models.two_stream import fusion_stages
from hairjax.optim.layer_decay import layer_distances
from hairjax.optim.parts import is_statistic
from hairjax.system.errors import UserError
from hairjax.training.classification import Classification
from hairjax.training.step import Examples, gradients
from hairjax.weights import WeightsError
from hairjax.weights.paths import dotted, nested
from tests.cases import others_slow
from tests.messages import messages

UNOPTIMIZED = {"xla_backend_optimization_level": 0}
SIDE, CLASSES = 32, 3
SWIN = {"dim": 8, "depths": (1, 1), "heads": (1, 2), "window": 3}
CNN = {"width": 4, "depths": (1, 1)}
VIT = {"patch": 16, "dim": 12, "depths": (1, 1, 1), "heads": 2}
STAGES = {"tiny_swin": 2, "tiny_cnn": 2, "tiny_vit": 3}
PHOTOS = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 4), dtype=np.uint8)
# First, second, what that sees, fused after.
FUSED = [
    ("tiny_swin", "tiny_cnn", "mask", 0),
    ("tiny_cnn", "tiny_vit", "same", 0),
    ("tiny_cnn", "tiny_vit", "same", 2),
    ("tiny_swin", "tiny_cnn", "mask", 1),
]
# One joined at the end and one after a stage by default.
PAIRS = others_slow(FUSED, FUSED[::2])


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(VARIANTS, "tiny_swin", Variant(SIDE, SWIN, families.SWIN))
    monkeypatch.setitem(VARIANTS, "tiny_cnn", Variant(SIDE, CNN, families.OWN))
    monkeypatch.setitem(VARIANTS, "tiny_vit", Variant(SIDE, VIT, families.VIT))


VIEWS = [
    ("tiny_swin", "tiny_cnn", "view", 0),
    ("tiny_cnn", "tiny_vit", "view", 2),
]


def settings(first, second, sees, fuse_after, weights=None):
    config = top.get_config("demo")
    config.model.update(name=first, second=second, second_sees=sees, fuse_after=fuse_after)
    config.model.hidden, config.data.image_size, config.devices.mesh = (5,), SIDE, 1
    config.weights.update(weights or {})
    check_config(config)
    return config


def pretrained(config):
    """The graph and the parameters that training would begin with."""
    model = model_specification(config)
    return pretrained_model(model, CLASSES, find_model_weights(model))


@functools.cache
def numbers(name, channels):
    """Parameters of a model alone, none of which has a trivial value, by dotted path."""
    model = nnx.eval_shape(lambda: hairjax.create_model(name, in_channels=channels, num_classes=7))
    generator = np.random.default_rng(channels)
    return {
        path: (
            0.5 * (path.endswith(("scale", "var"))) + generator.uniform(0, 0.3, leaf.shape)
        ).astype(np.float32)
        for path, leaf in dotted(nnx.to_pure_dict(nnx.state(model))).items()
    }


def alone(name, channels):
    model = nnx.eval_shape(lambda: hairjax.create_model(name, in_channels=channels, num_classes=7))
    return nnx.merge(nnx.graphdef(model), nested(numbers(name, channels)))


@functools.cache
def fused(pair):
    """The configuration, the model, those of its streams alone, all of one weights; the notes."""
    first, second, sees, _ = pair
    channels = (3, 1) if sees == "mask" else (6, 6)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{i}.safetensors" for i in range(2)]
        for file, name, count in zip(files, (first, second), channels, strict=True):
            write(numbers(name, count), {"model": name}, file)
        config = settings(*pair, dict(zip(("source", "second"), map(str, files), strict=True)))
        with messages() as said:
            model = nnx.merge(*pretrained(config))
    return config, model, [alone(first, channels[0]), alone(second, channels[1])], said


@functools.cache
def outputs(pair):
    """Embedding and maps of the model and of those of its streams alone; how it goes on."""
    config, model, models, _ = fused(pair)
    stages = max(STAGES[name] for name in pair[:2])

    def run(model, models, x, views):
        kept = [model.until(i, x) for i in range(1, stages + 1)]
        logits = [model.continue_from(i, k) for i, k in enumerate(kept, 1)]
        each = [(m.embed(v), m.features(v)) for m, v in zip(models, views, strict=True)]
        return (model.embed(x), model.features(x)), each, [model(x), *logits], kept

    return compiled(run, model, models, seen(config), views(config))


def compiled(function, *arguments):
    return jax.jit(function, compiler_options=UNOPTIMIZED)(*arguments)


def seen(config):
    return model_inputs(PHOTOS, None, None, input_specification(config))


def views(config):
    """What each stream sees."""
    first, _ = input_specification(config).channels
    return jnp.split(seen(config), [first], axis=-1)


# --- what goes in


def test_each_stream_sees_what_its_model_alone_would():
    config = settings("tiny_cnn", "tiny_vit", "same", 0)
    assert input_specification(config).normalise == ("imagenet", "half")
    apart = settings("tiny_cnn", "tiny_vit", "mask", 0)
    amounts, keys = Amounts(**config.augment), jax.random.split(jax.random.key(0), 2)
    amounts = amounts._replace(erase=1.0)
    alone = [(6, "imagenet"), (6, "half"), (3, "imagenet"), (1, "half")]
    sights = [
        input_specification(config),
        input_specification(apart),
        *(InputSpecification(SIDE, (n,), (name,)) for n, name in alone),
    ]
    alike, parted, *alone = compiled(
        lambda: [model_inputs(PHOTOS, keys, amounts, one) for one in sights]
    )
    np.testing.assert_array_equal(alike, np.concatenate(alone[:2], axis=-1))
    np.testing.assert_array_equal(parted, np.concatenate(alone[2:], axis=-1))


# --- what comes out


@pytest.mark.parametrize("pair", PAIRS[:2])
def test_the_embedding_is_both_models_own_to_the_bit(pair):
    (embedding, _), each, _, _ = outputs(pair)
    np.testing.assert_array_equal(embedding, np.concatenate([own for own, _ in each], axis=-1))
    assert "  head: initialised for 3 classes behind 5 hidden" in fused(pair)[3]


@pytest.mark.parametrize("pair", PAIRS[2:])
def test_joined_maps_are_at_first_the_first_models_own(pair):
    (embedding, _), each, _, _ = outputs(pair)
    np.testing.assert_array_equal(embedding, each[0][0])
    assert "  fusion of the streams: initialised to the first stream's map" in fused(pair)[3]


@pytest.mark.parametrize("pair", PAIRS)
def test_what_is_kept_of_any_stage_is_gone_on_from(pair):
    _, _, (logits, *continued), kept = outputs(pair)
    for others in continued:
        np.testing.assert_allclose(others, logits, rtol=1e-5)
    assert [k.ndim for k in kept] == [2] * len(continued)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_map_is_both_models_own_side_by_side(pair):
    (_, features), each, _, _ = outputs(pair)
    stage = (pair[3] or len(features)) - 1  # the last that both run
    own, other = (maps[stage - len(features)] for _, maps in each)
    np.testing.assert_array_equal(features[stage][..., : own.shape[-1]], own)
    resized = jax.image.resize(other, (*own.shape[:3], other.shape[-1]), "bilinear")
    np.testing.assert_allclose(features[stage][..., own.shape[-1] :], resized, rtol=1e-6)


@pytest.mark.parametrize("pair", PAIRS[::3])
def test_gradients_reach_every_parameter_of_both(pair):
    config, model, _, _ = fused(pair)
    graphdef, state = nnx.split(model)
    params = nnx.to_pure_dict(state)
    # At first nothing of the second comes through where they join.
    params = jax.tree.map(lambda leaf: leaf + 0.01, params)
    task = Classification(CLASSES, 0.0, None)
    run = functools.partial(gradients, graphdef, task=task, frozen=("stem",), cached_stages=0)
    targets = jax.nn.one_hot(jnp.arange(2), CLASSES)
    examples = Examples(seen(config), targets, jax.random.key(0))
    (_, _, moved), grads = compiled(run, params, examples)
    moved = dotted(moved)
    for path, gradient in dotted(grads).items():
        statistic = is_statistic(tuple(path.split(".")))
        silent = path.startswith("stem.") or statistic
        assert np.any(gradient) != silent, path
        assert (moved[path] is not None) == (statistic and not path.startswith("stem."))


@pytest.mark.parametrize("pair", PAIRS)
def test_layers_are_counted_in_each_stream_as_in_its_model_alone(pair):
    _, params = abstract_model(model_specification(settings(*pair)), CLASSES)
    together = dotted(layer_distances(params))
    for stream, name in zip(("first", "second"), pair[:2], strict=True):
        mine = stream_leaves(together, stream, STAGES[name])
        theirs = dotted(layer_distances(nested(numbers(name, 3))))
        theirs = {path: theirs[path] for path in mine}
        if stream == "second" and pair[3]:
            # It goes on as the first does, whose stages may have more layers or fewer.
            theirs = {path: d - min(theirs.values()) for path, d in theirs.items()}
            mine = {path: d - min(mine.values()) for path, d in mine.items()}
        assert mine == theirs


# --- a view that is missing


@pytest.mark.parametrize("pair", others_slow(VIEWS, VIEWS[:1]))
def test_of_a_missing_view_nothing_but_what_was_learnt_in_its_place_counts(pair):
    config, model, _, _ = fused(pair)
    graphdef, state = nnx.split(model)
    # At first nothing of the second comes through where they join.
    params = jax.tree.map(lambda leaf: leaf + 0.01, nnx.to_pure_dict(state))
    both = np.concatenate([PHOTOS, PHOTOS[::-1]], axis=-1)
    photos = np.stack([both[0], both[0], both[0]])
    photos[1, ..., :4] = photos[2, ..., 4:] = 0  # the first and the second view

    def gradient_of(params, inputs, row):
        def logit(params):
            return nnx.merge(graphdef, params)(inputs)[row].sum()

        return jax.grad(logit)(params)

    def run(params):
        inputs = model_inputs(photos, None, None, input_specification(config))
        return [gradient_of(params, inputs, row) for row in range(3)]

    for row, grads in enumerate(compiled(run, params)):
        moved = {path for path, leaf in dotted(grads).items() if np.any(leaf)}
        for i, stream in enumerate(("first", "second")):
            missing = row == i + 1
            assert missing == any(path.endswith(f"absent.{stream}") for path in moved)
            before = {p for p in moved if p.startswith((f"stem.{stream}.", f"stages.0.{stream}."))}
            assert missing == (not before)


@pytest.mark.parametrize("pair", VIEWS)
def test_with_both_views_it_is_as_if_none_could_be_missing(pair):
    model = fused(pair)[1]
    photos = np.concatenate([PHOTOS, PHOTOS[::-1]], axis=-1)
    params = nnx.to_pure_dict(nnx.state(model))
    without = {path: leaf for path, leaf in dotted(params).items() if ".absent." not in path}
    plain, _ = abstract_model(model_specification(settings(*pair[:2], "same", pair[3])), CLASSES)

    def run(params, without):
        inputs = model_inputs(
            photos, None, None, InputSpecification(SIDE, (6, 6), ("imagenet",) * 2)
        )
        both = nnx.merge(model_graph, params)
        kept = both.continue_from(1, both.until(1, inputs))
        return both(inputs), kept, nnx.merge(plain, without)(inputs)

    model_graph = nnx.graphdef(model)
    own, kept, expected = compiled(run, params, nested(without))
    np.testing.assert_array_equal(own, expected)
    np.testing.assert_allclose(kept, expected, rtol=1e-5)


# --- explanation


def test_an_explanation_map_is_the_sum_of_those_of_both_models():
    config, _, models, _ = fused(PAIRS[0])
    config.model.hidden = ()
    graphdef, _ = abstract_model(model_specification(config), CLASSES)
    own, other = (one.head.classifier.in_features for one in models)
    params = nnx.to_pure_dict(nnx.state(fused(PAIRS[0])[1]))
    kernel = np.random.default_rng(0).normal(size=(own + other, CLASSES)).astype(np.float32)
    params["head"] |= {"classifier": {"kernel": kernel, "bias": np.zeros(CLASSES)}, "hidden": {}}
    model, classes = nnx.merge(graphdef, params), jnp.array([2, 0])
    for one, part in zip(models, np.split(kernel, [own]), strict=True):
        one.head.classifier = nnx.Linear(*part.shape, rngs=nnx.Rngs(0))
        one.head.classifier.kernel[...] = part

    def run(both, models, x, views):
        each = [grad_cam(m, v, classes, -1) for m, v in zip(models, views, strict=True)]
        return grad_cam(both, x, classes, -1), each

    found, (first, second) = compiled(run, model, models, seen(config), views(config))
    assert (first.shape, second.shape) == ((2, 4, 4), (2, 8, 8))
    expected = first + 4 * jax.image.resize(second, first.shape, "bilinear")
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


# --- mistakes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"second": "resnet19"}, "config.model.second is 'resnet19'; it can be empty"),
        ({"second_sees": "mask", "in_channels": 3}, "in_channels=3 has not both; use 6"),
        (
            {"second_sees": "photo"},
            "config.model.second_sees is 'photo'; it can be same, mask, view",
        ),
        (
            {"second_sees": "view", "in_channels": 1},
            "in_channels=1 a mask without hair looks the same: use 6",
        ),
        ({"second": "", "second_sees": "mask"}, "second_sees is 'mask', and there is no second"),
        (
            {"fuse_after": 2},
            "fuse_after is 2; with the 2 stages of tiny_swin and the 2 of tiny_cnn",
        ),
        ({"second": "tiny_vit", "fuse_after": 1}, "end together, it can be 2, 0 (at the end)"),
        (
            {"name": "tiny_vit", "fuse_after": 2},
            "tiny_vit continues with tokens; make it the second",
        ),
        ({"fuse_after": 1, "finetune": "head"}, "optim.finetune=head freezes that: nothing of"),
        ({"fuse_after": 1, "late": 0.0}, "a rate of 0 in optim.peak freezes that"),
        ({"weights": "hf://timm/{model}.ms_in22k"}, "config.weights.second=hf://timm/tiny_cnn.ms_"),
        ({"drop_path": 0.1}, "has no residual branches for model.drop_path=0.1 to drop"),
    ],
)
def test_what_cannot_be_is_refused_in_words(changes, message):
    config = top.get_config("demo")
    config.model.update(name="tiny_swin", second="tiny_cnn")
    config.data.image_size = SIDE
    config.weights.second = changes.pop("weights", "none" if changes.get("second") != "" else "")
    config.optim.finetune = changes.pop("finetune", "full")
    config.optim.peak.late = changes.pop("late", 1e-3)
    config.model.update(changes)
    with pytest.raises(UserError) as error:
        check_config(config)
        abstract_model(model_specification(config), CLASSES)
    assert message in str(error.value)


def test_weights_of_another_model_are_refused_with_their_names(tmp_path):
    file = tmp_path / "cnn.safetensors"
    write(numbers("tiny_cnn", 3), {}, file)
    with pytest.raises(WeightsError, match=r"stages\.0\.blocks\.0"):
        config = settings("tiny_cnn", "tiny_swin", "same", 0, {"source": str(file)})
        pretrained(config)


def test_where_maps_can_be_joined():
    assert list(fusion_stages(4, 4)) == [1, 2, 3]
    assert list(fusion_stages(3, 4)) == list(fusion_stages(4, 3)) == [2, 3]
    assert not fusion_stages(2, 4)[2:]
