"""Copies of photographs are found however they were edited, and other photographs are not."""

import io

import numpy as np
import pytest
from PIL import Image

from hairjax.data.quality.duplicates import find_duplicates
from hairjax.data.synthetic import synthesise

SIDE = 96


@pytest.fixture(scope="module")
def clean():
    return synthesise("top", 48, SIDE, 3, 2, lambda done, total: None)


COPIES = {
    "jpeg": lambda photo: encoded(photo, 60),
    "half": lambda photo: photo.resize((photo.width // 2, photo.height // 2)),
    "mirrored": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "cropped 3 %": lambda photo: cropped(photo, 0.015),
    "cropped 5 %": lambda photo: cropped(photo, 0.025),
    "90": lambda photo: photo.transpose(Image.Transpose.ROTATE_90),
    "180": lambda photo: photo.transpose(Image.Transpose.ROTATE_180),
    "270": lambda photo: photo.transpose(Image.Transpose.ROTATE_270),
    "all at once": lambda photo: encoded(
        cropped(photo, 0.025).transpose(Image.Transpose.TRANSVERSE), 60
    ),
}


def encoded(photo, quality):
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality)
    return Image.open(file)


def cropped(photo, share):
    width, height = photo.size
    return photo.crop(
        (share * width, share * height, width - share * width, height - share * height)
    )


@pytest.mark.parametrize("copy", COPIES)
def test_copies_are_found_and_nothing_else(copy, clean):
    originals = range(0, len(clean), 4)
    side = (SIDE, SIDE)
    copies = [
        np.asarray(COPIES[copy](Image.fromarray(clean.images[i, ..., :3])).resize(side))
        for i in originals
    ]
    images = np.concatenate([clean.images[..., :3], copies])
    pairs = find_duplicates(images, lambda done, total: None)
    expected = {(i, len(clean) + k) for k, i in enumerate(originals)}
    assert {(pair.first, pair.second) for pair in pairs} == expected
    assert all(0.8 <= pair.likeness <= 1.001 for pair in pairs)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_very_few_photographs(count, clean):
    same = clean.images[[0] * count]
    pairs = find_duplicates(same, lambda done, total: None)
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1)] * (count == 2)


def test_pictures_without_detail_are_no_copies():
    flat = np.stack([np.full((SIDE, SIDE, 3), value, np.uint8) for value in (0, 90, 200)])
    assert find_duplicates(flat, lambda done, total: None) == []
