"""A run that was killed, however and whenever, ends as the run that never was."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import hairjax.training.train
import launch
from configs import top
from hairjax.builders.model import abstract_model, model_specification
from hairjax.commands.convert import write
from hairjax.config.resume import differences
from hairjax.parallel.lock import exclusive_lock
from hairjax.runs.folder import RunFolder
from hairjax.runs.load import load_run
from hairjax.weights.checkpoint import Checkpoints
from hairjax.weights.paths import dotted
from tests import finished
from tests.training import stopping

ROOT = Path(__file__).parents[2]
EPOCHS = 4
COMMAND = [
    sys.executable,
    str(ROOT / "launch.py"),
    f"--config={ROOT}/configs/top.py:demo",
    "--config.model.name=cnn7",  # whose batch norms have running statistics
    "--config.data.count=120",
    "--config.data.image_size=32",
    f"--config.train.epochs={EPOCHS}",
    "--config.train.batch_size=16",
    "--config.optim.warmup_epochs=1",
    "--config.optim.peak.early=0",  # a frozen group must survive a resume too
    "--config.optim.finetune=head:1,middle:2",  # and so must those that thaw
    "--config.optim.ema=0.9",  # and an average beside the parameters
    "--config.augment.mixup=0.4",
    "--config.data.balance=sample",
    "--config.log.tensorboard",
]
# In this process: two phases, and three steps to an epoch.
SHORT = [
    *COMMAND[2:],
    "--config.data.count=90",
    "--config.train.epochs=2",
    "--config.train.log_every=1",
    "--config.devices.mesh=1",
]
SAME = ("metrics.jsonl", "metrics.json", "predictions.csv", "split.csv", "groups.txt")


def start(workdir):
    environment = {**os.environ, "XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [*COMMAND, f"--workdir={workdir}"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(workdir):
    process = start(workdir)
    output = process.communicate(timeout=280)[0]
    assert process.returncode == 0, output
    return output


def wait_for_epoch(process, workdir, epoch):
    """Wait until the line of an epoch is in ``metrics.jsonl``."""
    for _ in range(2000):
        history = workdir / "metrics.jsonl"
        if history.exists() and len(history.read_text().splitlines()) >= epoch:
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    raise AssertionError(f"epoch {epoch} never came")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    finish(workdir)
    return workdir


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A short run that nothing stopped, in this process."""
    workdir = tmp_path_factory.mktemp("short") / "whole"
    with finished.blank_figures():
        assert launch.main([*SHORT, f"--workdir={workdir}"]) == 0
    return workdir


def assert_same(workdir, uninterrupted, epochs=EPOCHS):
    for name in SAME:
        assert (workdir / name).read_bytes() == (uninterrupted / name).read_bytes(), name
    mine, whole = load_run(workdir), load_run(uninterrupted)
    assert mine.best == whole.best
    for a, b in zip(flat(mine.params), flat(whole.params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert last_step(workdir) == last_step(uninterrupted)
    assert events_of(workdir, epochs) == events_of(uninterrupted, epochs)


def events_of(workdir, epochs):
    """Every (epoch, value), but how long it took."""
    events = EventAccumulator(str(workdir / "tensorboard")).Reload()
    tags = [tag for tag in events.Tags()["scalars"] if not tag.startswith("timing/")]
    points = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}
    assert {epoch for epoch, _ in points["train/loss"]} == set(range(1, epochs + 1))
    return points


def flat(params):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(params)]


def last_step(workdir):
    checkpoints = Checkpoints(workdir / "checkpoints")
    try:
        return checkpoints.last_step()
    finally:
        checkpoints.close()


@pytest.mark.multiprocess
def test_killed_and_terminated_it_ends_as_the_run_that_was_not(uninterrupted, tmp_path):
    """Killed before there is a checkpoint, killed between two, stopped in the middle of an epoch.

    Each time the same command goes on, and what it ends with is bit-equal.
    """
    workdir = tmp_path / "stopped"
    process = start(workdir)
    while not (workdir / "config.json").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    process = start(workdir)
    wait_for_epoch(process, workdir, 1)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    process = start(workdir)
    wait_for_epoch(process, workdir, 2)
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 143, output
    saved = re.search(r"SIGTERM after step ([\d,]+): the state is saved", output)
    assert saved, output
    assert last_step(workdir) == int(saved[1].replace(",", ""))
    assert "Traceback" not in output
    assert "resuming" in finish(workdir)
    assert_same(workdir, uninterrupted)


