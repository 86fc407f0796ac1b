import hashlib
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from einops import rearrange, reduce
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hairjax.data.photoset import PhotoSet
from hairjax.data.synthetic import synthesise
from hairjax.data.synthetic.people import plan_shots
from tests.cases import others_slow

VIEWS = ["top", "side"]


def ignore_progress(done: int, total: int) -> None:
    pass


def draw_few(view="top", count=12, side=48, seed=3, workers=2) -> PhotoSet:
    return synthesise(view, count, side, seed, workers, ignore_progress)


@pytest.fixture(scope="module", params=others_slow(VIEWS, ["top"]))
def many(request) -> PhotoSet:
    return draw_few(request.param, count=300, side=48, seed=0)


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_but_the_arguments_decides(view):
    first = draw_few(view, workers=1)
    for again in (draw_few(view, workers=1), draw_few(view, workers=3)):
        np.testing.assert_array_equal(again.images, first.images)
        np.testing.assert_array_equal(again.labels, first.labels)
        assert again.files == first.files
        assert again.sha256 == first.sha256
    assert not np.array_equal(draw_few(view, seed=4).images, first.images)


@pytest.mark.parametrize("view", VIEWS)
def test_a_smaller_set_is_the_start_of_a_larger_one(view):
    larger = draw_few(view, count=12)
    smaller = draw_few(view, count=5)
    start = larger.subset(range(5))
    np.testing.assert_array_equal(smaller.images, start.images)
    np.testing.assert_array_equal(smaller.labels, start.labels)
    assert (smaller.files, smaller.subjects, smaller.sha256) == (
        start.files,
        start.subjects,
        start.sha256,
    )


@pytest.mark.parametrize("view", VIEWS)
def test_a_scene_is_the_same_at_every_side(view):
    small = draw_few(view, count=4, side=48).images / 255
    large = draw_few(view, count=4, side=144).images / 255
    shrunk = reduce(large, "n (h i) (w j) c -> n h w c", "mean", i=3, j=3)
    for one, other in zip(small, shrunk, strict=True):
        for channel in range(4):
            correlation = np.corrcoef(one[..., channel].ravel(), other[..., channel].ravel())[0, 1]
            assert correlation > 0.9


def test_the_photoset_is_complete(many):
    assert len(many) == 300
    assert many.images.shape == (300, 48, 48, 4)
    assert many.images.dtype == np.uint8
    assert many.labels.dtype == np.int32
    assert many.classes == ("level_0", "level_1", "level_2", "level_3")
    assert many.has_masks
    assert len(set(many.files)) == len(set(many.sha256)) == 300
    for file, subject, label in zip(many.files, many.subjects, many.labels, strict=True):
        assert file.startswith(f"level_{label}/{subject}_")
    assert many.files[0] == f"level_{many.labels[0]}/s0001_1.png"
    assert many.sha256[7] == hashlib.sha256(many.images[7].tobytes()).hexdigest()


def test_subjects_have_several_photographs_and_classes_are_balanced(many):
    photographs = Counter(many.subjects)
    last = many.subjects[-1]  # the end of the set may cut this one off
    assert {count for subject, count in photographs.items() if subject != last} == {3, 4, 5, 6}
    assert np.bincount(many.labels, minlength=4).min() >= 0.8 * 75


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_knowing_the_true_severity_is_not_enough_for_a_perfect_score(view, seed):
    shots = plan_shots(view, 3000, seed)
    labels = np.array([shot.label for shot in shots])
    oracle = np.clip(np.floor([shot.severity for shot in shots]), 0, 3)
    assert 0.90 < np.mean(labels == oracle) < 0.94
    assert np.abs(labels - oracle).max() == 1


def test_a_person_is_the_same_in_both_views():
    top, side = ({s.person.number: s.person for s in plan_shots(v, 60, 5)} for v in VIEWS)
    for number in top.keys() & side.keys():
        assert top[number].severity == side[number].severity
        np.testing.assert_array_equal(top[number].skin, side[number].skin)
        np.testing.assert_array_equal(top[number].hair.colour, side[number].hair.colour)


def test_views_differ():
    top, side = draw_few("top"), draw_few("side")
    assert top.subjects[0] == side.subjects[0]
    assert not np.array_equal(top.images[0], side.images[0])
    # from above, hair reaches far down the photograph; from the side, the neck is there
    low = [photos.images[photos.labels < 2][:, 32:, :, 3].mean() for photos in (top, side)]
    assert low[0] > 2 * low[1]


