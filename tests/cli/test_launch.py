"""launch.py as a program."""

import os
import subprocess
import sys

import pytest

import launch
from tests.cli.commands import DEMO, ROOT


def test_a_mistake_of_the_program_is_not_hidden(tmp_path, monkeypatch):
    def train(*args):
        raise ValueError("shapes (3,) (4,) could not be aligned")

    monkeypatch.setattr("hairjax.training.train.train_run", train)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="aligned"):
        launch.main([DEMO])


def run(arguments, **options):
    return subprocess.run(
        [sys.executable, ROOT / "launch.py", *arguments],
        env={**os.environ, "XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=nothere.py"], "no configuration file 'nothere.py'"),
        (["--config=my.py:demo", "--config.modle.name=x"], "did you mean config.model.name?"),
        (["--config=my.py:demo", "--config.data.image_size=66"], "multiples of 4"),
    ],
)
def test_as_a_program_from_another_folder(arguments, message, tmp_path):
    (tmp_path / "my.py").write_text("from configs import top\nget_config = top.get_config\n")
    ended = run(arguments, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["my.py"]


def test_a_mistyped_flag_is_answered_without_what_is_slow_to_start():
    code = (
        "import sys, launch; launch.main(['--config=x.py', '--confg=y']); "
        "print([m for m in ('jax', 'sklearn', 'matplotlib', 'orbax', 'scipy') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stderr == "error: unknown flag --confg; did you mean --config?\n"
    assert ended.stdout == "[]\n"
