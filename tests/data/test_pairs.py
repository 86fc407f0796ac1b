"""Two views of a subject as one sample: who is paired with whom, and what is missing."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import top
from hairjax.builders.setup import resolve
from hairjax.data.augment import Amounts
from hairjax.data.inputs import InputSpecification, hide_view, model_inputs
from hairjax.data.order import training_batches
from hairjax.data.pairs import MISSING, Pairs, pair_views
from hairjax.data.photoset import PhotoSet
from hairjax.data.quality.copies import require_no_copies
from hairjax.data.split import check_split, make_split
from hairjax.system.errors import UserError
from tests.messages import messages

SIDE, CLASSES = 8, ("bald", "hairy")
OFF = Amounts(**dict.fromkeys(Amounts._fields, 0.0) | {"crop_scale": 1.0})


def photographs(subjects, seed):
    """One photograph for each name in ``subjects``, whose class follows from it."""
    generator = np.random.default_rng(seed)
    labels = np.array([int(subject[1:]) % 2 for subject in subjects], np.int32)
    return PhotoSet(
        images=generator.integers(1, 256, (len(subjects), SIDE, SIDE, 4), np.uint8),
        labels=labels,
        files=tuple(
            f"{CLASSES[label]}/{s}_{i}.png"
            for i, (s, label) in enumerate(zip(subjects, labels, strict=True))
        ),
        subjects=tuple(subjects),
        sha256=tuple(f"{seed}-{i}" for i in range(len(subjects))),
        classes=CLASSES,
        has_masks=True,
    )


names = st.lists(st.integers(0, 5).map("s{}".format), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(names, names)
def test_every_photograph_is_in_a_pair_of_its_subject_and_none_twice_without_need(own, other):
    own.append("s0")
    other.append("s0")
    first, second = photographs(own, 1), photographs(other, 2)
    pairs = pair_views(first, second)
    assert len(set(pairs.files)) == len(set(pairs.sha256)) == len(pairs)
    for subject in {*own, *other}:
        counts = own.count(subject), other.count(subject)
        rows = pairs.images.rows[[s == subject for s in pairs.subjects]]
        assert len(rows) == max(counts)
        for column, photos, count in zip(rows.T, (first, second), counts, strict=True):
            expected = [i for i, s in enumerate(photos.subjects) if s == subject] or [-1]
            assert {*column.tolist()} == {*expected}
            assert max(np.unique(column, return_counts=True)[1]) == -(-len(rows) // max(count, 1))
    everything = pairs.images[:]
    for pixels, (a, b), label in zip(everything, pairs.images.rows, pairs.labels, strict=True):
        for half, photos, row in ((pixels[..., :4], first, a), (pixels[..., 4:], second, b)):
            np.testing.assert_array_equal(half, 0 if row < 0 else photos.images[row])
        assert label == (first.labels[a] if a >= 0 else second.labels[b])


def some_pairs():
    own = [f"s{i}" for i in range(24) for _ in range(2)]
    return photographs(own, 1), photographs([s for s in own if s not in ("s3", "s4")] + ["s30"], 2)


def test_who_lacks_a_view_is_told_named_and_kept():
    with messages() as said:
        pairs = pair_views(*some_pairs())
    assert said == [
        "pairs of views: 49 of 25 subjects; the first view is missing in 1, the second in 4"
    ]
    lacking = [file for file in pairs.files if MISSING in file.split(" + ")]
    assert lacking[0].endswith(f"s3_6.png + {MISSING}")
    assert [file for file in lacking if file.startswith(MISSING)] == [
        f"{MISSING} + bald/s30_44.png"
    ]


def test_pairs_whose_views_have_different_labels_are_counted():
    first, second = some_pairs()
    labels = second.labels.copy()
    labels[[0, 1, 5, 44]] = 1 - labels[[0, 1, 5, 44]]  # the last has no other view
    with messages() as said:
        pairs = pair_views(first, dataclasses.replace(second, labels=labels))
    assert said[1:] == ["3 of these pairs have different labels: that of the first view is used"]
    np.testing.assert_array_equal(pairs.labels[:-1][:4], pair_views(first, second).labels[:4])


def test_a_split_parts_no_subject_and_batches_hold_both_views():
    pairs = pair_views(*some_pairs())
    split = make_split(pairs, (0.6, 0.2, 0.2), 0)
    check_split(pairs, split)
    for subject in set(pairs.subjects):
        assert len({*split[[s == subject for s in pairs.subjects]]}) == 1
    few = pairs.subset(np.flatnonzero(split == "train"))
    assert isinstance(few.images, Pairs) and not few.images.on_disk
    (images, labels), *_ = training_batches(
        few, np.arange(len(few)), range(2), seed=0, balanced=False, batch_size=4, share=slice(0, 4)
    )
    assert (images.shape, labels.shape) == ((4, SIDE, SIDE, 8), (4,))


def test_copies_are_looked_for_in_each_view():
    setup = resolve(top.get_config())
    first, second = some_pairs()
    big = np.random.default_rng(0).integers(0, 256, (len(second), 64, 64, 4), np.uint8)
    second = dataclasses.replace(second, images=big)
    first = dataclasses.replace(
        first, images=np.random.default_rng(1).integers(0, 256, (len(first), 64, 64, 4), np.uint8)
    )
    pairs = pair_views(first, second)
    held = [int(subject[1:]) % 3 == 0 for subject in pairs.subjects]
    split = np.where(held, "validation", "train")
    with messages() as said:
        require_no_copies(pairs, split, setup.source, setup.split)
    assert said[-1].endswith("none found")
    # The second view of s0, held out, is that of s1 mirrored.
    big[0] = big[2][:, ::-1]
    with pytest.raises(UserError, match=r"bald/s0_0.png .validation. = .* \+ hairy/s1_2.png"):
        require_no_copies(pairs, split, setup.source, setup.split)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subjects": ("",) * 3}, "'hairy/s1_0.png' in config.data.second_photos has no known"),
        ({"subjects": ("s7",) * 3}, "no subject has photographs in both"),
        ({"sha256": ("a", "b", "a")}, "equals a file of 's1'"),
    ],
)
def test_views_that_cannot_be_paired_are_refused_in_words(change, message):
    first, second = photographs(["s1", "s2"], 1), photographs(["s1", "s2", "s3"], 2)
    with pytest.raises(UserError) as error:
        pair_views(first, dataclasses.replace(second, **change))
    assert message in str(error.value)


# --- what the model sees


def test_each_stream_sees_its_view_and_nothing_of_one_that_is_missing():
    pairs = pair_views(*some_pairs())
    lacking = [i for i, file in enumerate(pairs.files) if MISSING in file.split(" + ")]
    rows = np.array([0, lacking[0], pairs.files.index(f"{MISSING} + bald/s30_44.png")])
    photos = pairs.images[rows]
    pair = InputSpecification(SIDE, (6, 6), ("imagenet", "half"))
    seen = model_inputs(photos, None, None, pair)
    for i, name in enumerate(pair.normalise):
        half = seen[..., 6 * i : 6 * i + 6]
        alone = model_inputs(
            photos[..., 4 * i : 4 * i + 4], None, None, InputSpecification(SIDE, (6,), (name,))
        )
        there = pairs.images.rows[rows, i] >= 0
        np.testing.assert_array_equal(half[there], alone[there])
        assert not np.any(half[~there]) and np.sum(~there) == 1


def test_views_are_augmented_apart_and_one_is_hidden_now_and_then():
    first, _ = some_pairs()
    photos = np.concatenate([first.images[:40]] * 2, axis=-1)
    keys = jax.random.split(jax.random.key(0), 40)
    pair = InputSpecification(SIDE, (3, 3), ("unit", "unit"))

    @jax.jit
    def look(photos):
        flipped = model_inputs(photos, keys, OFF._replace(flip=0.5), pair)
        hidden = model_inputs(photos, keys, OFF._replace(drop_view=0.5), pair)
        return flipped, hidden

    flipped, hidden = look(photos)
    alike = np.all(np.isclose(flipped[..., :3], flipped[..., 3:]), axis=(1, 2, 3))
    assert 5 < alike.sum() < 35
    there = np.stack([np.any(h, axis=(1, 2, 3)) for h in np.split(hidden, 2, axis=-1)])
    assert there.any(axis=0).all()
    assert 5 < (~there[0]).sum() < 20 and 5 < (~there[1]).sum() < 20
    # Who has one view keeps it.
    photos[..., 4:] = 0
    _, hidden = look(photos)
    assert np.any(hidden[..., :3], axis=(1, 2, 3)).all() and not np.any(hidden[..., 3:])


def test_the_hidden_view_is_either_at_the_given_rate():
    keys = jax.random.split(jax.random.key(1), 20_000)
    hidden = jax.vmap(hide_view, (0, None, None))(keys, np.array([True, True]), 0.3)
    np.testing.assert_allclose(hidden.mean(axis=0), 0.15, atol=0.01)
    assert not np.all(hidden, axis=1).any()
