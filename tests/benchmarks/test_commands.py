"""The commands that README.md and other pages give: their modules load and know the flags."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ablation import row_of
from hairjax.evaluation.predictions import Predictions

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.ko.md", "benchmarks/README.md", *map(str, ROOT.glob("docs/*.md")))
COMMANDS = {
    command.strip()
    for page in PAGES
    for command in re.findall(
        r"python -m benchmarks\.(\w+[^`|]*)", " ".join((ROOT / page).read_text().split())
    )
}


@pytest.mark.parametrize("name", sorted(path.stem for path in ROOT.glob("benchmarks/*.py")))
def test_every_benchmark_loads(name):
    if name == "peer":
        pytest.importorskip("timm")
    importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_of_the_pages_has_the_flags_it_is_given(command):
    name, *arguments = command.split()
    written = (ROOT / "benchmarks" / f"{name}.py").read_text()
    for argument in arguments:
        if argument.startswith("--"):
            assert f'"{argument.partition("=")[0]}"' in written


def test_a_row_of_the_ablation_has_numbers_and_their_intervals():
    generator = np.random.default_rng(0)
    labels, subjects = np.repeat(np.arange(4), 10), tuple(f"s{i // 2}" for i in range(40))
    one, two = (
        Predictions(
            tuple(map(str, range(40))),
            labels,
            generator.dirichlet(np.ones(4) + k, 40).astype(np.float32),
            subjects,
            tuple("abcd"),
        )
        for k in (0, 1)
    )
    row = row_of(one, two)
    assert list(row) == ["accuracy", "quadratic_kappa", "difference"]
    for value, low, high in row.values():
        assert low < value < high
    assert row["accuracy"][0] == np.mean(one.predicted == labels)
