"""The gallery of most confident errors: its order, and thumbnails without metadata."""

import dataclasses
import io
import os

import numpy as np
import pytest
from PIL import Image

from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.predictions import Predictions
from hairjax.report.gallery import (
    most_confident_errors,
    read_gallery,
    remove_gallery,
    write_gallery,
)
from tests.report import example
from tests.report.example import example_report

CLASSES = tuple(f"level_{i}" for i in range(7))
EPOCH = 5  # the example's best


def predictions_with_errors(count, seed=0):
    generator = np.random.default_rng(seed)
    return Predictions(
        files=tuple(f"{i}<b>{os.fsdecode(bytes([255]))}.jpg" for i in range(count)),
        labels=generator.integers(0, 7, count),
        probabilities=generator.dirichlet(np.full(7, 0.3), count).astype(np.float32),
        subjects=("",) * count,
        classes=CLASSES,
    )


def write(folder, count, has_masks=True, epoch=EPOCH):
    """Blue photographs whose mask is the left half and whose map is high at the lower right."""
    images = np.zeros((count, 30, 30, 4), np.uint8)
    images[..., 2] = 255
    images[:, :, :15, 3] = 255
    said = predictions_with_errors(count)
    maps = np.zeros((count, 3, 3), np.float32)
    maps[:, 2, 2] = 5
    photos = PhotoSet(
        images=images,
        labels=said.labels,
        files=said.files,
        subjects=said.subjects,
        sha256=("",) * count,
        classes=CLASSES,
        has_masks=has_masks,
    )
    write_gallery(photos, said, maps, epoch, 41, folder)
    return said


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return example_report(tmp_path_factory.mktemp("run"))


def section(report, folder):
    return example.section("errors", dataclasses.replace(report, folder=folder))


@pytest.mark.parametrize("count", [0, 1, 5, 1000])
def test_the_most_confident_errors_come_first(count):
    said = predictions_with_errors(60)
    everyone = sorted(
        (i for i in range(60) if said.probabilities[i].argmax() != said.labels[i]),
        key=lambda i: -said.probabilities[i].max(),
    )
    assert 30 < len(everyone) < 60
    assert most_confident_errors(said, count).tolist() == everyone[:count]


def test_photograph_mask_and_map_of_each(tmp_path):
    write(tmp_path / "gallery", 3)
    cards = read_gallery(tmp_path / "gallery").cards
    assert [list(card.pictures) for card in cards] == [["photo", "mask", "map"]] * 3
    photo, mask, heat = (
        np.asarray(Image.open(io.BytesIO((tmp_path / "gallery" / name).read_bytes())), int)
        for name in cards[0].pictures.values()
    )
    side = len(photo)
    assert np.abs(photo - (0, 0, 255)).max() < 8
    left, right = mask[:, : side // 2 - 4], mask[:, side // 2 + 4 :]
    assert np.abs(right - (0, 0, 255)).max() < 16 and left[..., 1].min() > 30
    high, low = heat[-8:, -8:].mean((0, 1)), heat[:8, :8].mean((0, 1))
    assert np.ptp(low) < 8  # grey where nothing speaks for the class
    assert high[0] > low[0] + 80


def test_pictures_have_no_metadata(tmp_path):
    write(tmp_path / "gallery", 2)
    pictures = sorted((tmp_path / "gallery").glob("*.jpg"))
    assert len(pictures) == 6
    for path in pictures:
        with Image.open(path) as picture:
            assert not picture.getexif()
            assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_the_likeliest_classes_and_the_true_one(tmp_path):
    said = write(tmp_path / "gallery", 40)
    cards = read_gallery(tmp_path / "gallery").cards
    for card, file, label, probabilities in zip(
        cards, said.files, said.labels, said.probabilities, strict=True
    ):
        assert (card.file, card.label) == (file, CLASSES[label])
        assert card.predicted == CLASSES[probabilities.argmax()]
        assert {card.label, card.predicted} <= card.shares.keys()
        assert list(card.shares) == sorted(card.shares) and 4 <= len(card.shares) <= 5
        least = min(share for name, share in card.shares.items() if name != card.label)
        others = [
            p for name, p in zip(CLASSES, probabilities, strict=True) if name not in card.shares
        ]
        assert max(others) <= least
        for name, share in card.shares.items():
            assert share == probabilities[CLASSES.index(name)]


def test_the_section(report, tmp_path):
    write(tmp_path / "gallery", 3)
    said = section(report, tmp_path)
    assert "3 most confident of 41 errors" in said
    assert "0&lt;b&gt;" in said and "<b>" not in said
    assert said.count("<img") == 9 and ", its mask" in said
    assert "more evidence for the predicted class; Grad-CAM, 3 × 3 cells" in said
    of_a_vit = dataclasses.replace(report, method="attention_rollout")
    assert "whatever the class; attention rollout, 3 × 3 cells" in section(of_a_vit, tmp_path)
    write(tmp_path / "gallery", 2, has_masks=False)
    said = section(report, tmp_path)
    assert said.count("<img") == 4 and ", its mask" not in said
    assert len(list((tmp_path / "gallery").iterdir())) == 4 + 1  # none of the earlier ones


def test_without_mistakes_a_gallery_or_the_right_epoch(report, tmp_path):
    write(tmp_path / "gallery", 0)
    assert "There are no errors on the validation split." in section(report, tmp_path)
    write(tmp_path / "gallery", 2, epoch=EPOCH - 1)
    assert section(report, tmp_path) == ""
    remove_gallery(tmp_path / "gallery")
    assert not (tmp_path / "gallery").exists()
    assert section(report, tmp_path) == ""
