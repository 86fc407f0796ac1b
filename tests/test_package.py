"""What is installed: metadata, extras, and the files of the wheel."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from hairjax.system import program

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]


def required(name):
    """What requirements-NAME.txt adds to requirements.txt, its own -r lines as an extra."""
    lines = (ROOT / f"requirements-{name}.txt").read_text(encoding="utf-8").split("\n")
    others = [line.removeprefix("-r ") for line in lines if line.startswith("-r ")]
    extras = [one.removeprefix("requirements-").removesuffix(".txt") for one in others]
    # Each extra has the dependencies of the package itself.
    extras = [one for one in extras if one != "requirements"]
    own = [line for line in lines if line and not line.startswith("-r ")]
    return [f"hairjax[{','.join(extras)}]"] * bool(extras) + own


def test_extras_and_requirements_say_the_same():
    files = {path.stem.removeprefix("requirements-") for path in ROOT.glob("requirements-*.txt")}
    assert files == set(EXTRAS)
    for name in EXTRAS:
        assert EXTRAS[name] == required(name), name


def test_no_file_of_the_package_is_left_out():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    for path in (ROOT / "hairjax").rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            assert any(path.match(pattern) for pattern in patterns), path


def test_the_licence_is_that_of_the_metadata():
    project = PROJECT["project"]
    assert project["license"] == "Apache-2.0"
    (file,) = project["license-files"]
    assert "Apache License" in (ROOT / file).read_text(encoding="utf-8").split("\n")[1]
    assert (ROOT / project["readme"]).is_file()


def test_commands_are_quoted_as_they_can_be_typed():
    """In this checkout; `test_the_wheel` sees what they are once installed."""
    assert program.command_line("show", "--out=a b") == "python launch.py show '--out=a b'"
    assert program.install_command("heic") == "pip install -r requirements-heic.txt"
    assert (ROOT / program.RECIPE).is_file()


# Each process has a child, begun as it was begun itself.
TWO = (
    "--config.devices.processes=2 --config.devices.process=0 "
    "--config.devices.coordinator=localhost:7733"
)


def can_build():
    try:
        version = importlib.metadata.version("setuptools")
    except importlib.metadata.PackageNotFoundError:
        return False
    return int(version.split(".")[0]) >= 77


@pytest.mark.slow
@pytest.mark.skipif(not can_build(), reason="needs setuptools 77 or newer")
def test_the_wheel(tmp_path):
    """It holds every file, and nothing beside the package; its command runs in an empty folder."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("hairjax", "configs"):
        left = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, checkout / name, symlinks=True, ignore=left)
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, f"--wheel-dir={tmp_path}", str(checkout)], check=True)
    (wheel,) = tmp_path.glob("hairjax-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {path for path in (checkout / "hairjax").rglob("*") if path.is_file()}
    package |= {
        checkout / "hairjax" / path.relative_to(checkout) for path in checkout.glob("configs/*")
    }
    assert names == {str(path.relative_to(checkout)) for path in package}

    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "mine.py").write_text("from hairjax.configs import top\nget_config = top.get_config\n")
    for command, said in (
        ("--help", "usage: hairjax [VERB]"),
        ("evaluate", "e.g. hairjax evaluate --workdir=runs/top"),
        ("--config=top:demmo", "the variants are: demo"),
        ("--config=mine.py:demmo", "the variants are: demo"),
        ("--config=configs/top.py:demo", "did you mean top:demo?"),
        ("--config=mine.py", "--config=top:demo shows the whole path"),
        (f"--config=top:demo {TWO} --config.seed=-1", "process 0: error: config.seed is -1"),
    ):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "hairjax", *command.split()],
            cwd=empty,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert said in done.stdout + done.stderr, command
