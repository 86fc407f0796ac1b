"""HEIC and AVIF, as phones write them: turned once, the picture that is meant, or named."""

import base64
import io
import struct
import sys

import numpy as np
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, features

from hairjax.data.prepare import containers
from hairjax.data.prepare.headers import read_headers
from hairjax.data.prepare.load import load_photos
from hairjax.data.prepare.read import prepare, read_photo
from hairjax.data.prepare.store import prepare_once
from hairjax.data.sources.photos import Search, find_photos
from hairjax.data.sources.problems import PhotoError
from hairjax.system.errors import UserError
from tests.data.reading import reading

pillow_heif.register_heif_opener()
WIDTH, HEIGHT = 24, 16
_rng = np.random.default_rng(0)
RGB = np.asarray(
    Image.fromarray(_rng.integers(0, 256, (4, 6, 3), np.uint8)).resize((WIDTH, HEIGHT))
)
OTHER = RGB[::-1, ::-1]
# How a picture is seen of which EXIF says so, by TIFF 6.0's place of row 0 and column 0.
SEEN = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
}
# How far what is read of a picture may be from it.
OFF = {"HEIF": 1, "AVIF": 4}
BOTH = pytest.mark.parametrize("format", ["HEIF", "AVIF"])
# Greys of 10 bits, 5, 145, 286 … 988, written by libavif's avifenc.
AVIF_10 = base64.b64decode(
    "AAAAHGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZgAAAPBtZXRhAAAAAAAAAChoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA"
    "AAAAbGliYXZpZgAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAEUAAAAKAAAAChpaW5mAAAAAAAB"
    "AAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABoaXBycAAAAElpcGNvAAAAFGlzcGUAAAAAAAAACAAAAAQAAAAOcGl4"
    "aQAAAAABCgAAAAxhdjFDgQBcAAAAABNjb2xybmNseAABAA0ABoAAAAAXaXBtYQAAAAAAAAABAAEEAQKDBAAAADBtZGF0"
    "EgAKCBgIfscBDQagMhoQAIbShCgwZDm18TyRj71SvFoYMh0r5Yjd4A=="
)


def encoded(pixels, format="HEIF", **options):
    image = pixels.copy() if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    best = {"quality": -1, "chroma": 444} if format == "HEIF" else {"quality": 100}
    buffer = io.BytesIO()
    image.save(buffer, format, **{**best, "subsampling": "4:4:4", **options})
    return buffer.getvalue()


def deep(mode, values):
    """A HEIC of 10 bits of these of 16."""
    buffer = io.BytesIO()
    size = values.shape[1::-1]
    pillow_heif.from_bytes(mode, size, values.tobytes()).save(buffer, quality=-1, chroma=444)
    return buffer.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags.tobytes()


def read(path, data, mask=None):
    """The photograph in a file with these contents, in the size that it has."""
    path.write_bytes(data)
    [header] = read_headers([path], 1)
    side = max(header.width, header.height)
    pixels = read_photo(path, mask, side, "pad").pixels
    left, top = (side - header.width) // 2, (side - header.height) // 2
    return pixels[top : top + header.height, left : left + header.width].astype(int)


def write(root, files):
    """A set of two classes with these contents by name, beside a photograph of each."""
    for name, data in {"0/plain.png": None, "1/plain.png": None, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(RGB, "PNG") if data is None else data)
    return find_photos(
        Search(photos=str(root), masks="", manifest="", subject="", classes=None, need_masks=False)
    )


@pytest.fixture
def without_heif(monkeypatch):
    """An installation without pillow-heif."""
    containers._register_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    yield monkeypatch
    containers._register_heif.cache_clear()


@pytest.mark.situation(
    "Photographs",
    "HEIC of a phone, held upright or not",
    "turned as it says, once, with pillow-heif (requirements-heic.txt)",
)
@pytest.mark.situation("Photographs", "AVIF", "read by Pillow and turned as it says")
@BOTH
@pytest.mark.parametrize("orientation", SEEN)
def test_it_is_turned_once(tmp_path, format, orientation):
    found = read(tmp_path / "a", encoded(RGB, format, exif=exif(orientation)))
    seen = SEEN[orientation](RGB)
    assert found.shape[:2] == seen.shape[:2]
    assert np.abs(found[..., :3] - seen).max() <= OFF[format]


@pytest.mark.situation(
    "Photographs",
    "HEIC or AVIF whose EXIF or XMP says another orientation than the picture's own",
    "turned as the picture's own says, as phones and browsers show it",
)
@BOTH
@pytest.mark.parametrize("orientation", SEEN)
@pytest.mark.parametrize("said", [1, 3, 6, 7])
def test_the_properties_of_the_container_say_how_and_exif_does_not(
    tmp_path, format, orientation, said
):
    """MIAF (ISO/IEC 23000-22, 7.3.8): `irot` and `imir` turn the picture, EXIF does not."""
    # Another tag becomes that of the orientation: Pillow writes none into the EXIF of an AVIF.
    other, own = b"\x01\x15\x00\x03", b"\x01\x12\x00\x03"
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.SamplesPerPixel] = said
    data = encoded(RGB, format, exif=tags.tobytes()).replace(own, other[:2] + b"\x00\x04")
    assert data.count(other) == 1
    found = read(tmp_path / "a", data.replace(other, own))
    seen = SEEN[orientation](RGB)
    assert found.shape[:2] == seen.shape[:2]
    assert np.abs(found[..., :3] - seen).max() <= OFF[format]


