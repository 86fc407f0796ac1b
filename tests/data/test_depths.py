"""Greys of 16 bits by the white of the whole set; photographs that show nothing; exposure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hairjax.data.prepare.load import load_photos
from hairjax.data.prepare.read import prepare
from hairjax.data.quality import findings
from hairjax.data.quality.measures import measure
from hairjax.data.sources.photos import Search, find_photos
from hairjax.system.errors import UserError
from tests.data.reading import reading

SIDE = 16
RAMP = np.linspace(0, 255, SIDE * SIDE).round().astype(np.uint16).reshape(SIDE, SIDE)


def write(root, pictures, **options):
    for i, picture in enumerate(pictures):
        path = root / f"level_{i % 2}" / f"{i:03}.{options.get('suffix', 'png')}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path, tiffinfo=options.get("tags"))


def find(root):
    return find_photos(
        Search(photos=str(root), masks="", manifest="", subject="", classes=None, need_masks=False)
    )


def read(root, on_bad="skip", white=0):
    options = reading(SIDE, on_bad=on_bad, white=white)
    return prepare(find(root), options, lambda done, total: None)


def in_order(photos):
    order = np.argsort([file.rpartition("/")[2] for file in photos.files])
    return photos.images[order][..., 0].astype(int)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.situation(
    "Photographs",
    "16-bit pictures that hold 8, 10, 12 or 14 bits",
    "one white for the set: dark ones stay dark, none becomes black",
)
def test_greys_of_16_bits_are_scaled_by_what_the_set_holds(tmp_path, bits):
    """One that is dark in its set stays dark, however bright it would be alone."""
    scale = 2 ** (bits - 8)
    whole = [RAMP, RAMP // 20, RAMP.T, RAMP // 2]
    write(tmp_path, [(picture * scale).astype(np.uint16) for picture in whole])
    photos, problems = read(tmp_path)
    assert not problems
    assert np.abs(in_order(photos) - np.stack(whole)).max() <= 1


@pytest.mark.situation(
    "Photographs",
    "a TIFF that states its largest value",
    "that value is white",
)
def test_what_a_tiff_states_is_its_white(tmp_path):
    write(tmp_path, [RAMP // 2 * 16, RAMP // 4 * 16], suffix="tif", tags={281: 4095})
    photos, _ = read(tmp_path)
    assert np.abs(in_order(photos) - np.stack([RAMP // 2, RAMP // 4])).max() <= 1
    write(tmp_path, [RAMP * 32] * 2, suffix="tif", tags={281: 65535})
    photos, _ = read(tmp_path)
    assert np.abs(in_order(photos) - RAMP // 8).max() <= 1


@pytest.mark.situation(
    "Photographs",
    "greys of which a TIFF states the white, beside others of 16 bits",
    "each by its own white",
)
def test_a_stated_white_is_not_that_of_the_others(tmp_path):
    write(tmp_path / "stated", [RAMP * 16] * 2, suffix="tif", tags={281: 4095})
    write(tmp_path / "whole", [RAMP * 257] * 2)
    for file in (tmp_path / "stated").rglob("*.tif"):
        file.rename(tmp_path / "whole" / file.parent.name / file.name)
    photos, _ = read(tmp_path / "whole")
    assert photos.white == 65535
    assert np.abs(in_order(photos) - RAMP).max() <= 1


@pytest.mark.situation(
    "Photographs",
    "one dark photograph of 16-bit greys for a run of 12-bit ones",
    "as dark as the run would have seen it",
)
def test_a_dark_photograph_is_read_by_the_white_of_the_run(tmp_path):
    write(tmp_path, [RAMP // 16 * 16, RAMP // 20 * 16])
    photos, problems = read(tmp_path, white=4095)
    assert not problems and photos.white == 4095
    assert np.abs(in_order(photos) - np.stack([RAMP // 16, RAMP // 20])).max() <= 1


@pytest.mark.situation(
    "Photographs",
    "16-bit greys above the white of the run, or many far below it",
    "named, or refused with the run's white and theirs",
)
def test_greys_above_the_white_of_the_run_are_named(tmp_path):
    write(tmp_path, [RAMP * 16, RAMP * 257, RAMP * 16])
    photos, [problem] = read(tmp_path, white=4095)
    assert len(photos) == 2 and problem.path.endswith("001.png")
    assert problem.kind == "its 16-bit greys are above white"
    assert problem.detail == "above 16383 of 16 bits, and white is 4095 in the others"


def test_many_greys_far_below_the_white_of_the_run_are_refused(tmp_path):
    write(tmp_path, [RAMP * 16] * 15)
    photos, problems = read(tmp_path, white=65535)
    assert not problems and in_order(photos).max() == 16
    write(tmp_path, [RAMP * 16] * 16)
    with pytest.raises(UserError, match=r"white of 65535, and none of these 16 .* above 4095"):
        read(tmp_path, white=65535)
    write(tmp_path, [RAMP * 16] * 15 + [RAMP * 257])
    assert not read(tmp_path, white=65535)[1]


@given(st.lists(st.integers(1, 255), min_size=1, max_size=5), st.sampled_from([10, 12, 14, 16]))
@settings(max_examples=20)
def test_by_the_white_of_the_run_no_photograph_depends_on_the_others(tmp_path_factory, peaks, bits):
    root, scale = tmp_path_factory.mktemp("set"), 2 ** (bits - 8)
    write(root / "all", [(RAMP * peak // 255 * scale).astype(np.uint16) for peak in peaks])
    white = 2**bits - 1
    for file in sorted((root / "all").rglob("*.png")):
        (root / file.stem / "level_0").mkdir(parents=True)
        (root / file.stem / "level_1").mkdir()
        for label in range(2):
            (root / file.stem / f"level_{label}" / file.name).symlink_to(file)
    together, _ = (
        read(root / "all", white=white) if len(peaks) > 1 else read(root / "000", white=white)
    )
    for row, name in zip(together.images, together.files, strict=True):
        alone, _ = read(root / name[-7:-4], white=white)
        np.testing.assert_array_equal(alone.images[0], row)


@pytest.mark.situation(
    "Photographs",
    "8-bit colours among 16-bit greys",
    "each by its own white",
)
def test_colours_of_8_bits_beside_greys_of_16_stay_as_they_are(tmp_path):
    colour = np.stack([RAMP.astype(np.uint8)] * 3, axis=2)
    write(tmp_path, [colour, RAMP * 257])
    assert np.abs(in_order(read(tmp_path)[0]) - np.stack([RAMP, RAMP])).max() <= 1


@pytest.mark.parametrize("level", [0, 90, 255])
@pytest.mark.situation(
    "Photographs",
    "black, white or otherwise blank photographs",
    "named as unusable",
)
def test_a_photograph_of_one_colour_is_named(tmp_path, level):
    flat = np.full((SIDE, SIDE, 3), level, np.uint8)
    flat[0, 0] = min(level + 3, 255)
    picture = np.stack([RAMP.astype(np.uint8)] * 3, axis=2)
    write(tmp_path, [picture, flat, picture, picture])
    photos, [problem] = read(tmp_path)
    assert len(photos) == 3 and problem.path.endswith("001.png")
    assert problem.kind == "the photograph is nearly one colour"
    with pytest.raises(UserError, match="1 file cannot be used"):
        load_photos(find(tmp_path), reading(SIDE), range(2))


@pytest.mark.situation(
    "Photographs",
    "very dark or clipped photographs",
    "a finding of `check`",
)
def test_dark_and_clipped_photographs_are_found_and_no_other(tmp_path):
    generator = np.random.default_rng(0)
    usual = [generator.integers(30, 220, (SIDE, SIDE, 3), np.uint8) for _ in range(6)]
    dark, clipped = usual[0] // 8, usual[1].copy()
    clipped[:8] = 255
    write(tmp_path, [*usual, dark, clipped])
    photos, _ = read(tmp_path)
    found = findings.of_exposure(photos, measure(photos, 3)[1])
    assert {(one.kind, one.file[-7:]) for one in found} == {
        (findings.DARK, "006.png"),
        (findings.CLIPPED, "007.png"),
    }


def test_a_white_background_is_no_clipping(tmp_path):
    """One photograph against a white wall among others: what is in its middle is not clipped."""
    generator = np.random.default_rng(0)
    usual = [generator.integers(30, 220, (64, 64, 3), np.uint8) for _ in range(6)]
    wall, blown = np.full((64, 64, 3), 255, np.uint8), usual[1].copy()
    wall[16:48, 16:48] = usual[0][16:48, 16:48]
    blown[16:48, 16:34] = 253  # as a JPEG has it
    write(tmp_path, [*usual, wall, blown])
    options = reading(64)
    photos, _ = prepare(find(tmp_path), options, lambda done, total: None)
    [found] = findings.of_exposure(photos, measure(photos, 3)[1])
    assert found.kind == findings.CLIPPED and found.file.endswith("007.png")


@pytest.mark.situation(
    "Masks",
    "masks that are all faint, all empty, or rather look inverted",
    "a finding of `check`",
)
def test_masks_with_hair_in_the_corners_and_faint_ones_are_told():
    def of(masks):
        photos = type("Photos", (), {})()
        shown = np.zeros((*masks.shape, 4), np.uint8)
        shown[..., 3] = masks
        photos.images, photos.__class__.__len__ = shown, lambda self: len(shown)
        return [one.kind for one in findings.of_coding(measure(photos, 2)[0])]

    hair = np.zeros((6, SIDE, SIDE), np.uint8)
    hair[:, 4:9, 4:12] = 255
    assert of(hair) == []
    assert of(255 - hair) == [findings.INVERTED]
    assert of(hair // 4) == [findings.FAINT]
    assert of(hair * 0) == [findings.ALL_EMPTY]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 255), min_size=2, max_size=5), st.sampled_from([10, 12, 14, 16]))
def test_any_greys_keep_their_order_of_brightness(tmp_path_factory, peaks, bits):
    root = tmp_path_factory.mktemp("set")
    whole = [RAMP * peak // 255 for peak in [*peaks, 255]]
    write(root, [(picture * 2 ** (bits - 8)).astype(np.uint16) for picture in whole])
    photos, problems = read(root)
    left = [i for i in range(len(whole)) if not any(f"{i:03}." in p.path for p in problems)]
    assert np.abs(in_order(photos) - np.stack(whole)[left]).max() <= 1
    assert all(np.ptp(whole[i]) <= 5 for i in {*range(len(whole))} - {*left})
