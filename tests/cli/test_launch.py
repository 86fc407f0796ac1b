"""launch.py as a program."""

import os
import signal
import subprocess
import sys
import time

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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--config=x.py --confg=y", "unknown flag --confg; did you mean --config?"),
        ("--config=x.py --config.modle.name=y", "did you mean config.model.name?"),
        ("evaluate --wrkdir=x", "unknown flag --wrkdir; did you mean --workdir?"),
        ("trian", "there is no verb 'trian'; did you mean train?"),
        ("--help", ""),
        ("evaluate --help", ""),
    ],
)
def test_a_mistyped_name_is_answered_without_what_is_slow_to_start(arguments, said):
    code = (
        f"import sys, launch; launch.main({arguments.split()}); slow = 'jax', 'numpy', 'PIL', "
        "'sklearn', 'matplotlib', 'orbax', 'scipy', 'rich', 'jinja2'; "
        "print([m for m in slow if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stderr.startswith("error: ") == bool(said)
    assert ended.stderr.endswith(f"{said}\n" if said else "")
    assert ended.stdout.endswith("[]\n")


# Runs launch.py as Python does, and at an import of its own does what is asked for: that is the
# first moment at which launch.py, and not Python before it, is interrupted.
PROGRAM = """
import os, runpy, signal, sys
def at_import(event, details):
    if event == "import" and details[0] == MODULE:
        ACTION
sys.addaudithook(at_import)
sys.argv = ["launch.py", "--config=nothere.py"]
runpy.run_path("launch.py", run_name="__main__")
"""
KILL = "os.kill(os.getpid(), signal.SIGINT)"


def started(module, action):
    """launch.py in a process that does something when it comes to import a module.

    It is interrupted as from a terminal, also where these tests run in the background.
    """
    code = PROGRAM.replace("MODULE", repr(module)).replace("ACTION", action)
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    return subprocess.Popen(
        [sys.executable, "-c", f"{heard}\n{code}"],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "module",
    [
        "hairjax",
        "gc",
        "hairjax.cli.main",
        "argparse",
        "ml_collections",
        "hairjax.cli.configuration",
    ],
)
def test_ctrl_c_while_modules_are_imported(module):
    program = started(module, KILL)
    output, errors = program.communicate(timeout=60)
    assert (program.returncode, output, errors) == (130, "", "stopped by Ctrl-C\n")


def test_ctrl_c_at_any_moment_of_the_start():
    """Or the command has ended before; the signal may still find the interpreter shutting down."""
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
        program = started("gc", "print('begun', flush=True)")
        assert program.stdout.readline() == "begun\n"
        time.sleep(delay)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=60)
        code = program.returncode
        if errors.startswith("error: there is no configuration"):
            assert code in (1, -signal.SIGINT), delay
        else:
            assert (code, errors) == (130, "stopped by Ctrl-C\n"), delay


def test_an_ignored_interrupt_stays_ignored():
    """As in a command that a script has put in the background."""
    code = PROGRAM.replace("MODULE", "'hairjax.cli.configuration'").replace("ACTION", KILL)
    ended = subprocess.run(
        [sys.executable, "-c", f"import signal; signal.signal(2, signal.SIG_IGN)\n{code}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: there is no configuration file 'nothere.py'")
