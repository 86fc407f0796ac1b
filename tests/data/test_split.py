import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.spelling import subject_key
from hairjax.data.split import (
    SPLITS,
    check_split,
    make_folds,
    make_split,
    read_own_split,
    read_rows,
    read_split,
    split_rows,
    write_split,
)
from hairjax.system.errors import UserError


def photographs(labels, subjects=None, sha256=None, classes=None, files=None) -> PhotoSet:
    """Return photographs of one pixel each; without subjects each is its own."""
    n = len(labels)
    return PhotoSet(
        images=np.zeros((n, 1, 1, 4), np.uint8),
        labels=np.array(labels, np.int32),
        files=tuple(files or (f"photo {i}.jpg" for i in range(n))),
        subjects=tuple(subjects or [""] * n),
        sha256=tuple(sha256 or (f"{i:064x}" for i in range(n))),
        classes=tuple(classes or (f"level_{i}" for i in range(max(labels) + 1))),
        has_masks=False,
    )


def shares(photoset: PhotoSet, split: np.ndarray) -> np.ndarray:
    """Return float [splits, classes]: the share of each class in each split."""
    classes = range(len(photoset.classes))
    return np.array(
        [[(split[photoset.labels == label] == name).mean() for label in classes] for name in SPLITS]
    )


@st.composite
def subjects_in_each_class(draw) -> PhotoSet:
    """Photographs of which each class has at least four subjects of its own, and others mixed."""
    labels, subjects, sha256 = [], [], []
    classes = draw(st.integers(2, 4))
    mixed = draw(st.integers(0, 8))
    for subject in range(4 * classes + mixed):
        for number in range(draw(st.integers(1, 6))):
            chosen = draw(st.integers(0, classes - 1)) if subject >= 4 * classes else None
            labels.append(subject % classes if chosen is None else chosen)
            # The last four mixed subjects are unknown.
            subjects.append("" if subject >= 4 * classes + 4 else f"p{subject}")
            # Some files of one subject are identical, under different labels too.
            sha256.append(f"{subject}-{number // 2}")
    return photographs(labels, subjects, sha256)


FRACTIONS = st.sampled_from([(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.5, 0.5, 0.0), (0.7, 0.3, 0)])


@settings(deadline=None, max_examples=40)
@given(subjects_in_each_class(), FRACTIONS, st.integers(0, 2**32 - 1))
def test_what_must_hold_of_every_split(photoset, fractions, seed):
    split = make_split(photoset, fractions, seed)
    check_split(photoset, split)
    for keys in (photoset.subjects, photoset.sha256):
        for key in {*keys} - {""}:
            assert len({*split[np.array(keys) == key]}) == 1
    held = shares(photoset, split)
    assert (held[np.array(fractions) > 0] > 0).all()
    assert (held[np.array(fractions) == 0] == 0).all()
    np.testing.assert_array_equal(split, make_split(photoset, fractions, seed))


@settings(deadline=None, max_examples=20)
@given(subjects_in_each_class(), st.sampled_from([3, 4]), st.integers(0, 2**32 - 1))
def test_every_photograph_tests_once_and_selects_once(photoset, folds, seed):
    splits = [make_folds(photoset, folds, fold, seed) for fold in range(folds)]
    for fold, split in enumerate(splits):
        check_split(photoset, split)
        np.testing.assert_array_equal(split == "validation", splits[(fold + 1) % folds] == "test")
    for name in ("validation", "test"):
        assert (sum((split == name).astype(int) for split in splits) == 1).all()


def test_more_folds_than_subjects_of_a_class_are_refused():
    photoset = photographs([0, 0, 0, 1, 1, 1], ["a", "b", "c", "d", "e", "d"])
    with pytest.raises(UserError, match=r"'level_1' is in 2 of config.data.folds=3 parts"):
        make_folds(photoset, 3, 0, 0)


@settings(deadline=None, max_examples=20)
@given(subjects_in_each_class(), st.integers(0, 9), st.randoms(use_true_random=False))
def test_order_of_the_photographs_does_not_matter(photoset, seed, random):
    order = random.sample(range(len(photoset)), len(photoset))
    split = make_split(photoset, (0.6, 0.2, 0.2), seed)
    shuffled = make_split(photoset.subset(order), (0.6, 0.2, 0.2), seed)
    np.testing.assert_array_equal(shuffled, split[order])


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.integers(40, 200), min_size=2, max_size=4),
    st.floats(0.4, 0.8),
    st.floats(0.3, 0.7),
    st.integers(0, 9),
)
def test_unknown_subjects_are_divided_as_asked(sizes, train, part, seed):
    fractions = (train, (1 - train) * part, (1 - train) * (1 - part))
    photoset = photographs(np.repeat(range(len(sizes)), sizes))
    held = shares(photoset, make_split(photoset, fractions, seed)) * sizes
    assert np.abs(held - np.outer(fractions, sizes)).max() <= 2


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.7, 0.3, 0)])
def test_many_subjects_of_unequal_size_are_divided_as_asked(fractions):
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30, 120)
    subjects = [f"p{i}" for i in np.repeat(range(120), sizes)]
    photoset = photographs(rng.integers(0, 4, len(subjects)), subjects)
    held = shares(photoset, make_split(photoset, fractions, seed=0))
    assert np.abs(held - np.array(fractions)[:, None]).max() < 0.02


