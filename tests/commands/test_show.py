"""What is shown before training is what training will do."""

import re
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import launch
from configs import top
from hairjax.builders.setup import resolve
from hairjax.commands import show
from hairjax.data.overview import MOST_ROWS, PER_CLASS, count_table, example_photographs
from hairjax.data.photoset import PhotoSet
from hairjax.data.split import make_split
from hairjax.data.synthetic import synthesise
from hairjax.optim.groups import make_groups
from hairjax.optim.schedules import make_schedules
from hairjax.system.outputs import RECORD, read_record

OFF = dict.fromkeys(
    ("rotation", "flip", "brightness", "contrast", "saturation", "hue"), 0.0
) | {"crop_scale": 1.0}  # fmt: skip


@pytest.fixture(scope="module")
def photos():
    return synthesise("top", 40, 32, 0, 1, lambda done, total: None)


def config_with(channels=6, **amounts):
    config = top.get_config("demo")
    config.data.image_size = config.data.stored_size = 32
    config.model.in_channels = channels
    config.augment.update(OFF | amounts)
    return config


def labelled(labels, subjects, classes):
    """Photographs of which only the labels and subjects matter."""
    return PhotoSet(
        images=np.zeros((len(labels), 1, 1, 4), np.uint8),
        labels=np.array(labels, np.int32),
        files=tuple(f"{i}.jpg" for i in range(len(labels))),
        subjects=tuple(subjects),
        sha256=tuple(map(str, range(len(labels)))),
        classes=tuple(f"level_{i}" for i in range(classes)),
        has_masks=True,
    )


def test_without_augmentation_everything_is_the_photograph(photos):
    rgb, masks = show.views(photos.images[:3], resolve(config_with()))
    stored = photos.images[:3] / 255
    assert rgb.shape == (3, 1 + show.AUGMENTED, 32, 32, 3)
    for place in range(1 + show.AUGMENTED):
        np.testing.assert_allclose(rgb[:, place], stored[..., :3], atol=1e-6)
        np.testing.assert_allclose(masks[:, place], stored[..., 3], atol=1e-6)


def test_geometry_moves_both_and_colour_only_the_photograph(photos):
    stored = photos.images[:3] / 255
    rgb, masks = show.views(photos.images[:3], resolve(config_with(flip=1.0)))
    for place in range(1, 1 + show.AUGMENTED):
        np.testing.assert_allclose(rgb[:, place], stored[:, :, ::-1, :3], atol=1e-6)
        np.testing.assert_allclose(masks[:, place], stored[:, :, ::-1, 3], atol=1e-6)
    rgb, masks = show.views(photos.images[:3], resolve(config_with(brightness=0.9, hue=0.5)))
    np.testing.assert_allclose(rgb[:, 0], stored[..., :3], atol=1e-6)
    versions = rgb.reshape(-1, 32, 32, 3)
    assert len({version.tobytes() for version in versions}) == len(versions)
    for place in range(1 + show.AUGMENTED):
        np.testing.assert_allclose(masks[:, place], stored[..., 3], atol=1e-6)


def test_a_model_of_rgb_alone_sees_no_mask(photos):
    rgb, masks = show.views(photos.images[:2], resolve(config_with(channels=3, rotation=90.0)))
    assert masks is None
    assert rgb.shape[-1] == 3
    assert rgb.min() >= 0
    assert rgb.max() <= 1


