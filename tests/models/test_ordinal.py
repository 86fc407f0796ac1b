"""Ordinal heads against their papers' equations, and where weights come from and go to."""

import csv
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import expit, log_expit, logit, softmax

import hairjax
import launch
from hairjax.commands.convert import convert_weights, write
from hairjax.data.inputs import InputSpecification, model_inputs
from hairjax.data.synthetic import synthesise
from hairjax.models.heads.ordinal import (
    HEADS,
    ORDINAL,
    corn_log_probabilities,
    cumulative_log_probabilities,
)
from hairjax.models.table import SWIN, VARIANTS, Variant
from hairjax.runs.load import load_run
from hairjax.system.errors import UserError
from hairjax.weights.paths import dotted

pytestmark = pytest.mark.usefixtures("blank_figures")

REFERENCE = Path(__file__).parents[1] / "reference"
SMALL = {"dim": 8, "depths": (2, 2, 2), "heads": (1, 2, 4), "window": 4}

cumulative = jax.jit(cumulative_log_probabilities)
corn = jax.jit(corn_log_probabilities)


def vectors(least, most, limit):
    elements = st.floats(-limit, limit, width=32)
    return arrays.arrays(np.float32, st.integers(least, most), elements=elements)


# --- the equations


@settings(deadline=None)  # the first of each length is compiled
@given(vectors(1, 5, 15), vectors(0, 4, 3))
def test_cumulative_is_differences_of_logistic_functions(scores, gaps):
    found = np.exp(cumulative(scores, np.float32([0.5, *gaps])))
    ordered = np.cumsum([0.5, *np.exp(gaps.astype(np.float64))])
    below = expit(ordered[None] - scores[:, None].astype(np.float64))
    edges = np.hstack([np.zeros((len(scores), 1)), below, np.ones((len(scores), 1))])
    np.testing.assert_allclose(found, np.diff(edges), atol=1e-5)


@settings(deadline=None)
@given(vectors(1, 5, 15))
def test_corn_is_a_chain_of_conditional_probabilities(values):
    logits = np.stack([values, -values[::-1]])
    above = np.cumprod(expit(logits.astype(np.float64)), axis=1)  # P(y > k)
    edges = np.hstack([np.ones((2, 1)), above, np.zeros((2, 1))])
    np.testing.assert_allclose(np.exp(corn(logits)), -np.diff(edges), atol=1e-5)


