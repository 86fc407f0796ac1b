import functools
import math
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import hairjax
from hairjax.models.heads.pooled import NormedHead
from hairjax.models.layers.common import ParameterKeys, drop_path, part_names
from hairjax.models.swin import Swin, SwinBlock
from hairjax.models.table import SWIN, VARIANTS, Variant
from tests.models.example import options

# Written by tests/reference/make_swin.py, in which timm does all that is compared here.
REFERENCE = Path(__file__).parents[1] / "reference"
REFERENCE_MODEL = {"dim": 8, "depths": (2, 2, 2), "heads": (1, 2, 4)}


def randomised(module, seed=0):
    """Give every parameter of a module of shapes a value that matters, without compiling."""
    generator = np.random.default_rng(seed)
    graphdef, state = nnx.split(module)

    def draw(path, leaf):
        values = generator.normal(size=leaf.shape) / math.sqrt(math.prod(leaf.shape[:-1]))
        return jnp.asarray(values + ("scale" in jax.tree_util.keystr(path)), leaf.dtype)

    return nnx.merge(graphdef, jax.tree_util.tree_map_with_path(draw, state))


def small_swin(**changes):
    own = {"dim": 8, "depths": (1, 1), "heads": (1, 2), "window": 4}
    own = {name: changes.pop(name, value) for name, value in own.items()}
    given = options(**{"image_size": (40, 56), "num_classes": 5} | changes)
    return randomised(nnx.eval_shape(lambda: Swin(given, **own, rngs=nnx.Rngs(0))))


def block(size, **changes):
    """A block of width 8 for maps of a size, with random parameters."""
    settings = {
        "heads": 1,
        "window": 4,
        "shifted": False,
        "mask_shifted": True,
        "dtype": jnp.float32,
    }
    return randomised(
        nnx.eval_shape(lambda: SwinBlock(8, size=size, rngs=nnx.Rngs(0), **settings | changes))
    )


def photographs(*shape, seed=1):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def run(model, images, *methods, key=None, frozen=()):
    """What the methods return, compiled as one program; in training when there is a key."""
    results = _run(*nnx.split(model), images, key, methods or ("__call__",), tuple(frozen))
    return results if methods[1:] else results[0]


@functools.partial(jax.jit, static_argnums=(0, 4, 5))
def _run(graphdef, state, images, key, methods, frozen):
    model = nnx.merge(graphdef, state)

    def training():
        return {"train": True, "rngs": nnx.Rngs(dropout=key), "frozen": frozen}

    return [
        getattr(model, method)(images, **({} if key is None else training())) for method in methods
    ]


def relative(ours, theirs):
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


# --- equal to timm


@pytest.mark.parametrize(
    ("case", "settings"),
    [
        ("native", {}),
        ("padded", {"image_size": (40, 56)}),
        pytest.param(
            "six_channels", {"image_size": (32, 48), "in_channels": 6}, marks=pytest.mark.slow
        ),
        pytest.param("other_window", {"image_size": (48, 80)}, marks=pytest.mark.slow),
    ],
)
def test_every_activation_equals_timm(case, settings, monkeypatch):
    window = 6 if case == "other_window" else 4
    monkeypatch.setitem(
        VARIANTS, "reference", Variant(64, REFERENCE_MODEL | {"window": window}, SWIN)
    )
    model = hairjax.create_model(
        "reference", weights=str(REFERENCE / "swin.safetensors"), stem="copy", **settings
    )
    with np.load(REFERENCE / "swin.npz") as file:
        prefix = f"{case}."
        theirs = {name.removeprefix(prefix): file[name] for name in file if prefix in name}
    maps, embedding, logits = run(
        model, theirs.pop("images").astype(np.float32), "features", "embed", "__call__"
    )
    ours = {f"map{i}": array for i, array in enumerate(maps)}
    ours |= {"embedding": embedding, "logits": logits}
    for i, stage in enumerate(model.stages):
        ours[f"table{i}"] = stage.blocks[0].attention.bias_table[...]
    assert ours.keys() == theirs.keys()
    differences = {name: relative(ours[name], theirs[name]) for name in theirs}
    assert max(differences.values()) < 1e-5, differences


# --- windows


def reach(length, window, shift, mask_shifted):
    """Which places of a line see which, through attention in one (shifted) window."""
    place = np.arange(length) - shift
    # A window that the border cuts stays cut, or goes on at the opposite border.
    group = (place if mask_shifted else place % length) // window
    return group[:, None] == group[None, :]


