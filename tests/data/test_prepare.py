import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.load import load_photos
from hairjax.data.prepare.mask_values import parse_hair
from hairjax.data.prepare.read import prepare, read_photo
from hairjax.data.sources.formats import FORMATS
from hairjax.data.sources.photos import Search, find_photos
from hairjax.data.sources.problems import PhotoError
from hairjax.system.errors import UserError
from tests.data.reading import reading

# What a viewer does for each EXIF orientation, on arrays of [height, width, …].
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a),
}
LYING = (5, 6, 7, 8)
WHITE = (255, 255, 255)


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def blocks(height: int = 24, width: int = 48) -> np.ndarray:
    """Return uint8 [height, width, 3] whose four quarters differ, so that every turn shows."""
    small = np.array([[[250, 10, 10], [10, 250, 10]], [[10, 10, 250], [240, 240, 30]]], np.uint8)
    return small.repeat(height // 2, axis=0).repeat(width // 2, axis=1)


def save(path: Path, pixels: np.ndarray | Image.Image, **options) -> Path:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def read(path: Path, mask: Path | None = None, side: int = 8, fit: str = "squash") -> np.ndarray:
    return read_photo(path, mask, side, fit)[0]


def read_mask(folder: Path, mask: Image.Image | np.ndarray, name: str = "m.png") -> np.ndarray:
    """Read a mask laid on a grey photograph of its shape, at its own size where it is square."""
    image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
    photo = save(folder / "a.png", Image.new("RGB", image.size))
    return read(photo, save(folder / name, image), side=max(image.size))[..., 3]


def refusal(folder: Path, photo: Path, mask: Path | None = None) -> tuple[str, str]:
    with pytest.raises(PhotoError) as caught:
        read(photo, mask)
    assert caught.value.problem.path == str(photo)
    assert str(folder / photo.name) in str(caught.value)
    return caught.value.problem.kind, caught.value.problem.detail


def test_pixels_mask_and_checksum(tmp_path):
    photo = save(tmp_path / "a.png", blocks(8, 8))
    values = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    pixels, facts = read_photo(photo, save(tmp_path / "m.png", values), 8, "squash")
    assert pixels.dtype == np.uint8 and pixels.shape == (8, 8, 4)
    np.testing.assert_array_equal(pixels[..., :3], blocks(8, 8))
    np.testing.assert_array_equal(pixels[..., 3], values)
    assert facts.sha256 == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert not read(photo)[..., 3].any()


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", TURNS)
def test_every_exif_orientation_with_the_mask_on_the_turned_photograph(
    tmp_path, orientation, suffix
):
    stored = blocks()
    photo = save(tmp_path / f"a.{suffix}", stored, exif=exif(orientation))
    turned = TURNS[orientation](stored)
    reds = (turned[..., 0] > 245).astype(np.uint8) * 255
    pixels = read(photo, save(tmp_path / "m.png", reds))
    expected = turned[:: turned.shape[0] // 8, :: turned.shape[1] // 8]
    # The middle of each quarter: edges are blurred by JPEG and by resizing.
    middle = np.ix_([1, 2, 5, 6], [1, 2, 5, 6])
    assert np.abs(pixels[..., :3][middle].astype(int) - expected[middle]).max() < 12
    np.testing.assert_array_equal(pixels[..., 3], np.where(expected[..., 0] > 245, 255, 0))


@pytest.mark.parametrize("orientation", LYING)
def test_mask_of_the_unturned_shape_is_refused(tmp_path, orientation):
    photo = save(tmp_path / "a.jpg", blocks(), exif=exif(orientation))
    for height, width in [(24, 48), (12, 24), (49, 99)]:
        mask = save(tmp_path / "m.png", np.zeros((height, width), np.uint8))
        kind, detail = refusal(tmp_path, photo, mask)
        assert "before EXIF rotation" in kind
        assert detail == f"{mask} is {width} × {height}, the photograph 24 × 48"


def test_mask_of_the_unturned_shape_is_refused_where_it_is_nearly_square(tmp_path):
    photo = save(tmp_path / "a.jpg", blocks(100, 102), exif=exif(6))
    mask = save(tmp_path / "m.png", np.zeros((100, 102), np.uint8))
    assert "before EXIF rotation" in refusal(tmp_path, photo, mask)[0]


@pytest.mark.parametrize("orientation", TURNS)
def test_mask_that_says_its_own_orientation_is_turned(tmp_path, orientation):
    photo = save(tmp_path / "a.jpg", blocks(), exif=exif(orientation))
    reds = (blocks()[..., 0] > 245).astype(np.uint8) * 255
    pixels = read(photo, save(tmp_path / "m.png", reds, exif=exif(orientation)))
    expected = TURNS[orientation](reds)
    np.testing.assert_array_equal(
        pixels[..., 3], expected[:: expected.shape[0] // 8, :: expected.shape[1] // 8]
    )


@pytest.mark.parametrize(
    ("shape", "fits"),
    [((300, 400), True), ((150, 200), True), ((38, 50), True), ((37, 50), True), ((600, 800), True),
     ((224, 224), False), ((400, 300), False), ((300, 390), False), ((30, 44), False)],
)  # fmt: skip
def test_mask_may_have_another_size_but_not_another_aspect(tmp_path, shape, fits):
    photo = save(tmp_path / "a.png", np.zeros((300, 400, 3), np.uint8))
    mask = save(tmp_path / "m.png", np.full(shape, 255, np.uint8))
    if fits:
        assert (read(photo, mask)[..., 3] == 255).all()
    else:
        kind, detail = refusal(tmp_path, photo, mask)
        assert "another aspect ratio" in kind
        assert detail == f"{mask} is {shape[1]} × {shape[0]}, the photograph 400 × 300"


def test_turned_by_exif_that_cannot_be_written_anew(tmp_path):
    tags = exif(6)
    tags[0x010F] = "Maker"
    # The maker's name becomes the picture's width, which Pillow reads but refuses to write.
    damaged = tags.tobytes().replace(b"\x01\x0f", b"\x01\x00")
    photo = save(tmp_path / "a.jpg", blocks(), exif=damaged)
    assert read(photo)[1, 6, 0] > 240


def test_unreadable_exif_is_refused(tmp_path):
    photo = save(tmp_path / "a.png", blocks(), exif=b"Exif\0\0nonsense")
    kind, _ = refusal(tmp_path, photo)
    assert kind == "EXIF orientation cannot be read"


def in_palette(index: np.ndarray, colours: list[tuple[int, int, int]]) -> Image.Image:
    image = Image.fromarray(index.astype(np.uint8))
    image.putpalette([value for colour in colours for value in colour])
    return image


def test_grey_palette_and_bits_become_colours(tmp_path):
    ramp = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)
    expected = ramp[..., None].repeat(3, axis=2)
    bits = np.where(ramp > 99, 255, 0).astype(np.uint8)[..., None].repeat(3, axis=2)
    wide = ramp.astype(np.uint16) * 257
    cases = {
        "grey": (Image.fromarray(ramp), expected),
        "16 bits": (Image.fromarray(wide), expected),
        "1 bit": (Image.fromarray(ramp > 99), bits),
        "palette": (in_palette(blocks(8, 8)[..., 0] > 99, [(9, 8, 7), (1, 2, 3)]), None),
    }
    chosen = blocks(8, 8)[..., :1] > 99
    cases["palette"] = (cases["palette"][0], np.where(chosen, (1, 2, 3), (9, 8, 7)))
    for name, (image, colours) in cases.items():
        pixels = read(save(tmp_path / f"{name}.png", image))
        np.testing.assert_array_equal(pixels[..., :3], colours, err_msg=name)


def test_cmyk_jpeg_is_as_pillow_reads_it(tmp_path):
    photo = save(tmp_path / "a.jpg", Image.fromarray(blocks(8, 8)).convert("CMYK"), quality=95)
    expected = np.asarray(Image.open(photo).convert("RGB"))
    np.testing.assert_array_equal(read(photo)[..., :3], expected)


def test_transparency_is_laid_on_white(tmp_path):
    alpha = np.array([[0, 0], [128, 255]], np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    over = 255 - alpha.astype(float)[..., None] / 255 * (255 - np.array([10, 100, 200]))
    colour = Image.new("RGB", (8, 8), (10, 100, 200))
    colour.putalpha(Image.fromarray(alpha))
    pixels = read(save(tmp_path / "rgba.png", colour))
    assert np.abs(pixels[..., :3] - over).max() <= 1

    grey = Image.new("L", (8, 8), 100)
    grey.putalpha(Image.fromarray(alpha))
    pixels = read(save(tmp_path / "la.png", grey))
    assert np.abs(pixels[..., :3] - over[..., 1:2]).max() <= 1


def test_transparent_colours_are_laid_on_white(tmp_path):
    index = np.array([[0, 1], [1, 1]], np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    palette = in_palette(index, [(10, 20, 30), (40, 50, 60)])
    for name, transparency in [("one", 0), ("each", b"\x00\xff")]:
        pixels = read(save(tmp_path / f"{name}.png", palette, transparency=transparency))
        np.testing.assert_array_equal(pixels[0, 0, :3], WHITE)
        np.testing.assert_array_equal(pixels[7, 0, :3], (40, 50, 60))
    rgb = palette.convert("RGB")
    pixels = read(save(tmp_path / "rgb.png", rgb, transparency=(10, 20, 30)))
    np.testing.assert_array_equal(pixels[0, 0, :3], WHITE)
    pixels = read(save(tmp_path / "grey.png", Image.fromarray(index * 90), transparency=0))
    np.testing.assert_array_equal(pixels[[0, 7], [0, 0], :3], [WHITE, (90, 90, 90)])


SHAPE = np.array([[0, 1], [1, 1]], np.uint8).repeat(4, axis=0).repeat(4, axis=1)


@pytest.mark.parametrize(
    "mask",
    [
        SHAPE,
        SHAPE * 255,
        SHAPE.astype(bool),
        SHAPE.astype(np.uint16),
        SHAPE.astype(np.uint16) * 255,
        SHAPE.astype(np.uint16) * 65535,
        SHAPE[..., None].repeat(3, axis=2),
        SHAPE[..., None] * np.array([255, 0, 0], np.uint8),
        SHAPE[..., None] * np.array([0, 0, 255], np.uint8),
        in_palette(SHAPE, [(0, 0, 0), (255, 255, 255)]),
        in_palette(1 - SHAPE, [(255, 255, 255), (0, 0, 0)]),
        in_palette(SHAPE, [(0, 0, 0), (1, 1, 1)]),
        in_palette(SHAPE, [(0, 0, 0), (0, 0, 0)]),
        in_palette(SHAPE, [(0, 0, 0), (128, 0, 0)]),
        in_palette(1 - SHAPE, [(128, 0, 0), (0, 0, 0)]),
        Image.merge("LA", [Image.fromarray(SHAPE * 0), Image.fromarray(SHAPE * 255)]),
        Image.merge("LA", [Image.fromarray(SHAPE), Image.new("L", (8, 8), 255)]),
        Image.merge("RGBA", [Image.fromarray(SHAPE * c) for c in (9, 200, 3, 255)]),
        Image.merge("RGBA", [*[Image.fromarray(SHAPE * 255)] * 3, Image.new("L", (8, 8), 255)]),
    ],
    ids=[
        "0/1", "0/255", "1 bit", "16 bits 0/1", "16 bits 0/255", "16 bits 0/65535", "RGB 0/1",
        "red", "blue", "black and white palette", "white and black palette", "grey ramp palette",
        "palette without colours", "label colours", "label colours the other way round",
        "shape in grey's alpha", "opaque grey", "shape in colour's alpha",
        "opaque colours",
    ],
)  # fmt: skip
def test_masks_are_read_however_they_are_stored(tmp_path, mask):
    np.testing.assert_array_equal(read_mask(tmp_path, mask), SHAPE * 255)


@pytest.mark.parametrize("suffix", ["bmp", "gif", "tif", "webp"])
def test_masks_of_other_formats(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    photo = save(tmp_path / "a.png", blocks(8, 8))
    mask = save(tmp_path / f"m.{suffix}", SHAPE * 255, **options)
    np.testing.assert_array_equal(read(photo, mask)[..., 3], SHAPE * 255)


def test_soft_values_are_kept(tmp_path):
    soft = np.linspace(0, 255, 64).round().astype(np.uint8).reshape(8, 8)
    np.testing.assert_array_equal(read_mask(tmp_path, soft), soft)
    np.testing.assert_array_equal(read_mask(tmp_path, soft.astype(np.uint16) * 257), soft)
    fractions = Image.fromarray(soft.astype(np.float32) / 255)
    np.testing.assert_array_equal(read_mask(tmp_path, fractions, "m.tif"), soft)
    greys = in_palette(soft, [(value, value, value) for value in range(256)])
    np.testing.assert_array_equal(read_mask(tmp_path, greys), soft)
    assert not read_mask(tmp_path, soft * 0).any()


def test_masks_that_mean_nothing_are_refused(tmp_path):
    photo = save(tmp_path / "a.png", blocks(8, 8))
    for name, worst in [("negative", -1.0), ("nothing", float("nan")), ("huge", 1e6)]:
        values = np.full((8, 8), worst, np.float32)
        kind, detail = refusal(tmp_path, photo, save(tmp_path / f"{name}.tif", values))
        assert kind == "mask cannot be read" and "are not within 0 … 65535" in detail


def test_mask_is_resized_by_area(tmp_path):
    values = np.random.default_rng(0).integers(0, 2, (64, 32), np.uint8) * 255
    photo = save(tmp_path / "a.png", np.zeros((64, 32, 3), np.uint8))
    pixels = read(photo, save(tmp_path / "m.png", values))
    areas = values.reshape(8, 8, 8, 4).mean(axis=(1, 3))
    assert np.abs(pixels[..., 3] - areas).max() <= 1


def test_resizing_is_antialiased(tmp_path):
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = read(save(tmp_path / "a.png", stripes))
    assert np.abs(pixels[..., :3].astype(int) - 127).max() <= 2


@pytest.mark.parametrize(("height", "width"), [(20, 40), (40, 20), (39, 17), (1, 900)])
def test_pad_keeps_the_aspect_and_says_nothing_beside_it(tmp_path, height, width):
    photo = save(tmp_path / "a.png", np.full((height, width, 3), 255, np.uint8))
    mask = save(tmp_path / "m.png", np.full((height, width), 255, np.uint8))
    pixels = read(photo, mask, 16, "pad")
    inside = pixels[..., 3] == 255
    assert (pixels[inside] == 255).all()
    assert (pixels[~inside] == (124, 116, 104, 0)).all()
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert inside.sum() == len(rows) * len(columns)
    scale = 16 / max(height, width)
    assert len(rows) == max(1, round(height * scale))
    assert len(columns) == max(1, round(width * scale))
    for span in (rows, columns):
        assert abs(span[0] - (15 - span[-1])) <= 1


def test_squash_fills_the_square(tmp_path):
    photo = save(tmp_path / "a.png", np.full((20, 40, 3), 200, np.uint8))
    assert (read(photo)[..., :3] == 200).all()


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_draft_mode_changes_next_to_nothing(tmp_path, orientation):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (30, 40, 3), np.uint8))
    large = noise.resize((1203, 901), Image.Resampling.BICUBIC)
    photo = save(tmp_path / "a.jpg", large, quality=95, exif=exif(orientation))
    mask = save(
        tmp_path / "m.png", np.zeros(TURNS[orientation](np.zeros((901, 1203))).shape, np.uint8)
    )
    pixels = read(photo, mask, 64)
    whole = Image.fromarray(TURNS[orientation](np.asarray(Image.open(photo))))
    expected = np.asarray(whole.resize((64, 64), Image.Resampling.BICUBIC)).astype(int)
    difference = np.abs(pixels[..., :3] - expected)
    assert difference.mean() < 1 and difference.max() < 16


def damaged_files(folder: Path) -> dict[str, Path]:
    jpeg = io.BytesIO()
    Image.fromarray(blocks()).save(jpeg, "JPEG")
    png = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 48), np.uint8)).save(png, "PNG")
    bomb = bytearray(png.getvalue())
    bomb[16:24] = (30_000).to_bytes(4) * 2
    contents = {
        "zero bytes.jpg": b"",
        "text.jpg": b"not a photograph",
        "truncated.jpg": jpeg.getvalue()[:-100],
        "truncated.png": png.getvalue()[:-100],
        "header.png": png.getvalue()[:20],
        "changed.png": png.getvalue()[:60] + b"xyz" + png.getvalue()[63:],
        "bomb.png": bytes(bomb),
        "eps.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.jpg").mkdir()
    return {name: folder / name for name in [*contents, "folder.jpg", "absent.jpg"]}


