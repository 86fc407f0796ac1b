"""Whole runs in phases, stopped and gone on with in each of them, with and without kept maps."""

import re

import jax
import numpy as np
import pytest

from configs import top
from hairjax.builders.model import abstract_model, model_specification
from hairjax.builders.validation import check_config
from hairjax.data.augment import Amounts
from hairjax.parallel.mesh import make_mesh, on_mesh
from hairjax.runs.folder import RunFolder
from hairjax.training import phases
from hairjax.training.phases import augments, frozen_stages
from hairjax.weights.checkpoint import Checkpoints
from tests.training import stopping

pytestmark = pytest.mark.usefixtures("tiny_swin")

EPOCHS, STEPS = 3, 3
OFF = {
    "rotation": 0.0,
    "flip": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
    "crop_scale": 1.0,
}


def settings():
    """Three phases of one epoch of three steps, of which all but the last keep maps."""
    config = top.get_config("demo")
    config.data.count, config.data.image_size = 78, 32
    config.data.cache, config.data.balance = "", "sample"
    config.model.name = "tiny"
    config.model.dropout, config.model.drop_path = 0.3, 0.2
    config.augment.update(OFF)
    config.optim.update(finetune="head:1,stages.2:2,early:3", ema=0.9, warmup_epochs=1)
    config.optim.accumulate = 2
    config.train.update(epochs=EPOCHS, batch_size=16, log_every=1)
    config.devices.mesh = 1
    check_config(config)
    return config


def run(workdir, stop=None):
    return stopping.run(settings(), workdir, stop)


def last_params(workdir):
    """The average of the last checkpoint."""
    _, shapes = abstract_model(model_specification(settings()), 4)
    checkpoints = Checkpoints(RunFolder(workdir).checkpoints)
    try:
        step = checkpoints.last_step()
        mesh = make_mesh(1, 1)
        return step, jax.device_get(checkpoints.restore_params(step, on_mesh(shapes, mesh)))
    finally:
        checkpoints.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stopped, and what it said."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hairjax.training.finish.finish_run", lambda *arguments: {})
        return workdir, run(workdir)


@pytest.mark.slow
def test_a_run_stopped_in_its_phases_ends_as_the_one_that_was_not(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("hairjax.training.finish.finish_run", lambda *arguments: {})
    workdir = tmp_path / "stopped"
    for epoch in range(EPOCHS):
        run(workdir, stop=STEPS * epoch + 1)
        assert last_params(workdir)[0] == STEPS * epoch + 1
    run(workdir)
    for name in ("metrics.jsonl", "groups.txt"):
        assert (workdir / name).read_bytes() == (whole[0] / name).read_bytes()
    (step, mine), (other, expected) = last_params(workdir), last_params(whole[0])
    assert step == other == STEPS * EPOCHS
    jax.tree.map(np.testing.assert_array_equal, mine, expected)


@pytest.mark.slow
def test_kept_maps_change_nothing_but_rounding(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("hairjax.training.finish.finish_run", lambda *arguments: {})
    monkeypatch.setattr(phases, "memory_limit", lambda memory: 0.0)
    said = run(tmp_path / "computed")
    refused = [line for line in said if "computed at every step" in line]
    assert [re.search(r"stages\.\d", line)[0] for line in refused] == ["stages.2", "stages.1"]
    (_, mine), (_, expected) = last_params(tmp_path / "computed"), last_params(whole[0])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), mine, expected
    )
    kept = [
        RunFolder(path).read_lines(RunFolder(path).history)
        for path in (tmp_path / "computed", whole[0])
    ]
    for one, other in zip(*kept, strict=True):
        assert one["train"]["loss"] == pytest.approx(other["train"]["loss"], rel=1e-4)
        assert one["rate"] == other["rate"]


@pytest.mark.slow
def test_the_phases_are_said_and_which_keep_maps(whole):
    said = [line for line in whole[1] if "train, " in line or "computed once" in line]
    assert [line.split(" train,")[0] for line in said[::2]] == [
        "from epoch 1: head",
        "from epoch 2: stages.2, head",
        "from epoch 3: stem, stages.0, stages.2, head",
    ]
    assert [re.search(r"stages\.\d", line)[0] for line in said[1::2]] == ["stages.2", "stages.1"]


@pytest.mark.slow
def test_rates_begin_when_their_parts_thaw(whole):
    folder = RunFolder(whole[0])
    rates = [row["rate"] for row in folder.read_lines(folder.history)]
    assert rates[0].keys() == {"early", "middle", "stages.2", "head"}
    assert not any(rate.pop("middle") for rate in rates)
    thawed = {name: [bool(rate[name]) for rate in rates].index(True) for name in rates[0]}
    assert thawed == {"head": 0, "stages.2": 1, "early": 2}


@pytest.mark.parametrize(
    "change",
    [{}, {"mixup": 0.2}, {"cutmix": 1.0}, {"drop_view": 0.1}, {"crop_scale": 0.9}, {"erase": 0.1}],
)
def test_only_what_changes_nothing_is_no_augmentation(change):
    assert augments(
        Amounts(**({"erase": 0.0, "mixup": 0.0, "cutmix": 0.0, "drop_view": 0.0} | OFF | change))
    ) == bool(change)


@pytest.mark.parametrize(
    ("frozen", "stages"),
    [
        ((), 0),
        (("stem",), 0),
        (("stem", "stages.0"), 1),
        (("stem", "stages.0", "stages.1", "stages.2"), 3),
        (("stem", "stages.0", "stages.2"), 1),
        (("stages.0", "stages.1"), 0),
    ],
)
def test_stages_frozen_with_all_before_them(frozen, stages):
    assert frozen_stages(frozen) == stages