def test_corns_cross_entropy_is_the_papers_loss_per_photograph():
    """Equation 5 of Shi et al.: each task on the photographs whose class is at least its own."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(40, 4)).astype(np.float32), rng.integers(0, 5, 40)
    total, trained = 0.0, 0
    for task in range(4):
        chosen = labels >= task
        sign = np.where(labels[chosen] > task, 1, -1)
        total -= log_expit(sign * logits[chosen, task]).sum()
        trained += chosen.sum()
    loss = optax.softmax_cross_entropy_with_integer_labels(corn(logits), labels).mean()
    assert loss == pytest.approx(total / 40, rel=1e-5)
    assert trained > 40  # by which the paper divides: the same up to a factor


@pytest.mark.parametrize("score", [-200, 200, 0])
def test_far_from_every_threshold_logarithms_and_gradients_stay_finite(score):
    outputs = (
        (cumulative_log_probabilities, (np.float32([score]), np.float32([-1, -5, 1]))),
        (corn_log_probabilities, (np.full((1, 3), score, np.float32),)),
    )
    for function, arguments in outputs:
        every = [*jax.jit(jax.jacrev(function, argnums=range(len(arguments))))(*arguments)]
        for found in (function(*arguments), *every):
            assert np.isfinite(found).all()


def test_two_classes_are_a_logistic_regression():
    scores = np.linspace(-5, 5, 11, dtype=np.float32)
    expected = np.stack([expit(0.5 - scores), expit(scores - 0.5)], axis=1)
    np.testing.assert_allclose(np.exp(cumulative(scores, np.float32([0.5]))), expected, rtol=1e-5)
    np.testing.assert_allclose(np.exp(corn(scores[:, None] - 0.5)), expected, rtol=1e-5)


def test_at_first_every_class_is_as_likely_at_a_score_of_zero():
    head = ORDINAL["cumulative"](3, 5, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(np.exp(head(jnp.zeros((1, 3)))), np.full((1, 5), 0.2), rtol=1e-5)
    raw = np.asarray(head.thresholds[...])
    ordered = np.cumsum([raw[0], *np.exp(raw[1:])])
    np.testing.assert_allclose(ordered, logit([0.2, 0.4, 0.6, 0.8]), atol=1e-6)


# --- models and weights


@pytest.fixture(autouse=True)
def small_variant(monkeypatch):
    monkeypatch.setitem(VARIANTS, "small", Variant(64, SMALL, SWIN))


@functools.cache
def create(head, weights=str(REFERENCE / "swin.safetensors"), num_classes=4, **options):
    return hairjax.create_model(
        "small", weights=weights, num_classes=num_classes, head=head, **options
    )


def parameters(model):
    flat = dotted(nnx.to_pure_dict(nnx.state(model)))
    return {path: np.asarray(leaf) for path, leaf in flat.items()}


@pytest.mark.parametrize("head", ORDINAL)
def test_pretrained_weights_but_for_the_classifier(head):
    ours, softmaxs = parameters(create(head)), parameters(create("softmax"))
    own = {path for path in ours if path.startswith("head.classifier.")}
    assert (
        own
        == {
            "cumulative": {
                "head.classifier.cumulative.kernel",
                "head.classifier.cumulative.thresholds",
            },
            "corn": {"head.classifier.corn.steps.kernel", "head.classifier.corn.steps.bias"},
        }[head]
    )
    for path in ours.keys() - own:
        np.testing.assert_array_equal(ours[path], softmaxs[path])
    images = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)
    logits = np.asarray(jax.jit(lambda x: create(head)(x))(images))
    assert logits.shape == (2, 4)
    np.testing.assert_allclose(softmax(logits, axis=1), np.exp(logits), rtol=1e-5)


@pytest.mark.parametrize("head", ORDINAL)
def test_a_converted_head_is_kept_by_its_own_kind_alone(head, tmp_path):
    file, out = tmp_path / "ours.safetensors", tmp_path / "again.safetensors"
    ours = parameters(create(head, hidden=(6,)))
    write(ours, {}, file)
    convert_weights(str(file), "small", out, "")
    again = parameters(create(head, weights=str(out), num_classes=None, hidden=(6,)))
    assert again.keys() == ours.keys()
    for path in ours:
        np.testing.assert_array_equal(again[path], ours[path])
    # Not by another kind, though an array of its own has the same shape.
    other = parameters(create("softmax", weights=str(out), num_classes=3, hidden=(6,)))
    assert other["head.classifier.kernel"].shape == (6, 3)
    for kind in set(HEADS) - {head}:
        with pytest.raises(UserError, match=f"head is {head}, not {kind}: give head='{head}'"):
            create(kind, weights=str(out), num_classes=None, hidden=(6,))


def test_an_unknown_head_is_refused():
    with pytest.raises(UserError, match="no head 'coral'; the heads are softmax, cumulative, corn"):
        create("coral")


@pytest.mark.slow
def test_a_run_with_an_ordinal_head_is_one_like_any_other(tmp_path, capsys, tiny_swin):
    """With weights of the classes and mixed photographs besides; and its head for the next run."""
    workdir = tmp_path / "run"
    options = {
        "data.count": 80,
        "data.image_size": 32,
        "data.balance": "loss",
        "augment.cutmix": 1.0,
        "model.name": "tiny",
        "model.head": "corn",
        "train.epochs": 1,
        "train.batch_size": 16,
        "optim.warmup_epochs": 0,
        "devices.mesh": 1,
    }
    flags = [f"--config.{key}={value}" for key, value in options.items()]
    assert launch.main(["--config=configs/top.py:demo", f"--workdir={workdir}", *flags]) == 0
    assert "class weights in the loss: level_0 " in capsys.readouterr().out
    assert "head.classifier.corn.steps.kernel" in (workdir / "groups.txt").read_text()
    rows = list(csv.DictReader((workdir / "predictions.csv").read_text().splitlines()))
    probabilities = np.array(
        [[float(row[f"probability_level_{i}"]) for i in range(4)] for row in rows]
    )
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    options = {"in_channels": 6, "image_size": 32, "head": "corn"}
    model = hairjax.create_model("tiny", weights=str(workdir), **options)
    run = load_run(workdir)
    photos = synthesise("top", 4, 37, 0, 1, lambda done, total: None)
    seen = InputSpecification(32, (6,), ("imagenet",))
    logits = jax.jit(lambda x: model(model_inputs(x, None, None, seen)))(photos.images)
    judged = run.predictor(run.params, photos).probabilities
    np.testing.assert_allclose(softmax(logits, axis=1), judged, atol=1e-5)
