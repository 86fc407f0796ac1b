"""No two draws share a key: not of one pass, of one batch's augmentation, of a beginning."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from hairjax.data.augment import Amounts
from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.data.mixing import own_shares
from hairjax.models import table as families
from hairjax.models.factory import model_builder
from hairjax.models.layers.common import ParameterKeys
from hairjax.models.table import VARIANTS, Variant
from hairjax.models.two_stream import TwoStream
from hairjax.optim.lora import with_pairs
from tests.cases import others_slow
from tests.drawn_keys import drawn_keys, shared
from tests.models.example import options
from tests.models.test_backbones import CASES

SWIN = {"dim": 8, "depths": (2, 2), "heads": (1, 2), "window": 4}
ALL = CASES | {
    "swin": (SWIN, families.SWIN),
    "cnn": ({"width": 4, "depths": (1, 2)}, families.OWN),
    "efficientnet": ({"width": 0.25, "depth": 0.1, "tensorflow": False}, families.EFFICIENTNET),
}
# One of each architecture; the pixels a side that it takes.
FAMILIES = {
    "resnet": 32,
    "efficientnet": 32,
    "mobilenetv1": 32,
    "mobilenetv3": 32,
    "vit": 32,
    "vgg": 32,
    "vgg_batch_norm": 32,
    "inception": 75,
    "swin": 32,
    "cnn": 32,
}
WITHOUT_DROP_PATH = ("mobilenetv1", "vgg", "vgg_batch_norm", "inception", "cnn")


def keys_of_training(build, side, channels=3):
    """Those that a pass of training draws with."""
    graphdef, state = nnx.split(nnx.eval_shape(lambda: build(rngs=ParameterKeys(0))))

    def run(state):
        images, rngs = jnp.zeros((2, side, side, channels)), nnx.Rngs(dropout=jax.random.key(7))
        return nnx.merge(graphdef, state)(images, train=True, rngs=rngs)

    return drawn_keys(run, state)


def builder(case, monkeypatch, **changes):
    """Of a small model with dropout and, where its family has it, drop-path."""
    side = FAMILIES[case]
    monkeypatch.setitem(VARIANTS, case, Variant(side, *ALL[case]))
    drop_path = 0.0 if case in WITHOUT_DROP_PATH else 0.3
    given = {"image_size": (side, side), "dropout": 0.4, "drop_path": drop_path} | changes
    return model_builder(case, options(**given))


@pytest.mark.parametrize("case", others_slow(FAMILIES, ("resnet", "vit", "vgg", "swin")))
def test_a_pass_of_training_draws_with_every_key_once(case, monkeypatch):
    keys = keys_of_training(builder(case, monkeypatch, hidden=(8, 6)), FAMILIES[case])
    assert len(keys) >= 2
    assert not shared(keys)


@pytest.mark.parametrize("hidden", [(), (8,), (8, 6), (8, 6, 5)])
def test_vgg_draws_its_own_dropout_and_one_per_hidden_layer(hidden, monkeypatch):
    """With fewer than two hidden layers by the keys of ever: such a run can be repeated."""
    keys = keys_of_training(builder("vgg", monkeypatch, hidden=hidden), 32)
    assert len(keys) == 1 + max(1, len(hidden))
    assert not shared(keys)
    # The parts are the stem, five stages and the head.
    head = jax.random.split(nnx.Rngs(dropout=jax.random.key(7)).dropout(), 7)[-1]
    split = jax.random.key_data(jax.random.split(head, len(keys)))
    np.testing.assert_array_equal(np.sort(keys, axis=0), np.sort(split, axis=0))


@pytest.mark.parametrize("pair", [("swin", "vgg"), ("vgg", "vgg"), ("vgg", "vit")])
def test_two_streams_draw_with_every_key_once(pair, monkeypatch):
    given = options(image_size=(32, 32), dropout=0.4, hidden=(8, 6))
    first, second = (builder(case, monkeypatch) for case in pair)
    build = functools.partial(
        TwoStream, given, first=first, second=second, fuse_after=0, optional_views=False
    )
    assert not shared(keys_of_training(build, 32, channels=6))


@pytest.mark.parametrize("views", [1, 2])
def test_augmentation_and_mixing_draw_with_every_key_once(views):
    amounts = Amounts(**dict.fromkeys(Amounts._fields, 0.3))
    seen = InputSpecification(8, (6,) * views, ("imagenet",) * views)
    photos = np.ones((3, 9, 9, 4 * views), np.uint8)

    def batch():
        keys = jax.random.split(jax.random.key(7), len(photos))
        return model_inputs(photos, keys, amounts, seen), own_shares(keys, amounts, seen.side)

    keys = drawn_keys(batch)
    assert len(keys) >= 3 * 20 * views
    assert not shared(keys)


def test_parameters_and_low_rank_pairs_draw_with_every_key_once():
    build = model_builder("swin_mini_patch4_window4_64", options(in_channels=6, num_classes=4))
    state = nnx.split(nnx.eval_shape(lambda: build(rngs=ParameterKeys(0))))[1]
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), nnx.to_pure_dict(state))
    stages = SimpleNamespace(first=1, parts=("stages.0", "stages.1", "stages.2"))

    def begin():
        return nnx.split(build(rngs=ParameterKeys(3)))[1], with_pairs(params, {"all": stages}, 2, 3)

    keys = drawn_keys(begin)
    assert len(keys) > 4 * 6 + 6 * 5  # six blocks, of four pairs and five matrices
    assert not shared(keys)