def test_damaged_photographs_are_named(tmp_path):
    found = {name: refusal(tmp_path, path) for name, path in damaged_files(tmp_path).items()}
    assert found.pop("bomb.png")[0] in ("too many pixels", "cannot be read")
    assert {kind for kind, _ in found.values()} == {"cannot be read"}
    assert found["zero bytes.jpg"][1] == "zero bytes.jpg is empty"
    unknown = f"is damaged or its content is none of {', '.join(FORMATS)}"
    assert found["text.jpg"][1] == f"text.jpg {unknown}"
    assert found["eps.jpg"][1] == f"eps.jpg {unknown}"
    assert found["absent.jpg"][1] == "No such file or directory"
    assert "truncated" in found["truncated.jpg"][1]


def test_damaged_masks_are_named_with_their_photographs(tmp_path):
    photo = save(tmp_path / "photo.png", blocks())
    for name, mask in damaged_files(tmp_path).items():
        kind, _ = refusal(tmp_path, photo, mask)
        assert kind in ("mask cannot be read", "too many pixels"), name


def test_too_many_pixels(tmp_path, monkeypatch):
    photo = save(tmp_path / "a.png", blocks())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 48 // 2 - 1)
    assert refusal(tmp_path, photo)[0] == "too many pixels"


def test_content_decides_and_not_the_suffix(tmp_path):
    photo = save(tmp_path / "a.jpg", blocks(8, 8), format="PNG")
    np.testing.assert_array_equal(read(photo)[..., :3], blocks(8, 8))


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"fit cannot be 'crop': it is one of squash, pad"):
        read_photo(tmp_path / "a.jpg", None, 8, "crop")
    with pytest.raises(ValueError, match="0 pixels: give 1 or more"):
        read_photo(tmp_path / "a.jpg", None, 0, "pad")


