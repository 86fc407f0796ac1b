"""Files of which two labels are given: identical ones are refused, others told of."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import top
from hairjax.builders.setup import resolve
from hairjax.data.photoset import PhotoSet
from hairjax.data.quality.conflicts import require_one_label
from hairjax.data.quality.copies import require_no_copies
from hairjax.data.quality.duplicates import find_conflicts, measure_details
from hairjax.data.synthetic import synthesise
from hairjax.system.errors import UserError
from tests.messages import messages

SIDE, COUNT = 64, 48
CLASSES = ("none", "mild", "severe")


def configured(**data):
    config = top.get_config()
    config.data.update(photos="PHOTOS", **data)
    setup = resolve(config)
    return setup.source, setup.split


def files(contents, labels):
    """Photographs that are not looked at."""
    count = len(contents)
    return PhotoSet(
        images=np.zeros((count, 1, 1, 4), np.uint8),
        labels=np.array(labels, np.int32),
        files=tuple(f"{i}.png" for i in range(count)),
        subjects=("",) * count,
        sha256=tuple(contents),
        classes=CLASSES,
        has_masks=False,
    )


@pytest.mark.situation(
    "Classes and labels",
    "identical files in two classes",
    "refused by name, until `data.on_conflict=allow`",
)
def test_identical_files_in_two_classes_are_refused_by_name():
    photos = files("aabca", [0, 0, 1, 1, 2])
    with pytest.raises(UserError) as error:
        require_one_label(photos, configured()[0])
    assert str(error.value) == (
        "3 photographs are identical files in different classes: 0.png (none) = 1.png (none) = "
        "4.png (severe); correct the labels, remove the files, or train on them with "
        "--config.data.on_conflict=allow"
    )


def test_allowed_they_are_told():
    with messages() as said:
        require_one_label(files("aa", [0, 1]), configured(on_conflict="allow")[0])
    assert said == [
        "2 photographs are identical files in different classes: 0.png (none) = 1.png (mild); "
        "training continues: config.data.on_conflict=allow"
    ]


def test_drawn_photographs_are_not_looked_at():
    require_one_label(files("aa", [0, 1]), configured(source="synthetic")[0])


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 2)), min_size=1))
def test_those_are_refused_whose_contents_have_two_labels(drawn):
    contents, labels = zip(*drawn, strict=True)
    given_labels = {one: {label for c, label in drawn if c == one} for one in contents}
    count = sum(len(given_labels[one]) > 1 for one in contents)
    photos, (source, _) = files(contents, labels), configured()
    if not count:
        require_one_label(photos, source)
        return
    with pytest.raises(UserError, match=f"^{count} photographs are identical files"):
        require_one_label(photos, source)


# --- near-identical ones


@pytest.fixture(scope="module")
def drawn():
    return replace(
        synthesise("top", COUNT, SIDE, 5, 2, lambda done, total: None), subjects=("",) * COUNT
    )


def planted(photos, pairs):
    """Some replaced by others, mirrored: (of, place)."""
    images = photos.images.copy()
    for of, place in pairs:
        images[place] = images[of][:, ::-1]
    return replace(photos, images=images)


def pairs_of(photos, alike):
    """Pairs of places whose labels are alike or not, no place twice."""
    found, free = [], set(range(len(photos)))
    for i in range(len(photos)):
        other = next(
            (j for j in free - {i} if (photos.labels[i] == photos.labels[j]) == alike), None
        )
        if i in free and other is not None:
            free -= {i, other}
            found.append((i, other))
    return found


def test_copies_with_another_label_are_found_and_no_others(drawn):
    apart, alike = pairs_of(drawn, alike=False)[:4], pairs_of(drawn, alike=True)
    used = {place for pair in apart for place in pair}
    alike = [pair for pair in alike if not used & {*pair}][:4]
    photos = planted(drawn, [*apart, *alike])
    details = measure_details(photos.images)
    found = find_conflicts(details, photos.labels, lambda done, total: None)
    assert {(p.first, p.second) for p in found} == {tuple(sorted(pair)) for pair in apart}
    assert min(p.likeness for p in found) > 0.97
    hidden = photos.labels.copy()
    hidden[[i for i, _ in apart]] = -1
    assert find_conflicts(details, hidden, lambda done, total: None) == []


@pytest.mark.situation(
    "Classes and labels",
    "photographs that look alike in two classes",
    "told before training, listed by `check`",
)
def test_they_are_told_of_and_not_refused(drawn):
    """Within the training photographs, so that nothing leaks."""
    [(of, place), *_] = pairs_of(drawn, alike=False)
    photos = planted(drawn, [(of, place)])
    split = np.full(COUNT, "train", "<U10")
    split[[i for i in range(COUNT) if i not in (of, place)][-6:]] = "validation"
    with messages() as said:
        require_no_copies(photos, split, *configured())
    first, second = sorted((of, place))
    names = [f"{photos.files[i]} ({photos.classes[photos.labels[i]]})" for i in (first, second)]
    [told] = [one for one in said if "different classes" in one and "likeness" in one]
    assert told.startswith(
        "1 pair of near-duplicates with different classes: one label of each "
        f"may be wrong ({names[0]} = {names[1]}, likeness "
    )
    assert told.endswith("list all with python launch.py check --photos=PHOTOS")
    assert said[-1].endswith("none found")


def test_identical_files_that_are_allowed_are_not_told_of_twice(drawn):
    [(of, place), *_] = pairs_of(drawn, alike=False)
    photos = planted(drawn, [(of, place)])
    sha256 = list(photos.sha256)
    sha256[place] = sha256[of]
    split = np.where(np.arange(COUNT) % 6 == 5, "validation", "train")
    split[[of, place]] = "train"
    with messages() as said:
        require_no_copies(replace(photos, sha256=tuple(sha256)), split, *configured())
    assert not [one for one in said if "of near-duplicates with" in one]
