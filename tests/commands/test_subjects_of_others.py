"""Whose other photographs are: `evaluate --photos` counts people, not photographs."""

import json

import numpy as np
import pytest
from PIL import Image

import launch
from hairjax.data.sources.manifest import Manifest
from hairjax.data.sources.photos import Entry, Index
from hairjax.data.split import read_rows
from hairjax.runs.load import load_run
from hairjax.runs.photographs import find_subjects, read_selected_photographs
from hairjax.system.errors import UserError
from hairjax.system.outputs import RECORD, read_record
from tests import finished

OWN = "/(s[0-9]+)_"  # the finished run's expression


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    return finished.copy(finished_run, tmp_path_factory.mktemp("runs")) / "run"


def index(*files, subjects=None):
    subjects = subjects or [""] * len(files)
    entries = (Entry(file, file, None, 0, who) for file, who in zip(files, subjects, strict=True))
    return Index(tuple(entries), (), ("level_0",), False)


def subjects_of(found):
    return [entry.subject for entry in found.entries]


@pytest.mark.situation(
    "Subjects",
    "`evaluate --photos` with photographs of people",
    "people by the run's own expression, `--subject` or a manifest: intervals are over them",
)
def test_the_runs_own_expression_finds_them(capsys):
    found = find_subjects(index("a/s1_0.png", "a/s1_1.png", "b/s2_0.png"), OWN)
    assert subjects_of(found) == ["s1", "s1", "s2"]
    assert "subjects: 2, found by config.data.subject of the run" in capsys.readouterr().out


def test_a_manifest_says_it_better(capsys):
    given = index("a/s1_0.png", "a/s1_1.png", subjects=["anna", ""])
    assert find_subjects(given, OWN) is given
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("expression", "why"),
    [(OWN, "finds none in their paths"), ("", "the run has no config.data.subject")],
)
@pytest.mark.situation(
    "Subjects",
    "`evaluate --photos` where nothing tells people",
    "said: intervals take every photograph for another person",
)
def test_where_none_is_found_it_is_said(expression, why, capsys):
    given = index("a/x.png", "a/y.png")
    assert find_subjects(given, expression) is given
    said = capsys.readouterr().out
    assert "unknown subjects" in said and why in said and "--subject=EXPRESSION" in said


@pytest.mark.situation(
    "Subjects",
    "an expression that finds the people of some photographs",
    "refused with those it does not fit",
)
def test_some_of_them_are_no_answer():
    with pytest.raises(UserError, match=r"finds none in 2 of 3 \(a/x.png, b/y.png\).*=\.\+"):
        find_subjects(index("a/s1_0.png", "a/x.png", "b/y.png"), OWN)


@pytest.mark.situation(
    "Splits and leaks",
    "`evaluate --photos` with other photographs of people who trained the run, by their names",
    "told with their number: if they are the same people, what is found flatters the run",
)
@pytest.mark.usefixtures("tiny_swin")
def test_people_who_are_called_as_some_who_trained_are_told(run, tmp_path, capsys):
    rows = read_rows(run / "split.csv")
    known = next(row["subject"] for row in rows if row["split"] == "train")
    held = next(row["subject"] for row in rows if row["split"] == "validation")
    for kind in ("photos", "masks"):
        for i, name in enumerate((f"{known}_a", f"{known}_b", f"{held}_c", "s999_d")):
            path = tmp_path / kind / f"level_{i % 2}" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((40, 40, 3), 0 if kind == "masks" else 60 + 40 * i, np.uint8)
            pixels[:20] = 255
            Image.fromarray(pixels).save(path)
    others = load_run(run).with_photographs(
        photos=str(tmp_path / "photos"),
        masks=str(tmp_path / "masks"),
        manifest=Manifest(""),
        subject="",
        spelling="",
    )
    read_selected_photographs(others, "all")
    said = f"2 further photographs of subjects named like training subjects ({known})"
    assert said in capsys.readouterr().out


@pytest.mark.situation(
    "Results",
    "`evaluate --photos` finds people by the run's expression, one of them as `s1` and `s01`",
    "refused with the names, as in training; `--spelling=merge` counts them once, `apart` twice",
)
@pytest.mark.usefixtures("tiny_swin")
@pytest.mark.parametrize(
    ("spelling", "people"), [("", None), ("merge", {"s1", "s2"}), ("apart", {"s1", "s01", "s2"})]
)
def test_near_equal_names_of_people_are_found(spelling, people, run, tmp_path, capsys):
    for kind in ("photos", "masks"):
        for i, name in enumerate(("s1_a", "s01_b", "s2_c")):
            path = tmp_path / kind / f"level_{i % 2}" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((40, 40, 3), 0 if kind == "masks" else 60 + 60 * i, np.uint8)
            pixels[:20] = 255
            Image.fromarray(pixels).save(path)
    own = load_run(run)
    other = own.with_photographs(
        photos=str(tmp_path / "photos"),
        masks=str(tmp_path / "masks"),
        manifest=Manifest(""),
        subject="",
        spelling=spelling,
    )
    if people is None:
        with pytest.raises(UserError, match=r"people \(1\):\n *'s01' = 's1'"):
            read_selected_photographs(other, "all")
    else:
        photos, _, _ = read_selected_photographs(other, "all")
        assert {*photos.subjects} == people
        said = capsys.readouterr().out
        assert said.count("people in several spellings, taken as one (1)") == (spelling == "merge")


def write_photographs(root):
    """Twelve: of three people, or of two by another part of their names."""
    for person in range(3):
        for level in range(2):
            for which in range(2):
                name = f"level_{level}/s9{person}_{'anna' if which else 'ben'}.png"
                for kind in ("photos", "masks"):
                    path = root / kind / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    grey = 255 if kind == "masks" else 40 * person + 80 * level + which
                    pixels = np.full((40, 40, 3), grey, np.uint8)
                    pixels[:20] += 60 * (kind == "photos")
                    Image.fromarray(pixels).save(path)


@pytest.mark.usefixtures("blank_figures", "tiny_swin")
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "3 subjects"),
        (("--subject=_([a-z]+)[.]",), "2 subjects"),
        (("--subject=.+",), "another"),
    ],
)
def test_evaluate_counts_people(more, said, run, tmp_path, capsys):
    write_photographs(tmp_path)
    others = [f"--{kind}={tmp_path}/{kind}" for kind in ("photos", "masks")]
    out = tmp_path / "out"
    command = ["evaluate", f"--workdir={run}", *others, f"--out={out}", *more]
    assert launch.main(command) == 0, capsys.readouterr().err
    assert said in json.loads((out / "metrics.json").read_text())["interval_note"]
    assert {path.name for path in out.iterdir()} == {RECORD, *read_record(out)}