def test_seeds_differ():
    photoset = photographs([0, 1] * 40, [f"p{i // 4}" for i in range(80)])
    splits = {tuple(make_split(photoset, (0.6, 0.2, 0.2), seed)) for seed in range(5)}
    assert len(splits) == 5


def test_rare_class_reaches_train_validation_and_test():
    photoset = photographs([0] * 500 + [1] * 3)
    for seed in range(10):
        assert {*make_split(photoset, (0.8, 0.1, 0.1), seed)[-3:]} == {*SPLITS}
    photoset = photographs([0] * 500 + [1] * 2)
    assert {*make_split(photoset, (0.8, 0.1, 0.1), seed=0)[-2:]} == {"train", "validation"}


def test_identical_files_join_their_subjects():
    subjects = ["a", "b", "b", "c", "", "d", "e", "f"]
    contents = ["1", "1", "2", "2", "3", "3", "4", "5"]
    photoset = photographs([0, 1, 0, 1, 0, 1, 0, 1], subjects, contents)
    for seed in range(20):
        split = make_split(photoset, (0.5, 0.5, 0), seed)
        assert len({*split[:4]}) == 1 and len({*split[4:6]}) == 1


def test_class_that_cannot_be_divided_is_refused():
    photoset = photographs([0] * 6 + [1] * 6, ["a", "b", "c", "d", "e", "f"] + ["g"] * 6)
    with pytest.raises(UserError, match=r"'level_1' is not in both .*train 6, validation 0, test"):
        make_split(photoset, (0.8, 0.1, 0.1), seed=0)
    photoset = photographs([0, 0, 0], classes=["mild", "bald"])
    with pytest.raises(UserError, match="'bald' is not in both"):
        make_split(photoset, (0.8, 0.2, 0), seed=0)


@pytest.mark.parametrize(
    "fractions",
    [(0.8, 0.2), (0.8, 0.1, 0.2), (0.9, 0.0, 0.1), (0.0, 0.5, 0.5), (1.2, 0.1, -0.3),
     (float("nan"), 0.5, 0.5), (), (80, 10, 10)],
)  # fmt: skip
def test_bad_fractions_are_refused(fractions):
    with pytest.raises(UserError, match=r"config\.data\.fractions cannot be \(.*summing to 1"):
        make_split(photographs([0, 1] * 9), fractions, seed=0)


def test_written_split_is_read_again(tmp_path):
    photoset = photographs(
        [0, 1, 0, 1],
        ["p 1", 'p"2', "", "p,3"],
        classes=["mild, early", "심함"],
        files=["a,b.jpg", "가 나.jpg", 'c".png', "d.jpg"],
    )
    split = np.array(["train", "validation", "test", "train"])
    path = tmp_path / "split.csv"
    path.write_text("older")
    write_split(path, photoset, split)
    assert [item.name for item in tmp_path.iterdir()] == ["split.csv"]
    with path.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert rows[1] == {
        "file": "가 나.jpg",
        "label": "심함",
        "subject": 'p"2',
        "sha256": photoset.sha256[1],
        "split": "validation",
    }
    assert b"\r" not in path.read_bytes()
    np.testing.assert_array_equal(read_split(path, photoset), split)
    np.testing.assert_array_equal(read_split(path, photoset.subset([3, 1])), split[[3, 1]])


def test_carriage_returns_in_names_come_back(tmp_path):
    photos = photographs([0, 1], ["p\r", ""], classes=["a", "b\r"], files=["a\r.jpg", "b\r\n.jpg"])
    split = np.array(["train", "test"])
    write_split(tmp_path / "split.csv", photos, split)
    assert read_rows(tmp_path / "split.csv") == split_rows(photos, split)


