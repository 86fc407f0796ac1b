import csv
import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.evaluation.predictions import (
    Predictions,
    columns,
    read_predictions,
    write_predictions,
)
from hairjax.system.errors import UserError

CLASSES = ("normal", "mild, early", 'the "moderate" one', "stærk 重度")


def predictions(n=6, seed=0, classes=CLASSES):
    generator = np.random.default_rng(seed)
    return Predictions(
        files=tuple(f"level_{index % 4}/photo {index}.jpg" for index in range(n)),
        labels=generator.integers(0, len(classes), n),
        probabilities=generator.dirichlet(np.ones(len(classes)), n).astype(np.float32),
        subjects=tuple(f"s{index // 2}" for index in range(n)),
        classes=classes,
    )


def assert_equal(found, expected):
    assert found.files == expected.files
    assert found.classes == expected.classes
    np.testing.assert_array_equal(found.labels, expected.labels)
    assert found.probabilities.dtype == np.float32
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)


def test_round_trip_with_subjects(tmp_path):
    expected = predictions()
    write_predictions(expected, tmp_path / "predictions.csv")
    subjects = dict(zip(expected.files, expected.subjects, strict=True))
    found = read_predictions(tmp_path / "predictions.csv", CLASSES, subjects)
    assert_equal(found, expected)
    assert found.subjects == expected.subjects


# No file name holds a NUL; lone surrogates have a test of their own.
letter = st.sampled_from('\r\n",') | st.characters(
    exclude_characters="\0", exclude_categories=["Cs"]
)
name = st.text(letter, min_size=1)


@settings(deadline=None)
@given(
    st.lists(name, min_size=2, max_size=4, unique=True),
    st.lists(st.tuples(name, st.floats(0, 1, width=32)), max_size=4),
)
def test_any_name_and_any_float32_come_back(tmp_path_factory, classes, rows):
    p = np.zeros((len(rows), len(classes)), np.float32)
    p[:, 1] = [value for _, value in rows]
    p[:, 0] = 1 - p[:, 1]
    expected = Predictions(
        files=tuple(file for file, _ in rows),
        labels=np.ones(len(rows), np.int64),
        probabilities=p,
        subjects=("",) * len(rows),
        classes=tuple(classes),
    )
    path = tmp_path_factory.mktemp("names") / "predictions.csv"
    write_predictions(expected, path)
    assert_equal(read_predictions(path, classes), expected)