@settings(deadline=None)
@given(st.data(), st.integers(2, 30), st.integers(0, 3))
def test_few_photographs_of_every_class_spread_over_subjects(data, classes, seed):
    n = data.draw(st.integers(classes, 3 * classes + 20))
    labels = [*range(classes), *data.draw(st.lists(st.integers(0, classes - 1), max_size=n))]
    subject = st.sampled_from(["", "ann", "ben", "eva", "kim"])
    subjects = [data.draw(subject) for _ in labels]
    photos = labelled(labels, subjects, classes)
    # The first of each class trains, others may not.
    train = np.array([i for i in range(len(labels)) if i < classes or i % 3])
    chosen = example_photographs(photos, train, seed)
    assert set(chosen) <= set(train)
    assert len(set(chosen.tolist())) == len(chosen) <= MOST_ROWS
    assert (np.diff(photos.labels[chosen]) >= 0).all()
    assert len(set(photos.labels[chosen].tolist())) == min(classes, MOST_ROWS)
    for label in set(photos.labels[chosen].tolist()):
        there = [subjects[i] or i for i in train if labels[i] == label]
        taken = [subjects[i] or i for i in chosen if labels[i] == label]
        count = min(PER_CLASS, max(1, MOST_ROWS // classes), len(there))
        assert len(taken) == count
        assert len(set(taken)) == min(count, len(set(there)))


def test_the_seed_chooses():
    photos = labelled([0, 1] * 50, [""] * 100, 2)
    first, again, other = (example_photographs(photos, np.arange(100), seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_counts_are_those_of_the_split(photos):
    split = make_split(photos, (0.6, 0.2, 0.2), 0)
    counted = defaultdict(list)
    for label, part, subject in zip(photos.labels, split, photos.subjects, strict=True):
        for row in (photos.classes[label], "all"):
            counted[row, part].append(subject)
            counted[row, "all"].append(subject)
    title, header, rows = count_table(photos, split)
    assert title == "photographs (subjects)"
    assert [row[0] for row in rows] == [*photos.classes, "all"]
    for row in rows:
        for part, cell in zip(header[1:], row[1:], strict=True):
            subjects = counted[row[0], part]
            assert cell == f"{len(subjects)} ({len(set(subjects))})"


@pytest.mark.parametrize(
    ("subjects", "title", "cell"),
    [
        (["", "", "", ""], "photographs; no known subjects", "4"),
        (
            ["a", "a", "", "b"],
            "photographs (subjects); 1 photograph without a known subject",
            "4 (2)",
        ),
    ],
)
def test_counts_where_subjects_are_unknown(subjects, title, cell):
    split = np.array(["train", "train", "validation", "validation"])
    said, _, rows = count_table(labelled([0, 1, 0, 1], subjects, 2), split)
    assert (said, rows[-1][-1]) == (title, cell)


@pytest.mark.parametrize("total", [1, 7, 2000, 100_001])
def test_rates_are_those_of_the_steps(total):
    config = config_with()
    config.optim.peak.early = 0.0
    groups = make_groups(config.optim, stages=4, epochs=100)
    schedules = make_schedules(config.optim, groups, epochs=100, steps=1001)
    at, rates = show.sample_rates(schedules, total)
    assert (at[0], at[-1]) == (0, total - 1)
    assert len(at) == min(total, show.POINTS)
    assert not rates["early"].any()
    warmup = at * (1 - config.optim.start) / 2002 + config.optim.start
    cosine = (1 + np.cos(np.pi * np.clip((at - 2002) / (100_100 - 2002), 0, 1))) / 2
    share = np.where(at < 2002, warmup, config.optim.floor + (1 - config.optim.floor) * cosine)
    np.testing.assert_allclose(rates["late"], config.optim.peak.late * share, rtol=1e-4)


def test_classes_that_do_not_fit_are_said(photos):
    many = replace(
        photos,
        labels=(np.arange(40) % 25).astype(np.int32),
        classes=tuple(f"level_{i}" for i in range(25)),
    )
    chosen = example_photographs(many, np.arange(40), 0)
    assert show.notes(resolve(config_with()), many, chosen)[-1] == "20 of 25 classes are shown"
    few = show.notes(resolve(config_with()), photos, example_photographs(photos, np.arange(40), 0))
    assert "shown" not in " ".join(few)
    assert "RGB alone" in " ".join(
        show.notes(resolve(config_with(channels=3)), photos, np.arange(40))
    )


def test_the_verb(tmp_path, monkeypatch, capsys):
    source = f"--config={top.__file__}:demo"
    monkeypatch.chdir(tmp_path)
    command = [
        "show",
        source,
        "--config.data.count=60",
        "--config.data.image_size=32",
        "--config.train.batch_size=16",
        "--config.optim.peak.early=0",
        "--config.devices.mesh=0",
    ]
    assert launch.main(command) == 0
    out = tmp_path / "runs" / "top-demo-show"
    assert {*read_record(out)} == {"contact_sheet.png", "schedule.png"}
    assert {path.name for path in out.iterdir()} == {RECORD, *read_record(out)}
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["top-demo-show"]
    for path in out.glob("*.png"):
        with Image.open(path) as image:
            image.load()
    said = capsys.readouterr().out
    photos = synthesise("top", 60, 37, 0, 1, lambda done, total: None)
    train = int(np.sum(make_split(photos, (0.8, 0.1, 0.1), 0) == "train"))
    assert said.startswith("source: synthetic TOP photographs")
    assert re.search(rf"^  all +{train} \(", said, re.MULTILINE)
    assert f"early frozen, middle 0.002, late 0.002; 20 epochs of {train // 16} steps" in said