def make_classes(folder: Path, count: int = 6) -> dict[str, object]:
    """Save `count` photographs with masks in each of two classes; return arguments that load."""
    for label in range(2):
        for number in range(count):
            pixels = np.full((10, 10, 3), 100 * label + number, np.uint8)
            mask = pixels[..., 0] + 100
            pixels[:, 5:, 1] += 50
            save(folder / f"photos/level_{label}/p{number}_{label}.png", pixels)
            save(folder / f"masks/level_{label}/p{number}_{label}.png", mask)
    return {
        "photos": str(folder / "photos"),
        "masks": str(folder / "masks"),
        "manifest": "",
        "subject": r"(p\d+)_",
        "classes": None,
        "need_masks": True,
    }


SOFT = parse_hair("soft")


def load(arguments: dict[str, object], on_bad: str = "refuse", fit: str = "squash") -> PhotoSet:
    """Find photographs and read them into memory."""
    index = find_photos(Search(**arguments))
    return load_photos(index, reading(4, fit=fit, on_bad=on_bad, hair=SOFT), range(2))


def test_photographs_are_read_in_the_order_of_their_names(tmp_path):
    index = find_photos(Search(**make_classes(tmp_path)))
    calls = []
    photoset, left_out = prepare(index, reading(4, hair=SOFT), lambda *done: calls.append(done))
    assert left_out == []
    assert calls == [(done, 12) for done in range(1, 13)]
    assert photoset.files == tuple(sorted(photoset.files)) and len(photoset) == 12
    assert photoset.classes == ("level_0", "level_1") and photoset.has_masks
    assert photoset.labels.dtype == np.int32
    assert photoset.subjects == tuple(f"p{i}" for i in range(6)) * 2
    np.testing.assert_array_equal(photoset.labels, [0] * 6 + [1] * 6)
    np.testing.assert_array_equal(
        photoset.images[:, 1, 2, 0], [*range(6), *(100 + i for i in range(6))]
    )
    np.testing.assert_array_equal(photoset.images[..., 3], photoset.images[..., 0] + 100)
    for file, sha256 in zip(photoset.files, photoset.sha256, strict=True):
        content = (tmp_path / "photos" / file).read_bytes()
        assert sha256 == hashlib.sha256(content).hexdigest()


