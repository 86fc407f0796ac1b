"""Another task trains in the same loop, with the same resume."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hairjax.training.train
from configs import top
from hairjax.builders.validation import check_config
from hairjax.training.classification import Classification
from tests.training import stopping

pytestmark = pytest.mark.usefixtures("tiny_swin")

EPOCHS, STEPS = 2, 3


@dataclasses.dataclass(frozen=True, eq=False)
class Brightness:
    """How bright a photograph is: a regression by the first output."""

    sums: tuple[str, ...] = ("absolute",)
    loss_metric: str = "squared"

    def targets(self, photos, labels, keys):
        return photos[..., :3].mean(axis=(1, 2, 3)) / 255

    def loss(self, outputs, targets):
        error = outputs[:, 0] - targets
        return jnp.mean(error**2), {"absolute": jnp.abs(error).sum()}

    def train_metrics(self, totals):
        return {"absolute": totals["absolute"] / totals["count"]}

    def predictor(self, outputs):
        return lambda params, photos: (outputs(params, photos)[:, 0], photos)

    def is_finite(self, predictions):
        return bool(np.isfinite(predictions[0]).all())

    def evaluate(self, predictions):
        found, photos = predictions
        error = found - photos.images[..., :3].mean(axis=(1, 2, 3)) / 255
        return {"squared": float(np.mean(error**2)), "absolute": float(np.abs(error).mean())}

    def describe(self, train, validation):
        return f"off by {validation['absolute']:.3f}"


@pytest.fixture(autouse=True)
def another_task(monkeypatch):
    """Training as it is, but for its task and what follows the last epoch."""
    module = hairjax.training.train
    monkeypatch.setattr(module, "classification_task", lambda *_: Brightness())
    monkeypatch.setattr(module, "_end", lambda plan, prepared, best, params: (best, params))


def settings():
    config = top.get_config("demo")
    config.data.update(count=78, image_size=32, cache="")
    config.model.name, config.keep.best_by = "tiny", "loss"
    config.optim.warmup_epochs = 1
    config.train.update(epochs=EPOCHS, batch_size=16, log_every=1)
    config.devices.mesh = 1
    check_config(config)
    return config


@pytest.fixture
def whole(tmp_path):
    """A run that nothing stopped, and what it said."""
    return tmp_path / "whole", stopping.run(settings(), tmp_path / "whole")


def test_a_regression_is_trained_and_judged_by_its_own_metrics(whole):
    workdir, said = whole
    assert [line.split("  ")[1][:6] for line in said if line.startswith("epoch")] == ["off by"] * 2
    first, last = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    assert first["train"].keys() == last["train"].keys() == {"absolute", "loss"}
    assert first["validation"].keys() == {"absolute", "squared"}
    assert last["validation"] != first["validation"]


@pytest.mark.slow
def test_a_regression_that_was_stopped_ends_as_one_that_was_not(whole, tmp_path):
    stopped = tmp_path / "stopped"
    assert stopping.run(settings(), stopped, stop=STEPS + 1)[-1].startswith("epoch 1/2")
    stopping.run(settings(), stopped)
    lines = (whole[0] / "metrics.jsonl").read_bytes()
    assert (stopped / "metrics.jsonl").read_bytes() == lines


def test_sums_are_of_the_task():
    outputs = jnp.asarray([[0.0], [1.0]])
    loss, sums = jax.jit(Brightness().loss)(outputs, jnp.asarray([0.5, 0.5]))
    assert (float(loss), float(sums["absolute"])) == (0.25, 1.0)
    assert Classification(3, 0.0, None).sums == ("correct",)
