"""The rules that choose a rate against fastai's own, of which no more is imported.

Run with ``python -m pytest tests/parity -s``; needs torch and fastai (``--no-deps`` is enough).
"""

import ast
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from hairjax.training.rate_range import STEPS, rate_of, smooth, steepest, valley


@pytest.fixture(scope="module")
def theirs():
    package = importlib.util.find_spec("fastai")
    if package is None:
        pytest.skip("needs fastai")
    source = Path(package.origin).parent / "callback" / "schedule.py"
    tree = ast.parse(source.read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", "") in ("valley", "steep")]
    found = {}
    exec(compile(tree, str(source), "exec"), found)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_valley_and_steepest_are_fastais(theirs, seed):
    rng = np.random.default_rng(seed)
    rates = rate_of(np.arange(STEPS))
    losses = smooth(2 - np.tanh(rates * 300) + rates**2 + 0.3 * rng.normal(size=STEPS))[10:-5]
    rates = rates[10:-5]
    for name, ours in (("valley", valley), ("steep", steepest)):
        rate, _ = theirs[name](torch.tensor(rates), torch.tensor(losses), STEPS)
        assert rates[ours(rates, losses)] == pytest.approx(rate), name
