import csv
import dataclasses
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.evaluation.predictions import Predictions, read_predictions, write_predictions
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
    assert list(rows[0]) == ["file", "label", "predicted", "p0", "p1", "p2", "p3"]
    assert {row["label"] for row in rows} <= set(CLASSES)
    shares = [float(rows[0][f"p{index}"]) for index in range(4)]
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


def test_another_class_order_is_refused(tmp_path):
    write_predictions(predictions(), tmp_path / "predictions.csv")
    with pytest.raises(UserError, match="another order of classes"):
        read_predictions(tmp_path / "predictions.csv", CLASSES[::-1])


def test_reading_names_what_is_wrong(tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(predictions(), path)
    with pytest.raises(UserError, match=r"columns are .*p3, not file,label,predicted,p0,p1"):
        read_predictions(path, CLASSES[:2])
    with path.open("a", encoding="utf-8") as stream:
        stream.write("half a row,normal")
    with pytest.raises(UserError, match="row 7 has 2 values, not 7"):
        read_predictions(path, CLASSES)
    write_predictions(predictions(), path)
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
