"""docs/api.md runs from top to bottom, and examples/walk.py as it is shipped, but smaller."""

import csv
import inspect
import json
import re
from pathlib import Path

import pytest

import hairjax
from hairjax.models.table import VARIANTS
from hairjax.training.train import train_run
from tests import finished

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_page_on_the_api_runs(finished_run, tiny_swin, tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    finished.copy(finished_run, tmp_path)
    (tmp_path / "run").rename(tmp_path / "runs" / "top")
    monkeypatch.chdir(tmp_path)
    # Of the page's model a block in each stage instead of two: it is traced in half the time.
    mini = VARIANTS["swin_mini_patch4_window4_64"]
    shallow = mini._replace(options=mini.options | {"depths": (1, 1, 1)})
    monkeypatch.setitem(VARIANTS, "swin_mini_patch4_window4_64", shallow)
    blocks = list(re.finditer(r"```python\n(.*?)```", PAGE, re.DOTALL))
    assert len(blocks) > 10
    names = {}
    for block in blocks:
        # Lines of a traceback are those of the page.
        lines = "\n" * (PAGE[: block.start()].count("\n") + 1)
        exec(compile(lines + block[1], "docs/api.md", "exec"), names)
    # Called where the page only shows it; what it was given passed the checks.
    assert names["train_run"] is train_run


def test_every_argument_of_create_model_is_on_the_page():
    table = PAGE[PAGE.index("| argument |") :].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines()))
    assert named == list(inspect.signature(hairjax.create_model).parameters)
    assert set(re.findall(r"`hairjax\.(\w+)\(", PAGE)) == set(hairjax.__all__)


@pytest.mark.slow
@pytest.mark.usefixtures("blank_figures")
def test_the_walk_ends_in_the_table_and_the_figure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = (ROOT / "examples" / "walk.py").read_text(encoding="utf-8")
    smaller, changed = re.subn(
        "^COUNT, SIDE, EPOCHS = .*", "COUNT, SIDE, EPOCHS = 96, 32, 3", written, flags=re.M
    )
    assert changed == 1
    exec(compile(smaller, "walk.py", "exec"), {"__name__": "__main__"})
    metrics = json.loads(Path("walk/run/metrics.json").read_text())
    rows = list(csv.DictReader(Path("walk/metrics.csv").read_text().splitlines()))
    assert len(rows) == 8
    for row in rows:
        assert float(row["value"]) == metrics[row["metric"]]
        low, high = metrics["intervals"][row["metric"]]
        assert (float(row["low"]), float(row["high"])) == (low, high)
    assert Path("walk/confusion.png").stat().st_size > 1000
    assert Path("walk/check/check.html").is_file()