def test_masks_shrink_from_stage_to_stage(many):
    area = many.images[..., 3].mean(axis=(1, 2)) / 255
    means = [area[many.labels == stage].mean() for stage in range(4)]
    assert all(later < 0.96 * earlier for earlier, later in pairwise(means))
    assert 0.1 < means[0] < 0.6


def share_explained(photo: np.ndarray, mask: np.ndarray) -> float:
    """Share of the variance of colours [h, w, 3] that the means of hair and rest explain."""
    hair = mask > 127
    if hair.all() or not hair.any():
        return 0.0
    total = photo.var(axis=(0, 1)).sum()
    within = sum(photo[part].var(axis=0).sum() * part.mean() for part in (hair, ~hair))
    return 1 - within / total


def test_masks_lie_on_the_hair_of_their_own_photograph(many):
    photos, masks = many.images[..., :3] / 255, many.images[..., 3]
    own = [share_explained(photo, mask) for photo, mask in zip(photos, masks, strict=True)]
    others = np.roll(masks, len(masks) // 2, axis=0)
    other = [share_explained(photo, mask) for photo, mask in zip(photos, others, strict=True)]
    assert np.mean(np.array(own) > np.array(other)) > 0.8
    assert np.mean(own) > 1.3 * np.mean(other)


def test_masks_are_soft(many):
    masks = many.images[..., 3]
    assert masks.max() == 255
    assert masks.min() == 0
    assert np.mean((masks > 20) & (masks < 235)) > 0.02


def accuracy(features: np.ndarray, photos: PhotoSet) -> float:
    """Train a linear classifier on two of three subjects and test it on the third."""
    test = np.array([int(subject[1:]) % 3 == 0 for subject in photos.subjects])
    model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=300))
    model.fit(features[~test], photos.labels[~test])
    return model.score(features[test], photos.labels[test])


def test_the_right_mask_helps_and_a_wrong_one_does_not(many):
    pooled = reduce(many.images / 255, "n (h i) (w j) c -> n h w c", "mean", i=4, j=4)
    pooled = (pooled + pooled[:, :, ::-1])[:, :, :6]  # whichever way the face looks
    photo = rearrange(pooled[..., :3], "n h w c -> n (h w c)")
    mask = rearrange(pooled[..., 3], "n h w -> n (h w)")
    shuffled = np.random.default_rng(0).permutation(mask)
    right = accuracy(np.hstack([photo, mask]), many)
    wrong = accuracy(np.hstack([photo, shuffled]), many)
    assert right > wrong + 0.08
    assert wrong > 0.35  # the photograph alone shows the stage too


def test_progress_is_told_after_every_photograph():
    told = []
    synthesise("top", 5, 32, 0, 2, lambda done, total: told.append((done, total)))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_an_interruption_stops_the_drawing():
    done_before = []

    def interrupt(done: int, total: int) -> None:
        done_before.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesise("top", 5000, 32, 0, 2, interrupt)
    assert done_before == [1]


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("view", "front", "view is 'front'; the views are 'top' and 'side'"),
        ("count", 0, "count is 0; it may be 1 or more"),
        ("side", 31, "side is 31; it may be 32 to 1024 pixels"),
        ("side", 1025, "side is 1025; it may be 32 to 1024 pixels"),
        ("seed", -1, "seed is -1; it may be 0 or more"),
        ("workers", 0, "workers is 0; it may be 1 or more"),
    ],
)
def test_bad_arguments_are_refused(argument, value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        draw_few(**{argument: value})


def test_a_subset_keeps_everything_together():
    photos = draw_few(count=6)
    chosen = photos.subset(np.array([4, 1]))
    np.testing.assert_array_equal(chosen.images, photos.images[[4, 1]])
    np.testing.assert_array_equal(chosen.labels, photos.labels[[4, 1]])
    assert chosen.files == (photos.files[4], photos.files[1])
    assert chosen.subjects == (photos.subjects[4], photos.subjects[1])
    assert chosen.sha256 == (photos.sha256[4], photos.sha256[1])
    assert (chosen.classes, chosen.has_masks) == (photos.classes, photos.has_masks)
    assert photos.subset(photos.labels >= 0).files == photos.files
    assert len(photos.subset([])) == 0