@pytest.mark.parametrize("mask_shifted", [True, False])
def test_each_place_sees_its_windows_and_nothing_else(mask_shifted):
    h, w = 8, 12
    model = small_swin(
        image_size=(4 * h, 4 * w), depths=(2,), heads=(1,), mask_shifted=mask_shifted
    )
    rows, columns = (
        reach(length, 4, 2, mask_shifted) @ reach(length, 4, 0, mask_shifted) for length in (h, w)
    )
    expected = np.einsum("ij,kl->jlik", rows, columns)  # changed place → places that notice

    image, other = photographs(4 * h, 4 * w, 3), photographs(4 * h, 4 * w, 3, seed=2)
    changed = np.kron(np.eye(h * w).reshape(-1, h, w, 1), np.ones((4, 4, 3))) == 1
    graphdef, state = nnx.split(model)

    @jax.jit
    def last_map(state, changed):
        # One at a time: rows of a larger batch may be summed in another order.
        model = nnx.merge(graphdef, state)
        return jax.lax.map(
            lambda here: model.features(jnp.where(here, other, image)[None])[0][0], changed
        )

    before, *after = last_map(state, np.concatenate([np.zeros_like(changed[:1]), changed]))
    noticed = np.any(np.stack(after) != np.asarray(before), axis=-1).reshape(h, w, h, w)
    np.testing.assert_array_equal(noticed, expected)


def test_padding_takes_part_as_zeros():
    """A map of 6 × 7 in windows of 4 is a map of 8 × 8 that ends in zeros."""
    x = photographs(2, 6, 7, 8)
    padded = jnp.pad(x, ((0, 0), (0, 2), (0, 1), (0, 0)))
    ours = jax.jit(block((6, 7), heads=2).attend)(x)
    theirs = jax.jit(block((8, 8), heads=2).attend)(padded)[:, :6, :7]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "window", "shift"),
    [
        ((8, 8), (4, 4), (2, 2)),
        ((4, 8), (4, 4), (0, 2)),
        ((3, 8), (3, 4), (0, 2)),
        ((3, 2), (3, 2), (0, 0)),
    ],
)
def test_windows_shrink_to_the_map_and_shift_only_where_there_are_two(size, window, shift):
    shifted = block(size, shifted=True)
    assert (shifted.window, shifted.shift) == (window, shift)
    rows = (2 * window[0] - 1) * (2 * window[1] - 1)
    assert shifted.attention.bias_table.shape == (rows, 1)


# --- what a model gives and takes


def test_shapes_of_maps_embedding_and_logits():
    model = small_swin(depths=(1, 1, 1), heads=(1, 2, 4))
    maps, embedding, logits = run(model, photographs(2, 40, 56, 3), "features", "embed", "__call__")
    assert [m.shape for m in maps] == [(2, 10, 14, 8), (2, 5, 7, 16), (2, 3, 4, 32)]
    assert (embedding.shape, logits.shape) == ((2, 32), (2, 5))
    np.testing.assert_allclose(model.head.classifier(embedding), logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 40, 60, 3), (2, 40, 56, 6), (2, 56, 40, 3), (40, 56, 3)])
def test_other_images_are_refused_with_both_shapes(shape):
    message = re.escape(f"photographs [batch, 40, 56, 3], not {list(shape)}")
    with pytest.raises(ValueError, match=message):
        small_swin()(jnp.zeros(shape))


@pytest.mark.parametrize("size", [(42, 56), (40, 57), (0, 56)])
def test_sizes_that_patches_do_not_divide_are_refused(size):
    with pytest.raises(ValueError, match=f"multiples of 4, not {size[0]} × {size[1]}"):
        small_swin(image_size=size)


@pytest.mark.parametrize("image_size", [None, 64])
def test_unknown_model_is_refused_with_the_models(image_size):
    with pytest.raises(ValueError, match=r"no model 'swin'; .* swin_tiny_patch4_window7_224, "):
        hairjax.create_model("swin", image_size=image_size)


def test_drawn_model_is_a_function_of_its_seed(monkeypatch):
    variant = {"dim": 8, "depths": (1,), "heads": (1,), "window": 4}
    monkeypatch.setitem(VARIANTS, "one_block", Variant(32, variant, SWIN))

    def parameters(seed):
        model = hairjax.create_model("one_block", num_classes=3, seed=seed)
        return jax.tree.leaves(nnx.state(model))

    first, again, other = parameters(0), parameters(0), parameters(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    # Kernels and the bias table are random, norms and biases are not.
    assert sum(not np.array_equal(a, b) for a, b in zip(first, other, strict=True)) == 7


def test_keys_of_parameters_are_those_of_nnx():
    ours, theirs = ParameterKeys(3), nnx.Rngs(3)
    for _ in range(3):
        assert ours.params() == theirs.params()


def test_bfloat16_is_close_with_float32_parameters_and_logits():
    images = photographs(4, 40, 56, 3)
    exact_model, half_model = small_swin(), small_swin(dtype=jnp.bfloat16)
    parameters = jax.tree.leaves(nnx.state(half_model))
    assert all(leaf.dtype == jnp.float32 for leaf in parameters)
    maps, embedding, half = run(half_model, images, "features", "embed", "__call__")
    assert all(m.dtype == jnp.bfloat16 for m in maps)
    assert embedding.dtype == half.dtype == jnp.float32
    assert 0 < relative(half, run(exact_model, images)) < 0.05


# --- training


def test_training_without_rngs_is_refused():
    with pytest.raises(ValueError, match="train=True needs rngs"):
        small_swin()(photographs(1, 40, 56, 3), train=True)


def test_training_is_a_function_of_the_key():
    model = small_swin(dropout=0.5, drop_path=0.5)
    images = photographs(8, 40, 56, 3)
    keys = [jax.random.key(seed) for seed in (0, 0, 1)]
    first, again, other = (run(model, images, key=key) for key in keys)
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other, axis=1).all()


