"""A file that a person has put where results go is never replaced."""

import pytest

from configs import top
from hairjax.commands import check, evaluate, explain, show
from hairjax.runs.photographs import Selection
from hairjax.studies import compare, folds
from hairjax.system.errors import UserError
from hairjax.system.outputs import RECORD, record_written, require_replaceable, with_svg
from hairjax.training import rate_range

NAMES = ("table.csv", "page.html", "examples")


def write(folder, text="ours"):
    (folder / "examples").mkdir(parents=True, exist_ok=True)
    for name in ("table.csv", "page.html", "examples/000.jpg"):
        (folder / name).write_text(text)
    record_written(folder, NAMES)


def test_what_hairjax_wrote_may_be_written_again(tmp_path):
    require_replaceable(tmp_path / "missing", NAMES)
    require_replaceable(tmp_path, NAMES)
    write(tmp_path)
    require_replaceable(tmp_path, NAMES)
    write(tmp_path, "anew")
    require_replaceable(tmp_path, NAMES)
    (tmp_path / "notes.txt").write_text("mine")  # is not replaced
    (tmp_path / "page.html").unlink()
    require_replaceable(tmp_path, NAMES)


@pytest.mark.situation(
    "Results",
    "a table that hairjax wrote, and somebody has written notes into since",
    "not written over: refused, until it is moved away or another folder is given",
)
@pytest.mark.parametrize("name", ["table.csv", "examples/000.jpg", "examples/mine.jpg"])
def test_what_was_changed_since_is_its_owners(name, tmp_path):
    write(tmp_path)
    (tmp_path / name).write_text("with notes")
    with pytest.raises(UserError, match=rf"{name.partition('/')[0]} would be replaced"):
        require_replaceable(tmp_path, NAMES)


def test_two_commands_may_write_into_one_folder(tmp_path):
    write(tmp_path)
    (tmp_path / "other.csv").write_text("ours")
    with pytest.raises(UserError, match=r"--workdir=.*other.csv would be replaced"):
        require_replaceable(tmp_path, ["other.csv"], "--workdir")
    record_written(tmp_path, ["other.csv", "absent.csv"])
    require_replaceable(tmp_path, [*NAMES, "other.csv"])


def test_a_record_that_is_broken_is_named(tmp_path):
    (tmp_path / RECORD).write_text("{")
    with pytest.raises(UserError, match=r"hairjax.json cannot be read .* remove it"):
        require_replaceable(tmp_path, NAMES)


def test_a_figure_is_two_files():
    assert with_svg("a.png", "b.png") == ["a.png", "a.svg", "b.png", "b.svg"]


def _folds(out):
    config = top.get_config("demo")
    config.data.folds = 3
    folds.cross_validate(config, out)


WRITERS = {
    "check.csv": lambda out: check.check_photographs(top.get_config("demo"), out),
    "contact_sheet.png": lambda out: show.show_data(top.get_config("demo"), out),
    "rates.csv": lambda out: rate_range.run_rate_range_test(top.get_config("demo"), out),
    "comparison.md": lambda out: compare.compare_runs(["a"], "test", out=out, thumbnails=False),
    "flipped.csv": lambda out: compare.compare_runs(["a"], "test", out=out, thumbnails=False),
    "metrics.json": lambda out: evaluate.evaluate_run("a", Selection("test"), str(out)),
    "reliability.svg": lambda out: evaluate.evaluate_run("a", Selection("test"), str(out)),
    "examples": lambda out: explain.explain_run("a", Selection("test"), count=1, stage=0, out=out),
    "predictions.csv": _folds,
}


@pytest.mark.situation(
    "Results",
    "`--out` of check, show, rates, compare, evaluate or explain, or `--workdir` of folds, where "
    "files of these names are",
    "refused before anything is read, unless hairjax wrote them there and nobody changed them",
)
@pytest.mark.parametrize("name", WRITERS)
def test_no_verb_replaces_a_persons_file(name, tmp_path):
    mine = tmp_path / name
    if name == "examples":
        mine.mkdir()
        mine /= "of mine.jpg"
    mine.write_text("mine")
    with pytest.raises(UserError, match=rf"{name} would be replaced"):
        WRITERS[name](tmp_path)
    assert mine.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