@pytest.mark.parametrize("tags", [b"", exif(1)])
def test_xmp_turns_no_avif(tmp_path, tags):
    xmp = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    found = read(tmp_path / "a.avif", encoded(RGB, "AVIF", xmp=xmp, exif=tags))
    assert np.abs(found[..., :3] - RGB).max() <= OFF["AVIF"]


@pytest.mark.situation(
    "Photographs", "HEIC or AVIF of 10 bits", "brought to 8, a dark one as dark as it is"
)
@pytest.mark.parametrize("share", [1, 0.1])
def test_10_bits_become_8(tmp_path, share):
    ramp = np.linspace(0, 65535 * share, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH)
    grey = read(tmp_path / "grey.heic", deep("L;16", ramp))
    assert np.abs(grey[..., :3] - ramp[..., None] / 257).max() <= 2
    colours = np.dstack([ramp, ramp[::-1], ramp // 2])
    found = read(tmp_path / "colours.heic", deep("RGB;16", colours))
    assert np.abs(found[..., :3] - colours / 257).max() <= 2


def test_10_bits_of_avif_become_8(tmp_path):
    found = read(tmp_path / "a.avif", AVIF_10)
    greys = np.array([5, 145, 286, 426, 567, 707, 848, 988])
    assert found.shape[:2] == (4, 8)
    assert np.abs(found[..., :3] - greys[:, None] / 1023 * 255).max() <= 1


def test_a_heic_of_16_bits_says_nothing_of_other_greys(tmp_path):
    """It states its white; that of a PNG is known by what the set holds."""
    ramp = np.linspace(0, 4095, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH)
    root = tmp_path / "photos"
    index = write(root, {"0/a.heic": deep("L;16", ramp * 16), "1/b.png": encoded(ramp, "PNG")})
    photos, problems = prepare(index, reading(WIDTH, fit="pad"), lambda done, total: None)
    assert not problems and photos.white == 4095
    shown = dict(zip(photos.files, photos.images[:, 4:-4].astype(int), strict=True))
    for file in ("0/a.heic", "1/b.png"):
        assert np.abs(shown[file][..., :3] - ramp[..., None] / 4095 * 255).max() <= 2


@pytest.mark.situation(
    "Photographs",
    "HEIC with several pictures (a burst, a live or edited photograph)",
    "its primary picture",
)
@pytest.mark.parametrize("primary", [0, 1])
def test_the_primary_picture_is_read(tmp_path, primary):
    data = encoded(
        RGB, save_all=True, append_images=[Image.fromarray(OTHER)], primary_index=primary
    )
    found = read(tmp_path / "a.heic", data)
    assert np.abs(found[..., :3] - (RGB, OTHER)[primary]).max() <= OFF["HEIF"]


def test_no_thumbnail_is_read_for_the_picture(tmp_path):
    """Pillow's `draft` would be given it, as it is given smaller JPEGs."""
    large = Image.fromarray(_rng.integers(0, 256, (600, 800, 3), np.uint8))
    data = encoded(large, thumbnails=[400])
    assert data.count(b"thmb") == 1
    (tmp_path / "a.heic").write_bytes(data)
    found = read_photo(tmp_path / "a.heic", None, 96, "squash").pixels[..., :3].astype(int)
    expected = np.asarray(large.resize((96, 96), Image.Resampling.BICUBIC))
    assert np.abs(found - expected).max() <= 2


@BOTH
def test_transparency_is_laid_on_white_and_grey_is_grey(tmp_path, format):
    alpha = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    found = read(tmp_path / "a", encoded(np.dstack([RGB, alpha]), format))
    share = alpha[..., None] / 255
    assert np.abs(found[..., :3] - (RGB * share + 255 * (1 - share))).max() <= OFF[format] + 1
    grey = read(tmp_path / "b", encoded(RGB[..., 0], format))
    assert np.abs(grey[..., :3] - RGB[..., :1]).max() <= OFF[format]


@pytest.mark.situation(
    "Photographs",
    "HEIC or AVIF with a colour profile, as Display P3 of phones",
    "read without regard to it, as a JPEG",
)
@BOTH
def test_a_colour_profile_changes_nothing(tmp_path, format):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with_profile = read(tmp_path / "a", encoded(RGB, format, icc_profile=profile))
    np.testing.assert_array_equal(with_profile, read(tmp_path / "b", encoded(RGB, format)))


@BOTH
def test_a_position_is_found(tmp_path, format):
    tags = Image.Exif()
    tags[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitude: (47.0, 33.0, 17.25)}
    for name, data in (("a", {"exif": tags.tobytes()}), ("b", {})):
        (tmp_path / name).write_bytes(encoded(RGB, format, **data))
    with_place, without = read_headers([tmp_path / "a", tmp_path / "b"], 1)
    assert with_place.has_position and not without.has_position


@pytest.mark.situation("Masks", "masks as HEIC or AVIF", "read as of any format")
@BOTH
def test_a_mask(tmp_path, format):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:10, 5:20] = 255
    (tmp_path / "mask").write_bytes(encoded(mask, format, exif=exif(6)))
    photo = encoded(SEEN[6](RGB).copy(), "PNG")
    found = read(tmp_path / "a.png", photo, tmp_path / "mask")
    assert np.abs(found[..., 3] - SEEN[6](mask)).max() <= OFF[format]


@pytest.mark.situation(
    "Photographs",
    "HEIC without pillow-heif",
    "named with their number and the command that installs it",
)
@pytest.mark.situation(
    "Photographs", "HEIC or AVIF named .jpg, as phones' exports do", "read by its content"
)
def test_without_pillow_heif_all_are_named_with_what_installs_it(tmp_path, without_heif):
    heic = encoded(RGB)
    index = write(tmp_path, {"0/a.heic": heic, "0/b.HEIC": heic, "1/c.jpg": heic})
    with pytest.raises(UserError) as caught:
        load_photos(index, reading(WIDTH), range(2))
    said = str(caught.value)
    assert "3 files cannot be used" in said
    assert "HEIC needs pillow-heif: pip install -r requirements-heic.txt, or save it as" in said
    assert "PNG (3):" in said
    assert all(name in said for name in ("a.heic", "b.HEIC", "c.jpg"))


def test_a_mask_that_needs_pillow_heif_is_named(tmp_path, without_heif):
    (tmp_path / "a.png").write_bytes(encoded(RGB, "PNG"))
    (tmp_path / "mask.heic").write_bytes(encoded(RGB[..., 0]))
    with pytest.raises(PhotoError, match=r"mask\.heic: HEIC needs pillow-heif"):
        read_photo(tmp_path / "a.png", tmp_path / "mask.heic", WIDTH, "pad")


@pytest.mark.situation(
    "Photographs",
    "AVIF with a Pillow that was built without it",
    "named with the command that installs another",
)
def test_a_pillow_without_avif_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.avif").write_bytes(encoded(RGB, "AVIF"))
    monkeypatch.setattr(features, "check", lambda feature: False)
    with pytest.raises(PhotoError, match="AVIF needs a Pillow with AVIF support: pip install"):
        read_photo(tmp_path / "a.avif", None, WIDTH, "pad")


def test_what_could_not_be_read_is_read_once_the_package_is_there(tmp_path, without_heif):
    index = write(tmp_path / "photos", {"0/a.heic": encoded(RGB)})
    options = reading(WIDTH, cache=str(tmp_path / "cache"), on_bad="skip")
    without_heif.setattr(containers, "version", lambda name: "")
    photos, problems = prepare_once(index, options)
    assert len(photos) == 2 and len(problems) == 1
    without_heif.undo()
    containers._register_heif.cache_clear()
    photos, problems = prepare_once(index, options)
    assert len(photos) == 3 and not problems


def ftyp(major, *others):
    brands = b"".join([major, bytes(4), *others])
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (ftyp(b"heic", b"mif1", b"heic"), "HEIF"),
        (ftyp(b"heix"), "HEIF"),
        (ftyp(b"mif1", b"heic"), "HEIF"),
        (ftyp(b"msf1", b"hevc", b"mif1"), "HEIF"),
        (ftyp(b"mif1"), "HEIF"),
        (ftyp(b"avif", b"mif1", b"miaf"), "AVIF"),
        (ftyp(b"mif1", b"miaf", b"avif"), "AVIF"),
        (ftyp(b"avis", b"msf1"), "AVIF"),
        (ftyp(b"mp42", b"isom"), None),
        (ftyp(b"qt  "), None),
        (b"\xff\xd8\xff\xe0 heic avif", None),
        (b"", None),
    ],
)
def test_the_brands_tell_which_it_is(tmp_path, start, expected):
    assert containers.container_of(tmp_path / "a.jpg", start) == expected


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_any_start_of_a_file_has_brands(front, rest):
    assert all(len(brand) <= 4 for brand in containers._brands(front[:4] + b"ftyp" + rest))


@BOTH
def test_one_that_is_cut_short_is_named(tmp_path, format):
    data = encoded(RGB, format)
    for length in range(1, len(data), 37):
        (tmp_path / "a").write_bytes(data[:length])
        with pytest.raises(PhotoError) as caught:
            read_photo(tmp_path / "a", None, WIDTH, "pad")
        assert caught.value.problem.kind == "cannot be read"
