"""A run that an earlier hairjax began goes on, and is loaded, evaluated, reported and started from.

tests/reference/run was stopped after the first of its three epochs; tests/reference/run_finished is
what the same build made of it. Both were written at commit 0b68bc5, before the rooms, and stay as
they are: a change after which these tests fail has orphaned the runs that people have.
"""

import csv
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import launch
from hairjax.builders.model import find_model_weights, model_specification, pretrained_model
from hairjax.config.load import from_plain, load_config
from hairjax.config.recipe import default_config, known_keys
from hairjax.config.resume import differences
from hairjax.config.schema import NEVER, flatten
from hairjax.runs.load import load_run
from hairjax.weights.paths import dotted

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference"
HEADINGS = [
    "Results",
    "Test-set access",
    "Confusion matrix and per-class metrics",
    "Most confident errors",
    "Calibration",
    "Selective prediction (referral)",
    "Training",
    "Parameter groups",
    "Photographs and splits",
    "Model, compute and configuration",
    "Reporting checklists (CLAIM, TRIPOD+AI)",
]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The run as it was stopped."""
    return shutil.copytree(REFERENCE / "run", tmp_path_factory.mktemp("before") / "begun")


@pytest.fixture(scope="module")
def finished(begun):
    """The run, gone on with."""
    workdir = shutil.copytree(begun, begun.with_name("finished"))
    assert launch.main([f"--config={workdir / 'config.json'}", f"--workdir={workdir}"]) == 0
    return workdir


def probabilities(path):
    rows = list(csv.reader(path.read_text().splitlines()))[1:]
    return [row[:3] for row in rows], np.array([row[3:] for row in rows], np.float64)


def test_it_ends_as_the_build_before_ended_it(finished):
    expected = REFERENCE / "run_finished"
    files, found = probabilities(finished / "predictions.csv")
    their_files, theirs = probabilities(expected / "predictions.csv")
    assert files == their_files
    np.testing.assert_allclose(found, theirs, atol=1e-5)
    lines, their_lines = (
        [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
        for place in (finished, expected)
    )
    assert lines[0] == their_lines[0]
    for line, other in zip(lines, their_lines, strict=True):
        assert line.keys() == other.keys()
        assert line["validation"] == pytest.approx(other["validation"], abs=1e-5)
        assert line["train"] == pytest.approx(other["train"], abs=1e-5)
        assert line["rate"] == other["rate"]
    assert (finished / "groups.txt").read_bytes() == (REFERENCE / "run/groups.txt").read_bytes()
    assert not (finished / "ancestry.json").exists()  # it began before there was one


def test_it_is_reported_evaluated_and_predicts(finished):
    (finished / "report.html").unlink()
    assert launch.main(["report", f"--workdir={finished}"]) == 0
    report = (finished / "report.html").read_text()
    assert "cifar_resnet20" in report
    assert re.findall("<h2>(.*?)</h2>", report) == HEADINGS
    assert launch.main(["evaluate", f"--workdir={finished}", "--split=test"]) == 0
    run = load_run(finished)
    written = json.loads((finished / "test" / "metrics.json").read_text())
    assert written["epoch"] == run.best["epoch"]


def test_its_best_epoch_is_weights_for_others(begun):
    config = load_config(str(begun / "config.json"))
    config.weights.source = str(begun)
    model = model_specification(config)
    _, params = pretrained_model(model, 4, find_model_weights(model))
    found, theirs = dotted(params), dotted(load_run(begun).params)
    assert found.keys() == theirs.keys()
    for path, leaf in found.items():
        np.testing.assert_array_equal(leaf, theirs[path], err_msg=path)


def test_every_key_that_it_lacks_says_what_it_meant(begun):
    """A key that was added since has a value for the runs that know nothing of it."""
    own = json.loads((begun / "config.json").read_text())

    def has(key):
        place = own
        for part in key.split("."):
            if part not in place:
                return False
            place = place[part]
        return True

    lacking = [key for key in known_keys() if not has(key)]
    assert [key for key in lacking if known_keys()[key].before is NEVER] == []
    completed = load_config(str(begun / "config.json"))
    for key in lacking:
        section, _, name = key.rpartition(".")
        assert completed[section][name] == known_keys()[key].before


def test_it_is_loaded_by_what_is_installed_alone(tmp_path):
    """The folders that pyproject.toml names, without the checkout around them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for name in project["tool"]["setuptools"]["packages"]["find"]["include"]:
        folder = name.removesuffix("*")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.pyc"))
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; import hairjax; "
        "print(hairjax.__file__, hairjax.load_run(sys.argv[2]).best['epoch'])"
    )
    command = [sys.executable, "-I", "-c", code, tmp_path, REFERENCE / "run"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout.split()[0] == str(tmp_path / "hairjax" / "__init__.py")


def test_the_command_that_it_began_with_goes_on(begun):
    """The defaults of keys that it did not have keep it from nothing."""
    began = load_config(str(begun / "config.json"))
    own, defaults = json.loads((begun / "config.json").read_text()), dict(flatten(default_config()))
    asked = load_config(str(begun / "config.json"))
    for key in known_keys():
        section, _, name = key.rpartition(".")
        if key not in dict(flatten(from_plain(own))):
            asked[section][name] = defaults[key]
    assert differences(began, asked) == []
