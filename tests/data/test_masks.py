"""The mask matters: a model trained on synthetic photographs fails when masks are shuffled."""

from dataclasses import replace

import numpy as np
import pytest

import launch
from hairjax.data.synthetic import synthesise
from hairjax.runs.load import load_run

pytestmark = [pytest.mark.usefixtures("blank_figures", "tiny_swin"), pytest.mark.slow]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("masks") / "run"
    arguments = [
        "--config=configs/top.py:demo",
        f"--workdir={workdir}",
        "--config.model.name=tiny",
        "--config.data.count=600",
        "--config.data.image_size=32",
        "--config.train.epochs=8",
        "--config.devices.mesh=1",
    ]
    assert launch.main(arguments) == 0
    return load_run(workdir)


def accuracy(run, photos):
    predictions = run.predictor(run.params, photos)
    return np.mean(predictions.predicted == photos.labels)


def test_shuffled_masks_are_clearly_worse(run):
    photos = synthesise(
        "top", 300, 37, 1, 2, lambda done, total: None
    )  # people the model never saw
    order = np.random.default_rng(0).permutation(len(photos))
    images = photos.images.copy()
    images[..., 3] = images[order, ..., 3]
    true, shuffled = accuracy(run, photos), accuracy(run, replace(photos, images=images))
    assert true > 0.7
    assert shuffled < true - 0.3
