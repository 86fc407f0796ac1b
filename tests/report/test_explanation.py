"""Tables, notes and section of an explanation."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hairjax.commands.explain_results import show_explanation
from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.predictions import Predictions
from hairjax.report.explanation import read_explanation, write_explanation
from hairjax.report.figures.explanation import examples_sheet
from hairjax.system.console import shown_on
from tests.report import example
from tests.report.example import example_report, found, pictures

ROLLOUT = {"method": "attention_rollout"}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return example_report(tmp_path_factory.mktemp("run"))


def section(report, folder, **changes):
    pictures(folder)
    path = folder / "explain" / "validation" / "explanation.json"
    write_explanation(dataclasses.replace(found(), **changes), path)
    return example.section("explanation", dataclasses.replace(report, folder=folder))


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "explanation.json"
    write_explanation(found(("정상", "b")), path)
    read = read_explanation(path)
    for table in ("agreement_table", "area_table", "reliance_tables", "notes"):
        assert getattr(read, table)() == getattr(found(("정상", "b")), table)()


def test_tables_have_their_intervals():
    _, rows = found().agreement_table()
    last = ["all", "80", "0.400\n0.350 – 0.460", "0.250\n0.200 – 0.300", "+0.150\n0.100 – 0.200"]
    assert rows[-1] == last
    _, rows = found().area_table()
    assert rows[0] == ["deletion\nlower is better", "0.410", "0.570", "−0.160\n−0.200 – −0.120"]
    (_, rows), (header, same) = found().reliance_tables()
    assert rows == same and header == ["input", "quadratic kappa", "difference"]
    assert rows[0] == ["unchanged", "0.400\n0.350 – 0.460", ""]
    assert rows[2] == [
        "mask of another photograph",
        "0.250\nno interval",
        "−0.250\n−0.300 – −0.200",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "Grad-CAM maps of stage 4 of 4: 7 × 7 cells for 224 × 224 pixels, so",
        ),
        ({}, "Brighter: more evidence for the predicted class; each map has its own scale"),
        (ROLLOUT, "Attention rollout to the end of stage 4 of 4: 7 × 7 cells"),
        (ROLLOUT, "and shows which patches reach the classified token"),
        (
            ROLLOUT,
            "Brighter: more attention to a cell, whatever the class; each map has its own scale",
        ),
        ({}, "320 photographs of 20 subjects."),
        ({}, "Empty maps, without evidence for the predicted class: 3;"),
        ({"subjects": 5}, "Only 5 subjects:"),
        ({"subjects": 0}, "Subjects are unknown"),
        ({"agreement": ()}, "There are no masks."),
        ({"agreement": (), "empty": 320}, "Every map is empty."),
        ({"reliance": (), "channels": 3}, "The input is RGB alone"),
        ({"reliance": ()}, "The photographs have no masks."),
        ({}, "<code>explain/validation/examples</code>"),
    ],
)
def test_the_section(report, tmp_path, changes, said):
    section_of_it = section(report, tmp_path, **changes)
    assert said in section_of_it
    assert ("Grad-CAM" in section_of_it) != (changes == ROLLOUT)


def test_it_fits_a_terminal():
    text = io.StringIO()
    with shown_on(Console(file=text, width=80, soft_wrap=True)):
        show_explanation(found())
    assert "…" not in text.getvalue()
    assert "+0.150  0.100 – 0.200" in text.getvalue()
    assert "−0.250  −0.300 – −0.200" in text.getvalue()


def test_nothing_is_said_of_another_epoch_or_of_none(report, tmp_path):
    assert section(report, tmp_path, epoch=4) == ""
    none = dataclasses.replace(report, folder=tmp_path / "none")
    assert example.section("explanation", none) == ""


def test_a_sheet_as_wide_as_a_page(tmp_path):
    generator = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 0, 1])
    said = Predictions(
        files=tuple(f"{'w' * 60}{i}.jpg" for i in range(5)),
        labels=labels,
        probabilities=np.tile(np.array([[0.8, 0.2]], np.float32), (5, 1)),
        subjects=("",) * 5,
        classes=("$x$", "정상"),
    )
    photos = PhotoSet(
        images=generator.integers(0, 256, (5, 24, 24, 4), np.uint8),
        labels=labels,
        files=said.files,
        subjects=said.subjects,
        sha256=("",) * 5,
        classes=said.classes,
        has_masks=True,
    )
    path = tmp_path / "sheet.png"
    examples_sheet(photos, said, generator.normal(size=(5, 3, 3)).astype(np.float32), path)
    with Image.open(path) as sheet:
        assert sheet.width == pytest.approx(7.09 * 300, abs=2)
        # Three rows: four of a class, three of which fit beside each other, and one of the other.
        assert 3 * 1.4 < sheet.height / 300 < 3 * 1.7
    assert "predicted $x$" in path.with_suffix(".svg").read_text()