def test_training_at_rate_zero_is_evaluation():
    model, images = small_swin(depths=(1,), heads=(1,)), photographs(2, 40, 56, 3)
    trained = run(model, images, key=jax.random.key(0))
    np.testing.assert_array_equal(trained, run(model, images))


def test_drop_path_zeroes_whole_samples_and_keeps_the_expectation():
    x = photographs(1, 4, 2, 3) + jnp.zeros((20_000, 1, 1, 1))
    dropped = np.asarray(drop_path(x, 0.3, jax.random.key(0)))
    kept = np.any(dropped != 0, axis=(1, 2, 3))
    np.testing.assert_allclose(dropped[kept], x[kept] / 0.7, rtol=1e-6)
    # Four standard errors of a share of 0.3 in 20,000.
    assert abs(kept.mean() - 0.7) < 4 * math.sqrt(0.3 * 0.7 / 20_000)
    assert drop_path(x, 0.3, None) is x
    np.testing.assert_array_equal(drop_path(x, 0.0, jax.random.key(0)), x)


def test_drop_path_rises_linearly_over_blocks():
    model = nnx.eval_shape(lambda: small_swin(depths=(2, 2, 2), heads=(1, 2, 4), drop_path=0.5))
    rates = [rate for stage in model.stages for rate in stage.drop_path]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


def test_a_block_drops_attention_and_mlp_independently():
    stochastic = block((4, 4))
    x = photographs(400, 4, 4, 8)

    @jax.jit
    def candidates(x):
        """Every outcome of two draws; what is kept counts twice."""
        after = [x + a * stochastic.attend(stochastic.norm1(x)) for a in (0, 2)]
        return jnp.stack(
            [y + b * stochastic.mlp(stochastic.norm2(y)) for y in after for b in (0, 2)]
        )

    out = jax.jit(stochastic.__call__)(x, jax.random.key(3), 0.5)
    matches = np.abs(candidates(x) - out[None]).max(axis=(2, 3, 4)) < 1e-4
    np.testing.assert_array_equal(matches.sum(axis=0), 1)
    assert matches.sum(axis=1) == pytest.approx([100] * 4, abs=40)


@pytest.mark.parametrize(("hidden", "values"), [((), {0, 2}), ((8,), {0, 2}), ((8, 8), {0, 4})])
def test_head_drops_after_each_relu_and_never_before_the_first_hidden_layer(hidden, values):
    given = options(num_classes=8, hidden=hidden, dropout=0.5)
    build = nnx.eval_shape(lambda: NormedHead(8, given, rngs=nnx.Rngs(0)))
    head = randomised(build)
    # All layers but the first pass on what they get, so that logits show what was dropped.
    for layer in [*head.hidden[1:], head.classifier]:
        layer.kernel[...], layer.bias[...] = jnp.eye(8), jnp.zeros(8)
    x, key = photographs(200, 3, 3, 8), jax.random.key(0)
    evaluated, trained = jax.jit(lambda x, key: (head(x, None), head(x, key)))(x, key)
    embedding = head.embed(x, None)
    expected = jax.nn.relu(head.hidden[0](embedding)) if hidden else embedding
    np.testing.assert_allclose(evaluated, expected, rtol=1e-4, atol=1e-5)
    alive = evaluated != 0
    factors = np.asarray(trained)[alive] / np.asarray(evaluated)[alive]
    assert set(np.round(factors, 5)) == values
    assert factors.mean() == pytest.approx(1, abs=0.15)
    assert not np.any(trained[~alive])


def test_hidden_layers_end_in_the_asked_sizes():
    head = small_swin(hidden=(12, 6)).head
    assert [layer.kernel.shape for layer in head.hidden] == [(16, 12), (12, 6)]
    assert head.classifier.kernel.shape == (6, 5)


# --- frozen parts


STOCHASTIC = {"depths": (2, 1), "drop_path": 0.9, "dropout": 0.5}