def test_columns_are_as_designed(tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(predictions(), path)
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [f"probability_{name}" for name in CLASSES]
    assert list(rows[0]) == ["file", "label", "predicted", *names]
    assert {row["label"] for row in rows} <= set(CLASSES)
    shares = [float(rows[0][name]) for name in names]
    assert rows[0]["predicted"] == CLASSES[int(np.argmax(shares))]


def test_same_predictions_same_bytes_and_nothing_left_beside(tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(predictions(), path)
    first = path.read_bytes()
    write_predictions(predictions(), path)
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_name_that_is_not_utf8_survives(tmp_path):
    expected = dataclasses.replace(predictions(1), files=(os.fsdecode(b"\xff.jpg"),))
    write_predictions(expected, tmp_path / "predictions.csv")
    assert_equal(read_predictions(tmp_path / "predictions.csv", CLASSES), expected)


def test_no_photographs(tmp_path):
    write_predictions(predictions(0), tmp_path / "predictions.csv")
    assert_equal(read_predictions(tmp_path / "predictions.csv", CLASSES), predictions(0))


def write_as_before(expected, path):
    """As earlier versions did: columns named by the classes' positions."""
    write_predictions(expected, path)
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    count = len(expected.classes)
    header[3 : 3 + count] = [f"p{position}" for position in range(count)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])


@pytest.mark.situation(
    "Results",
    "an ensemble or a comparison of runs whose tables have their classes in another order",
    "refused: the columns of probabilities bear the classes' names and are held against the run's",
)
def test_another_class_order_is_refused(tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(predictions(), path)
    with pytest.raises(UserError, match="columns are of another order of classes, "):
        read_predictions(path, CLASSES[::-1])
    write_as_before(predictions(), path)
    with pytest.raises(UserError, match="written with another order of classes"):
        read_predictions(path, CLASSES[::-1])


@pytest.mark.situation(
    "Results",
    "`predictions.csv` of an earlier version, its columns `p0`, `p1`, …",
    "read as before; now they are `probability_none`, `probability_mild`, …, the classes in order",
)
def test_columns_of_an_earlier_version_are_read():
    reference = Path(__file__).parents[1] / "reference"
    classes = json.loads((reference / "run" / "classes.json").read_text())
    path = reference / "run_finished" / "predictions.csv"
    found = read_predictions(path, classes)
    with path.open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["file", "label", "predicted", "p0", "p1", "p2", "p3"]
    assert [list(map(str, row)) for row in found.probabilities] == [row[3:] for row in rows]
    assert list(found.files) == [row[0] for row in rows]


@pytest.mark.situation(
    "Results",
    "a class that is called `0`, `p0` or `fold`, or has commas, line breaks or Korean in its name",
    "its column is `probability_0`, …: no two names of columns are ever the same",
)
@pytest.mark.parametrize(
    "classes",
    [
        ("0", "1"),
        ("1", "0"),
        ("p0", "p1"),
        ("p1", "p0"),
        ("probability_0", "0"),
        ("fold", "flips"),
        ("file", "label"),
        ("없음", "경증, 초기"),
        ("a\nb", " a"),
    ],
)
@pytest.mark.parametrize("write", [write_predictions, write_as_before])
def test_no_name_of_a_class_is_taken_for_a_column_of_another_kind(tmp_path, classes, write):
    expected, path = predictions(classes=classes), tmp_path / "predictions.csv"
    expected = dataclasses.replace(expected, labels=expected.labels % 2)
    write(expected, path)
    assert_equal(read_predictions(path, classes), expected)
    with pytest.raises(UserError, match="another order of classes"):
        read_predictions(path, classes[::-1])


@settings(deadline=None)
@given(st.lists(name, min_size=1, max_size=5, unique=True), st.integers(0, 5))
def test_columns_differ_and_now_is_never_before(classes, count):
    for more in ([], ["calibrated"], ["fold"], ["calibrated", "flips"]):
        names = columns(classes, more)
        assert len(set(names)) == len(names)
        assert names[3 : 3 + len(classes)] == [f"probability_{name}" for name in classes]
        assert not {f"p{position}" for position in range(count)} & set(names)


def test_calibrated_probabilities_and_folds_stand_behind_and_are_passed_over(tmp_path):
    expected, path = predictions(), tmp_path / "predictions.csv"
    write_predictions(expected, path, calibrated=np.full((6, 4), 0.25))
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[7:] == [f"calibrated_{name}" for name in CLASSES]
    assert {rows[0][f"calibrated_{name}"] for name in CLASSES} == {"0.25"}
    assert_equal(read_predictions(path, CLASSES), expected)
    write_predictions(expected, path, folds=[0, 1, 2, 0, 1, 2])
    assert_equal(read_predictions(path, CLASSES), expected)


def test_flips_are_told_from_none(tmp_path):
    expected, path = predictions(), tmp_path / "predictions.csv"
    write_predictions(expected, path, flips=True)
    assert_equal(read_predictions(path, CLASSES, flips=True), expected)
    with pytest.raises(UserError, match=r"are means over photographs and their mirror images"):
        read_predictions(path, CLASSES)
    write_predictions(expected, path)
    with pytest.raises(UserError, match=r"are not means over photographs"):
        read_predictions(path, CLASSES, flips=True)


def test_reading_names_what_is_wrong(tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(predictions(), path)
    with pytest.raises(UserError, match=r"columns are .*, not file,label,predicted,probability_n"):
        read_predictions(path, CLASSES[:2])
    with path.open("a", encoding="utf-8") as stream:
        stream.write("half a row,normal")
    with pytest.raises(UserError, match="row 7 has 2 values, not 7"):
        read_predictions(path, CLASSES)
    write_as_before(predictions(), path)
    with pytest.raises(UserError, match=r"row 1 has the unknown class .*; known: a, b, c, d"):
        read_predictions(path, ["a", "b", "c", "d"])
    with pytest.raises(UserError, match=r"level_1/photo 1.jpg and 4 more have no subject"):
        read_predictions(path, CLASSES, {"level_0/photo 0.jpg": "s0"})
    path.write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="columns are , not file"):
        read_predictions(path, CLASSES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"files": ("a.jpg",)}, "1 files, labels"),
        ({"subjects": ()}, "6 files, .* 0 subjects"),
        ({"labels": np.full(6, 4)}, r"labels must be in -1 … 3: \[4\]"),
        ({"probabilities": np.full((6, 4), 0.25)}, "not float64"),
        ({"probabilities": np.full((6, 3), 0.25, np.float32)}, r"float32 \(6, 4\)"),
        ({"classes": ("a", "a", "b", "c")}, "must be distinct"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(predictions(), **change)
