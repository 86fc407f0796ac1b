import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, mean_absolute_error

from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.metrics.slices import NOT_GIVEN, choose_columns, slice_tables
from tests.evaluation.test_sample import in_tens, predictions

MANY = "different values, not all of them numbers"
UNEVEN = "three quarters or more have the maximum"


def column(values):
    return {f"{i}.jpg": value for i, value in enumerate(values)}


def chosen(values):
    found, left_out = choose_columns({"x": column(values)})
    return [one.values for one in found], left_out


@pytest.mark.parametrize(
    ("values", "parts", "left_out"),
    [
        (["b", "a", "b", ""], [("a", "b")], ()),
        (["10", "9", "9"], [("9", "10")], ()),
        (["a"] * 5, [], ("x (one value only)",)),
        (["", ""], [], ("x (no value)",)),
        ([f"note {i}" for i in range(30)], [], (f"x (30 {MANY})",)),
        ([*map(str, range(30)), "nan"], [], (f"x (31 {MANY})",)),
        ([*map(str, range(20))], [tuple(map(str, range(20)))], ()),
        ([*map(str, range(40))], [("0 – 9", "10 – 19", "20 – 29", "30 – 39")], ()),
        (["0"] * 30 + [*map(str, range(1, 25))], [("0", "1 – 11", "12 – 24")], ()),
        (["99"] * 99 + [*map(str, range(25))], [], (f"x ({UNEVEN})",)),
    ],
)
def test_which_columns_are_parts(values, parts, left_out):
    assert chosen(values) == (parts, left_out)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", "a", "b", "1", "2.5", "x y"]), min_size=1, max_size=40))
def test_counts_add_up(values):
    """Every photograph is in one part, also where the manifest says nothing of it."""
    n = len(values) + 2
    given = predictions(n, 0)
    found = slice_tables(Sample.from_predictions(given), given.files, {"x": column(values)})
    for parts in found.tables.values():
        assert sum(part.photographs for part in parts) == n
        assert parts[-1].value == NOT_GIVEN
        assert parts[-1].photographs == values.count("") + 2
    assert len(found.tables) + len(found.left_out) == 1


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=21, max_size=60, unique=True))
def test_quarters_are_quarters(values):
    given = predictions(len(values), 0)
    columns = {"x": column(map(str, values))}
    parts = slice_tables(Sample.from_predictions(given), given.files, columns).tables["x"]
    assert len(parts) == 4
    assert sum(part.photographs for part in parts) == len(values)
    assert max(abs(part.photographs - len(values) / 4) for part in parts) <= 1


def test_values_are_scikit_learns_and_small_parts_are_marked():
    given = predictions(200, 1, in_tens(200))
    cameras = ["new" if i < 60 else "old" for i in range(200)]
    sample = Sample.from_predictions(given)
    new, old = slice_tables(sample, given.files, {"x": column(cameras)}).tables["x"]
    true, guessed = given.labels[:60], given.predicted[:60]
    wanted = {
        "accuracy": accuracy_score(true, guessed),
        "quadratic_kappa": cohen_kappa_score(true, guessed, weights="quadratic"),
        "mean_absolute_error": mean_absolute_error(true, guessed),
    }
    for name, (value, (low, high)) in new.metrics.items():
        assert value == pytest.approx(wanted[name])
        assert low < value < high
    assert (new.photographs, new.units, new.few) == (60, 6, True)
    assert (old.photographs, old.units, old.few) == (140, 14, False)


def test_what_a_part_cannot_say():
    given = predictions(40, 2, in_tens(40))
    labels = np.array([0] * 10 + [0, 1, 2, 3] * 7 + [0, 1])
    given = type(given)(given.files, labels, given.probabilities, given.subjects, given.classes)
    columns = {"x": column(["one"] * 10 + ["other"] * 30)}
    one, other = slice_tables(Sample.from_predictions(given), given.files, columns).tables["x"]
    assert one.metrics["quadratic_kappa"] is None  # a single class
    assert one.metrics["accuracy"][1] is None  # a single subject
    assert other.metrics["quadratic_kappa"][1] is not None


def test_quarters_are_those_of_all_photographs_not_of_the_judged():
    given = predictions(5, 3)
    found = slice_tables(
        Sample.from_predictions(given), given.files, {"x": column(map(str, range(40)))}
    )
    assert [part.value for part in found.tables["x"]] == ["0 – 9"]