def test_result_does_not_depend_on_the_workers(tmp_path):
    index = find_photos(Search(**make_classes(tmp_path)))
    one, many = (
        prepare(index, reading(4, workers=n, hair=SOFT), lambda *done: None)[0] for n in (1, 5)
    )
    np.testing.assert_array_equal(one.images, many.images)
    assert (one.files, one.sha256) == (many.files, many.sha256)


def test_without_masks(tmp_path):
    arguments = make_classes(tmp_path)
    photoset = load(arguments | {"masks": "", "need_masks": False})
    assert not photoset.has_masks and not photoset.images[..., 3].any()


def test_every_problem_is_in_one_report(tmp_path, capsys):
    arguments = make_classes(tmp_path)
    (tmp_path / "photos/level_0/p0_0.png").write_bytes(b"")
    (tmp_path / "masks/level_1/p1_1.png").unlink()
    save(tmp_path / "masks/level_1/p2_1.png", np.zeros((10, 30), np.uint8))
    (tmp_path / "photos/level_1/p9_1.webp").touch()
    with pytest.raises(UserError, match="4 files cannot be used") as caught:
        load(arguments)
    report = str(caught.value)
    for name in ["p0_0.png", "p1_1.png", "p2_1.png", "p9_1.webp", "--config.data.on_bad=skip"]:
        assert name in report
    photoset = load(arguments, on_bad="skip")
    assert len(photoset) == 9 and "left out 4 unusable files" in capsys.readouterr().out
    assert "level_0/p0_0.png" not in photoset.files
    np.testing.assert_array_equal(photoset.images[:, 0, 0, 0], [1, 2, 3, 4, 5, 100, 103, 104, 105])