def test_frozen_parts_run_as_in_evaluation():
    model, images = small_swin(**STOCHASTIC), photographs(4, 40, 56, 3)
    frozen = functools.partial(run, model, images, key=jax.random.key(0))
    same = np.array_equal
    maps, logits = run(model, images, "features", "__call__")
    assert not any(same(a, b) for a, b in zip(frozen("features"), maps, strict=True))

    early = frozen("features", frozen=("stem", "stages.0"))
    assert same(early[0], maps[0])
    assert not same(early[1], maps[1])

    body = ("stem", "stages.0", "stages.1")
    late, head = frozen("features", "__call__", frozen=body)
    assert same(late[1], maps[1])
    assert not same(head, logits)
    assert same(frozen("__call__", frozen=(*body, "head")), logits)


@pytest.mark.parametrize("stages", [1, 2])
def test_what_goes_on_from_a_map_ends_as_the_call_does(stages):
    """With the same draws in what follows."""
    model, images = small_swin(**STOCHASTIC), photographs(4, 40, 56, 3)
    frozen = ("stem", *(f"stages.{i}" for i in range(stages)))
    x, key = run(model, images, "features")[stages - 1], jax.random.key(0)
    expected = run(model, images, key=key, frozen=frozen)
    graphdef, state = nnx.split(model)

    @jax.jit
    def rest(state, x):
        rngs, whole = nnx.Rngs(dropout=key), nnx.merge(graphdef, state)
        return whole.continue_from(stages, x, train=True, rngs=rngs, frozen=frozen)

    found = rest(state, x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_freezing_a_part_leaves_the_draws_of_the_others():
    model, images = small_swin(**STOCHASTIC), photographs(4, 40, 56, 3)
    trained = functools.partial(run, model, images, "features", key=jax.random.key(0))
    for a, b in zip(trained(), trained(frozen=("stem", "head")), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("train", [False, True])
def test_unknown_frozen_part_is_refused_with_the_parts(train):
    model = small_swin()
    assert part_names(model) == ["stem", "stages.0", "stages.1", "head"]
    with pytest.raises(ValueError, match=r"\['stages\.2'\].*'stem', 'stages\.0', 'stages\.1', 'h"):
        model(
            photographs(1, 40, 56, 3),
            train=train,
            rngs=nnx.Rngs(dropout=0),
            frozen=("stages.2", "stem"),
        )


# --- transformations


def loss(graphdef, state, images):
    rngs = nnx.Rngs(dropout=jax.random.key(0))
    logits = nnx.merge(graphdef, state)(images, train=True, rngs=rngs)
    return jnp.square(logits - 1).mean()


def test_gradients_reach_every_parameter_and_survive_rematerialisation():
    images, gradients, recomputed = photographs(2, 32, 32, 3), {}, {}
    for remat in (False, True):
        settings = {"drop_path": 0.3, "dropout": 0.3, "hidden": (6,)}
        graphdef, state = nnx.split(small_swin(image_size=(32, 32), remat=remat, **settings))
        function = jax.jit(jax.grad(loss, argnums=1), static_argnums=0)
        traced = function.trace(graphdef, state, images)
        recomputed[remat] = str(traced.jaxpr).count("remat")
        gradients[remat] = function(graphdef, state, images)

    assert recomputed[True] > recomputed[False]
    silent = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradients[False])
        if not np.any(leaf)
    ]
    assert silent == []
    leaves = (jax.tree.leaves(gradients[remat]) for remat in (False, True))
    for plain, again in zip(*leaves, strict=True):
        np.testing.assert_allclose(plain, again, rtol=1e-4, atol=1e-6)


def test_equal_blocks_are_one_function_to_xla():
    """The first, whose rate is 0; shifted ones; the others; each of these forward and backward."""
    deep = {"image_size": (32, 32), "depths": (8,), "heads": (1,), "drop_path": 0.3}
    graphdef, state = nnx.split(small_swin(**deep))
    lowered = jax.jit(jax.grad(loss, argnums=1), static_argnums=0).lower(
        graphdef, state, photographs(2, 32, 32, 3)
    )
    assert len(re.findall(r"func\.func private @run_block", lowered.as_text())) == 2 * 3


def test_works_in_tree_mode():
    """As with NNX_GRAPH_MODE=false, where no module may be shared or refer to its parent."""
    settings = {"drop_path": 0.3, "dropout": 0.3, "hidden": (6,), "remat": True}
    with nnx.set_graph_mode(False):
        graphdef, state = nnx.split(small_swin(**settings))
        gradient = functools.partial(jax.grad(loss, argnums=1), graphdef)
        shapes = jax.eval_shape(gradient, state, jnp.zeros((2, 40, 56, 3)))
    assert jax.tree.structure(shapes) == jax.tree.structure(state)