@pytest.mark.usefixtures("blank_figures")
def test_stopped_in_the_middle_of_an_epoch_it_ends_as_the_run_that_was_not(whole, tmp_path, capsys):
    workdir, step = tmp_path / "stopped", 4
    with stopping.stopped_at(step):
        assert launch.main([*SHORT, f"--workdir={workdir}"]) == 143
    assert f"SIGTERM after step {step}: the state is saved" in capsys.readouterr().err
    assert last_step(workdir) == step
    assert launch.main([*SHORT, f"--workdir={workdir}"]) == 0
    assert "resuming" in capsys.readouterr().out
    assert_same(workdir, whole, epochs=2)


def test_finished_run_says_so_and_changes_nothing(whole, capsys):
    before = {name: (whole / name).read_bytes() for name in SAME}
    assert launch.main([*SHORT, f"--workdir={whole}"]) == 0
    said = capsys.readouterr().out
    assert f"{whole} has ended: nothing is left to train" in said
    assert "resuming" not in said
    assert before == {name: (whole / name).read_bytes() for name in SAME}


def test_other_configuration_is_refused_with_the_differences(whole, capsys):
    changed = ["--config.seed=9", "--config.train.epochs=9", "--config.train.log_every=3"]
    assert launch.main([*SHORT, f"--workdir={whole}", *changed]) == 1
    message = capsys.readouterr().err
    assert "config.train.epochs: 2 → 9" in message
    assert "config.seed: 0 → 9" in message
    assert "log_every" not in message, "what is only shown may differ"


@pytest.mark.usefixtures("tiny_swin")
def test_begun_anew_with_other_weights_it_says_so(tmp_path):
    """Killed before there was a checkpoint."""
    config = top.get_config("demo")
    config.data.update(count=40, image_size=32, cache="")
    config.model.name, config.train.batch_size = "tiny", 8
    files = [str(tmp_path / f"{name}.safetensors") for name in ("one", "other")]
    _, shapes = abstract_model(model_specification(config), 4)
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    folder = RunFolder(tmp_path / "run")
    for file in files:
        write(dotted(zeros), {}, Path(file))
        config.weights.source = file
        begun = hairjax.training.train._prepare(config, folder)
        with exclusive_lock(folder.environment):
            hairjax.training.train._begin(begun)
            hairjax.training.train._write_start(begun)
    assert [line["weights"]["source"] for line in folder.read_lines(folder.environment)] == files
    assert folder.read_config().weights.source == files[1]


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ("a.npz", "b/a.npz", False),
        ("a.npz", "hf://timm/a", False),
        ("hf://timm/a", "hf://timm/b", True),
        ("none", "a.npz", True),
        ("hf://timm/a", "none", True),
    ],
)
@pytest.mark.parametrize("key", ["source", "second"])
def test_weights_may_lie_elsewhere_but_not_be_others(key, before, after, refused):
    old, new = top.get_config(), top.get_config()
    old.weights[key], new.weights[key] = before, after
    said = [f"config.weights.{key}: {before!r} → {after!r}"]
    assert differences(old, new) == (said if refused else [])


def test_where_another_command_trains_none_begins(whole, capsys):
    with exclusive_lock(RunFolder(whole).environment):
        assert launch.main([*SHORT, f"--workdir={whole}"]) == 1
    assert f"error: another command trains in {whole} now" in capsys.readouterr().err


@pytest.mark.multiprocess
def test_one_command_at_a_time_trains_in_a_directory(uninterrupted, tmp_path):
    """Two wrote each other's epochs, and removed each other's checkpoints."""
    workdir = tmp_path / "twice"
    first = start(workdir)
    wait_for_epoch(first, workdir, 1)
    first.send_signal(signal.SIGSTOP)
    try:
        second = start(workdir)
        output = second.communicate(timeout=120)[0]
    finally:
        first.send_signal(signal.SIGCONT)
    assert second.returncode == 1
    assert f"error: another command trains in {workdir} now" in output
    assert first.communicate(timeout=120) and first.returncode == 0
    assert len((workdir / "environment.jsonl").read_text().splitlines()) == 1
    assert_same(workdir, uninterrupted)


def test_metrics_of_the_best_epoch_are_those_of_its_checkpoint(whole):
    """``metrics.json`` comes from the restored best checkpoint, ``metrics.jsonl`` from training."""
    best = json.loads((whole / "metrics.json").read_text())
    rows = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    row = rows[best.pop("epoch") - 1]
    assert {name: best[name] for name in row["validation"]} == row["validation"]
    ranks = [(r["validation"]["accuracy"], -r["validation"]["log_loss"]) for r in rows]
    assert max(ranks) == ranks[row["epoch"] - 1]