def test_class_left_empty_is_refused(tmp_path):
    arguments = make_classes(tmp_path, 2)
    for path in (tmp_path / "photos/level_1").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"no photograph of level_1 can be used"):
        load(arguments, on_bad="skip")


def test_another_folder_need_not_hold_every_class_of_the_run(tmp_path):
    arguments = make_classes(tmp_path, 2)
    photoset = load(arguments | {"classes": ("level_0", "level_1", "level_2")})
    assert photoset.classes == ("level_0", "level_1", "level_2")


def test_bad_settings_are_refused(tmp_path):
    arguments = make_classes(tmp_path, 1)
    with pytest.raises(UserError, match="fit cannot be 'crop': it is one of squash, pad"):
        load(arguments, fit="crop")
    with pytest.raises(ValueError, match="0 workers"):
        prepare(find_photos(Search(**arguments)), reading(4, workers=0), lambda *done: None)


def test_large_photographs_do_not_warn_and_an_interruption_stops_reading(tmp_path, monkeypatch):
    make_classes(tmp_path, 40)
    index = find_photos(
        Search(
            photos=str(tmp_path / "photos"),
            masks="",
            manifest="",
            subject="",
            classes=None,
            need_masks=False,
        )
    )
    # Pillow warns above this number and refuses above twice as many.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 99)
    photoset, problems = prepare(index, reading(4), lambda done, total: None)
    assert len(photoset) == 80 and problems == []

    opened = []
    read_bytes = Path.read_bytes

    def read_slowly(path: Path) -> bytes:
        opened.append(path)
        time.sleep(0.01)  # on a busy machine all would be read before the interruption is seen
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read_slowly)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(index, reading(4, workers=1), interrupt)
    assert len(opened) < 80
