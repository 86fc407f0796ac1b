"""The verb train: what it is understood to train, and how that may end."""

import json
import shlex
from pathlib import Path

import pytest

import launch
from configs import top
from hairjax.config.load import to_plain
from hairjax.config.schema import flatten
from hairjax.training.loop import DivergedError
from hairjax.training.stopping import StoppedError
from tests.cli.commands import DEMO, ROOT


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DivergedError("the loss of step 3 is nan"), 1, "error: the loss of step 3 is nan\n"),
        (StoppedError("stopped after step 3"), 143, "stopped after step 3\n"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C\n"),
        (
            OSError(28, "No space left on device", "x"),
            1,
            "error: the disk is full: x could not be written (",
        ),
        (MemoryError("Unable to allocate 4 TiB"), 1, "error: Unable to allocate 4 TiB\n"),
    ],
)
def test_how_a_run_may_end(error, status, message, tmp_path, monkeypatch, capsys):
    def train(*args):
        raise error

    monkeypatch.setattr("hairjax.training.train.train_run", train)
    monkeypatch.chdir(tmp_path)
    assert launch.main([DEMO]) == status
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize(
    ("command", "workdir"),
    [
        (DEMO, "runs/top-demo"),
        (f"train {DEMO}", "runs/top-demo"),
        (DEMO.replace("=", " "), "runs/top-demo"),
        (f"--config.seed=0 {DEMO}", "runs/top-demo"),
        (f"-config {ROOT}/configs/top.py:demo", "runs/top-demo"),
        (f"{DEMO} --workdir=here", "here"),
        (f"{DEMO} --workdir here", "here"),
        (f"{DEMO} --workdir=~/there", "~/there"),
        (f"--config={ROOT}/configs/side.py:demo --config.data.view=top", "runs/side-demo"),
        ("--config=elsewhere/my.py:demo", "runs/my-demo"),
        ("--config=first/config.json", "runs/first-again"),
        ("--config=top:demo", "runs/top-demo"),
        ("--config=elsewhere/my:demo", "runs/my-demo"),
    ],
)
def test_commands_that_train_the_demo(command, workdir, trained):
    Path("elsewhere").mkdir()
    Path("elsewhere/my.py").write_text("from configs import top\nget_config = top.get_config\n")
    Path("first").mkdir()
    Path("first/config.json").write_text(json.dumps(to_plain(top.get_config("demo"))))
    assert launch.main(shlex.split(command)) == 0
    [(config, where)] = trained
    assert where == Path(workdir).expanduser()
    assert list(flatten(config)) == list(flatten(top.get_config("demo")))


@pytest.mark.situation(
    "Runs",
    "`--config=NAME` without a folder or a suffix",
    "`NAME.py` here, or else hairjax's own configuration of that name; others are listed",
)
def test_a_name_is_the_users_own_file_first(trained):
    Path("top.py").write_text(
        "from hairjax.configs import top\n"
        "def get_config():\n"
        "    config = top.get_config('demo')\n"
        "    config.seed = 5\n"
        "    return config\n"
    )
    assert launch.main(["--config=top"]) == 0
    Path("top.py").unlink()
    assert launch.main(["--config=top:demo"]) == 0
    assert [config.seed for config, _ in trained] == [5, 0]


@pytest.mark.parametrize("flag", ["--moved", "--workdir"])
def test_an_empty_value_is_none(flag, trained):
    assert launch.main([DEMO, f"{flag}="]) == 0
    assert [str(where) for _, where in trained] == ["runs/top-demo"]


def test_a_value_may_begin_with_a_dash(trained):
    assert launch.main([DEMO, "--workdir", "-here", "--config.devices.process", "-1"]) == 0
    assert [str(where) for _, where in trained] == ["-here"]


def test_a_runs_configuration_with_overrides(trained):
    Path("config.json").write_text(json.dumps(to_plain(top.get_config("demo"))))
    flags = "--config.model.hidden=64,32 --config.data.fractions=0.6,0.2,0.2 --config.seed=7"
    assert launch.main(shlex.split(f"--config=config.json {flags}")) == 0
    [(config, _)] = trained
    assert config.model.hidden == (64, 32)
    assert config.data.fractions == (0.6, 0.2, 0.2)
    assert config.seed == 7
