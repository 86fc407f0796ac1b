"""More epochs for a run that has ended: the command named is a run from its best weights."""

import shlex

import jax
import numpy as np
import pytest

import launch
from configs import top
from hairjax.builders.model import find_model_weights, model_specification, pretrained_model
from hairjax.builders.validation import check_config
from hairjax.cli.flags import override
from hairjax.config.continued import continued_command
from hairjax.config.load import load_config
from hairjax.data.split import read_rows
from hairjax.runs.ancestry import read_ancestry
from hairjax.runs.folder import RunFolder
from hairjax.runs.load import load_run
from hairjax.weights.paths import dotted
from tests import finished

pytestmark = pytest.mark.usefixtures("tiny_swin", "blank_figures")


def given_in(message):
    """The arguments of the command that a message ends with."""
    command = message[message.index("python launch.py") :].strip()
    return shlex.split(command)[2:]


@pytest.mark.slow
@pytest.mark.situation(
    "Runs",
    "more epochs asked of a run that has ended",
    "refused with the command of a run from its best weights, with the same split and a schedule "
    "of its own",
)
def test_more_epochs_are_a_run_from_the_best_weights(finished_run, tmp_path, capsys):
    folder = finished.copy(finished_run, tmp_path)
    run = folder / "run"
    assert finished.train(folder, run, "--config.train.epochs=3")[0] == 1
    message = capsys.readouterr().err
    assert f"{run} holds a run of 1 epoch, not of 3 (config.train.epochs)" in message
    assert "train 2 more as a new run" in message
    assert launch.main(given_in(message)) == 0
    said = capsys.readouterr().out
    assert "head: kept" in said
    assert "validation and test photographs that trained the weights (run): none" in said
    longer = RunFolder(tmp_path / "run-longer")
    assert [row["epoch"] for row in longer.read_lines(longer.history)] == [1, 2]
    rows = [
        {row["sha256"]: row["split"] for row in read_rows(p / "split.csv")}
        for p in (run, longer.path)
    ]
    assert rows[0] == rows[1]
    assert [one.run for one in read_ancestry(longer).learnt] == ["run"]


def test_it_begins_with_every_parameter_of_the_best_epoch(finished_run):
    run = load_run(finished_run / "run")
    [argument] = [
        a
        for a in given_in(continued_command(run.folder.path, 2))
        if a.startswith("--config.weights.source")
    ]
    config = override(run.config.copy_and_resolve_references(), [])
    config.weights.source = argument.partition("=")[2]
    model = model_specification(config)
    _, params = pretrained_model(model, len(run.classes), find_model_weights(model))
    own = dotted(jax.device_get(run.params))
    found = dotted(jax.device_get(params))
    assert found.keys() == own.keys()
    for path, leaf in found.items():
        np.testing.assert_array_equal(leaf, own[path], err_msg=path)


@pytest.mark.parametrize(
    ("own", "flags"),
    [
        ({}, {}),
        ({"optim.warmup_epochs": 5}, {"optim.warmup_epochs": 1}),
        ({"optim.finetune": "gradual", "optim.gradual": (1,)}, {"optim.finetune": "full"}),
        ({"optim.finetune": "head:1,middle:4"}, {"optim.finetune": "head:1,middle:1"}),
        ({"optim.finetune": "last:1"}, {}),
        ({"data.folds": 5, "data.fold": 3}, {"data.folds": 0, "data.fold": 0}),
        ({"weights.which": "ema", "weights.source": "x"}, {"weights.which": "auto"}),
        (
            {"model.second": "cnn7", "model.second_sees": "mask", "weights.second": "y"},
            {"weights.second": ""},
        ),
    ],
)
def test_its_configuration_is_one_that_can_be_trained(own, flags, tmp_path):
    """With what the schedule, the folds or a second model of the first would not allow."""
    run = tmp_path / "top"
    run.mkdir()
    (run / "split.csv").touch()
    config = top.get_config("demo")
    config.optim.warmup_epochs = 1
    with config.unlocked():
        for key, value in own.items():
            section, _, name = key.rpartition(".")
            config[section][name] = value
    RunFolder(run).write_config(config)
    given = [
        a.removeprefix("--config.").partition("=")
        for a in given_in(continued_command(run, 2))
        if a.startswith("--config.")
    ]
    asked = {key: value for key, _, value in given}
    fixed = {"weights.source", "data.split", "train.epochs"}
    assert {key: value for key, value in asked.items() if key not in fixed} == {
        key: str(value) for key, value in flags.items()
    }
    changed = override(load_config(str(run / "config.json")), list(asked.items()))
    assert (changed.train.epochs, changed.weights.source) == (2, str(run))
    check_config(changed)


@pytest.mark.situation(
    "Runs",
    "fewer epochs asked of a run that has begun",
    "refused: its rates are those of all epochs; its best epoch so far can be judged as it is",
)
def test_fewer_epochs_are_refused(tmp_path):
    folder = RunFolder(tmp_path)
    config = top.get_config("demo")
    folder.write_config(config)
    shorter = top.get_config("demo")
    shorter.train.epochs = 5
    with pytest.raises(ValueError, match=r"holds a run of 20 epochs, not of 5.*stop it"):
        folder.require_same(shorter)


def test_of_a_run_that_has_not_ended_it_says_so(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_config(top.get_config("demo"))
    longer = top.get_config("demo")
    longer.train.epochs = 25
    with pytest.raises(ValueError, match=r"finish it first.*then train 5 more"):
        folder.require_same(longer)
    folder.write_json(folder.metrics, {"epoch": 20})
    with pytest.raises(ValueError, match="schedule spans these; train 5 more"):
        folder.require_same(longer)
