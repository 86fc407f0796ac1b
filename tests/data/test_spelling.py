"""Names that are nearly equal: which are, which are not, and what becomes of them."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hairjax.data.sources.labels import missing_labels, require_no_measurements
from hairjax.data.sources.spelling import (
    class_key,
    most_frequent,
    near_equal,
    near_equal_classes,
    require_one_spelling,
    subject_key,
)
from hairjax.system.errors import UserError

ONE_CLASS = [
    ["Level_0", "level_0", "LEVEL-0", "level 0", "level0", "level_00", " level_0 ",
     "ｌｅｖｅｌ＿０"],
    ["0", "0.0", "00", "0,0", "０", "0 "],
    ["1.5", "1,5", "01.50"],
    ["Stage 0", "stage 0", "Stage_0", "stage\u00a00", "stage 0\u200b"],
    ["very severe", "Very_Severe", "very-severe", "very–severe"],
    ["중증 ", "중증", unicodedata.normalize("NFD", "중증")],
    ["-1", "-1.0", "−1"],
]  # fmt: skip
OTHER_CLASSES = ["0", "10", "1", "11", "-1", "1-2", "12", "1.2", "2-", "2+", "2", "<2", ">2",
                 "3v", "3a", "level_-2",
                 "level_2", "mild", "mild moderate", "중증", "최중증"]  # fmt: skip
ONE_PERSON = [
    ["P1", "P01", "p1", "P-1", "P 1", "p_001", "P1 ", "Ｐ１"],
    ["1", "1.0", "01", "1.00", "001.0"],
    ["1-2", "01-2", "1_2", "1 02"],
    ["Kim Min", "kim_min", "KIM-MIN", "kimmin"],
    ["김민", unicodedata.normalize("NFD", "김민"), "김 민"],
]
OTHER_PEOPLE = ["1", "11", "10", "1-2", "12", "1.10", "1.1-1", "P1", "P10", "P11", "P1-1", "Q1",
                "a-11", "a1-1", "0a1", "a1", "anna", "anne", "김민", "김만"]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "one", "others"),
    [(class_key, ONE_CLASS, OTHER_CLASSES), (subject_key, ONE_PERSON, OTHER_PEOPLE)],
)
def test_what_is_one_and_what_is_not(key, one, others):
    for group in one:
        assert len({key(name) for name in group}) == 1
        assert near_equal(group, key) == (tuple(sorted(group)),)
    assert near_equal(others, key) == ()
    apart = [group[0] for group in one]
    assert near_equal(apart, key) == ()


@pytest.mark.situation(
    "Classes and labels",
    "`0` and `level_0` in one set",
    "one class in two spellings: refused or merged",
)
def test_a_bare_number_is_the_class_of_that_number():
    assert near_equal_classes(["0", "1", "level_0", "level_1"]) == (
        ("0", "level_0"),
        ("1", "level_1"),
    )
    assert near_equal_classes(["0", "a_0", "b_0"]) == ()
    assert near_equal_classes(["5", "level_0", "level_1"]) == ()


names = st.text(st.sampled_from("aBé가07 19.-_,+"), max_size=10)


@given(names)
def test_case_and_spaces_around_do_not_count(name):
    # A split that was written with one form of people is read with it.
    assert subject_key(subject_key(name)) == subject_key(name)
    for key in (class_key, subject_key):
        assert key(name.upper()) == key(name.lower()) == key(f" {name} ")


spellings = st.tuples(
    st.sampled_from([str.upper, str.lower, str.title]),
    st.sampled_from(["", " ", "_", "-"]),
    st.integers(0, 3),
    st.sampled_from(["", " "]),
)


@given(
    st.sets(st.tuples(st.sampled_from(["p", "site", "가"]), st.integers(0, 99)), min_size=2),
    st.data(),
)
def test_any_spellings_of_people_are_put_together_and_no_people_are(people, data):
    spelt = {}
    for word, number in people:
        for case, between, zeros, end in data.draw(st.lists(spellings, min_size=1, max_size=4)):
            spelt[f"{case(word)}{between}{'0' * zeros}{number}{end}"] = (word, number)
    for key in (class_key, subject_key):
        of_key = {}
        for name, person in spelt.items():
            of_key.setdefault(key(name), set()).add(person)
        assert all(len(found) == 1 for found in of_key.values())
        assert len(of_key) == len(people)


def test_the_most_frequent_spelling_names_the_class():
    groups = near_equal_classes(["a_0", "A 0", "b"])
    assert most_frequent(groups, ["a_0", "A 0", "A 0", "b"]) == {"a_0": "A 0", "A 0": "A 0"}
    assert most_frequent(groups, ["a_0", "A 0"]) == {"a_0": "A 0", "A 0": "A 0"}


def test_all_groups_are_in_one_report():
    require_one_spelling({"classes": (), "people": ()})
    many = tuple((f"P{i}", f"p{i}") for i in range(30))
    with pytest.raises(UserError) as caught:
        require_one_spelling({"classes": (("0", "0.0"),), "people": many})
    said = str(caught.value)
    assert "  classes (1):\n    '0' = '0.0'\n  people (30):\n    'P0' = 'p0'" in said
    assert "and 10 more" in said
    assert "--config.data.spelling=merge" in said and "apart" in said


MISSING = ["nan", "NaN", "null", "NULL", "N/A", "n/a", "NA", "na", "#N/A", "<NA>", "?", "??", "-",
           "--", ".", "unknown", "Unknown ", "missing", "unlabelled", "미상", "모름",
           "결측"]  # fmt: skip


@pytest.mark.parametrize("label", MISSING)
@pytest.mark.parametrize("others", [["0", "1"], ["mild", "severe"], ["bald", "full"]])
def test_labels_that_mean_missing(label, others):
    assert missing_labels([label, *others], ()) == {label}
    assert missing_labels([label, *others], (*others, label)) == set()


@pytest.mark.parametrize("none", ["none", "None", "NONE", "없음"])
@pytest.mark.situation(
    "Classes and labels",
    "`none` or `없음` beside `mild`, `severe`",
    "a class; beside `0`, `1` a missing label",
)
def test_none_is_a_class_among_words_of_severity_and_where_it_is_given(none):
    for others in (
        ["mild", "severe"],
        ["low", "high"],
        ["경증", "중증"],
        ["mild", "severe", "nan"],
    ):
        assert none not in missing_labels([none, *others], ())
    for others in (["0", "1"], ["bald", "full"], ["level_0", "level_1"], []):
        assert missing_labels([none, *others], ()) == {none}
        assert missing_labels([none, *others], [*others, none]) == set()


@pytest.mark.parametrize("label", ["+", "<", "0", "nano", "unknown stage 1", "no", "normal", "-1"])
def test_labels_that_mean_something(label):
    assert missing_labels([label, "a", "b"], ()) == set()


OPINIONS = [
    ["0.33", "1.00", "1.33", "2.67"],
    ["1,33", "2", "3"],
    [f"{i / 7:.2f}" for i in range(20)],
    [str(i) for i in range(60)],  # a measurement, such as SALT
    ["0.25", "1"],
]
STAGES = [
    ["0", "1", "2"],
    ["0.0", "1.0", "2.0"],
    ["0", "0.5", "1", "1.5"],
    [str(i % 12) for i in range(60)],
    ["1.33a", "2"],
    ["level_0.33", "level_1"],
    ["mild", "severe"],
    [],
]


@pytest.mark.parametrize("labels", OPINIONS)
def test_measured_labels_are_refused(labels):
    with pytest.raises(UserError, match=r"look like mean opinions.*--config\.data\.classes="):
        require_no_measurements(labels, "labels.csv")


@pytest.mark.parametrize("labels", STAGES)
def test_stages_are_not_measured(labels):
    require_no_measurements(labels, "labels.csv")


def test_no_two_groups_share_a_name():
    groups = near_equal(itertools.chain(*ONE_PERSON), subject_key)
    assert sorted(map(len, groups)) == sorted(map(len, map(set, ONE_PERSON)))