def test_interrupted_writing_leaves_the_older_split(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("older")
    with pytest.raises(ValueError, match="shorter"):
        write_split(path, photographs([0, 1]), np.array(["train"]))
    assert path.read_text() == "older"
    assert [item.name for item in tmp_path.iterdir()] == ["split.csv"]


def test_split_of_top_divides_side_by_person(tmp_path):
    path = tmp_path / "split.csv"
    top = photographs([0, 1, 0, 1], ["a", "a", "b", "c"])
    write_split(path, top, np.array(["train", "train", "validation", "test"]))
    # The same names and other contents, as where both views number their photographs.
    side = photographs([1, 0, 1], ["c", "b", "a"], ["x", "y", "z"])
    np.testing.assert_array_equal(read_split(path, side), ["test", "validation", "train"])


@pytest.mark.situation(
    "Splits and leaks",
    "a split of photographs that have been renamed",
    "found by content",
)
def test_contents_decide_before_name_and_subject(tmp_path):
    path = tmp_path / "split.csv"
    write_split(path, photographs([0, 1], ["a", "b"], ["x", "y"]), np.array(["train", "test"]))
    moved = photographs([0, 1], ["", ""], ["y", "x"])
    np.testing.assert_array_equal(read_split(path, moved), ["test", "train"])


def test_a_runs_photographs_must_be_those_it_began_with_labels_too(tmp_path):
    path = tmp_path / "split.csv"
    photos = photographs([0, 1, 0])
    split = np.array(["train", "validation", "test"])
    write_split(path, photos, split)
    np.testing.assert_array_equal(read_own_split(path, photos.subset([2, 0, 1])), split[[2, 0, 1]])
    with pytest.raises(UserError, match=r"began with: 1 with another label \(photo 2\.jpg\); rest"):
        read_own_split(path, photographs([0, 1, 1]))
    with pytest.raises(UserError, match=r"1 missing \(photo 2\.jpg\); 1 changed \(photo 1\.jpg\);"):
        read_own_split(path, photographs([0, 1], sha256=[f"{0:064x}", "other"]))


def test_photographs_that_a_split_does_not_know_are_refused(tmp_path):
    path = tmp_path / "split.csv"
    write_split(path, photographs([0, 1], ["a", ""], ["x", "y"]), np.array(["train", "test"]))
    other = photographs([0] * 9, ["a", ""] + [""] * 7, [f"new {i}" for i in range(9)])
    with pytest.raises(UserError, match=r"8 of 9 photographs: photo 1\.jpg \(changed since\), "):
        read_split(path, other)
    with pytest.raises(UserError, match=r"photo 2\.jpg, .*photo 5\.jpg …; make a new split"):
        read_split(path, other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,split\na,train\n",
            "lacks the columns label, subject, sha256: .*this file file, split",
        ),
        ("", "lacks the columns file, .*this file none"),
        ("file,label,subject,sha256,split\na,0,,x,holdout\n", "'holdout'; .* train, validation"),
        (
            "file,label,subject,sha256,split\na,0,p,x,train\nb,0,p,y,test\n",
            "separates photographs of 1 subject.*p;",
        ),
        (
            "file,label,subject,sha256,split\na,0,,x,train\nb,0,,x,test\n",
            "identical files: a .*= b",
        ),
    ],
)
def test_unusable_split_files_are_refused(tmp_path, text, message):
    path = tmp_path / "split.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_split(path, photographs([0, 1]))


def test_missing_split_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.csv' cannot be read .*--config\.data\.split"):
        read_split(tmp_path / "none.csv", photographs([0, 1]))


@pytest.mark.situation(
    "Splits and leaks",
    "one person, or identical files, on both sides of a split",
    "refused by name",
)
def test_leaks_are_refused_by_name():
    photoset = photographs([0, 1, 0, 1], ["a", "b", "a", "c"], ["1", "2", "3", "4"])
    good = np.array(["train", "train", "train", "validation"])
    with pytest.raises(UserError, match=r"separates photographs of 1 subject, .*: a;"):
        check_split(photoset, np.array(["train", "train", "validation", "validation"]))
    with pytest.raises(UserError, match="'level_0' is not in both"):
        check_split(photoset, good)
    twins = photographs([0, 1, 0, 1], sha256=["1", "2", "1", "4"])
    with pytest.raises(
        UserError, match=r"identical files: photo 0\.jpg \(train\) = photo 2\.jpg \(validation\)"
    ):
        check_split(twins, np.array(["train", "train", "validation", "validation"]))
    with pytest.raises(UserError, match="'dev'; the parts of a split are train"):
        check_split(photoset, np.array(["train", "train", "train", "dev"]))
    with pytest.raises(ValueError, match="3 splits are given for 4"):
        check_split(photoset, good[:3])


@pytest.mark.situation(
    "Subjects",
    "a split file that spells people otherwise",
    "read as the set spells them; one person on both sides is refused",
)
def test_people_that_are_merged_are_found_under_every_spelling(tmp_path):
    top = photographs([0, 1, 0, 1], ["P01", "P1", "p2", "P-3"], files="abcd")
    side = photographs([0, 1, 0], ["p2", "p1", "p3"], sha256=["x", "y", "z"])
    path = tmp_path / "split.csv"
    write_split(path, top, np.array(["train", "train", "validation", "test"]))
    assert [*read_split(path, side, subject_key)] == ["validation", "train", "test"]
    with pytest.raises(UserError, match=r"lists neither .* of 2 of 3"):
        read_split(path, side)
    # One person on both sides.
    write_split(path, top, np.array(["train", "test", "validation", "test"]))
    with pytest.raises(UserError, match=r"separates photographs of 1 subject, .*: p1"):
        read_split(path, side, subject_key)
