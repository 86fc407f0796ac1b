"""What a photograph says of itself is read, whatever wrote it, and however it is damaged."""

import pytest
from PIL import ExifTags, Image

from hairjax.data.prepare.headers import Header, read_headers

PLACE = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (47.0, 33.0, 17.25)}


def read(path):
    [header] = read_headers([path], 1)
    return header


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_position_in_exif(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    for gps, expected in ((PLACE, True), ({ExifTags.GPS.GPSVersionID: b"\2\3\0\0"}, False)):
        exif = Image.Exif()
        exif[ExifTags.IFD.GPSInfo] = gps
        Image.new("RGB", (20, 10)).save(path, exif=exif)
        assert read(path) == Header(20, 10, expected)


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_a_position_in_xmp(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    for text, expected in ((b'<x exif:GPSLatitude="47,33.2N"/>', True), (b"<x/>", False)):
        Image.new("RGB", (20, 10)).save(path, xmp=text)
        assert read(path).has_position is expected


def test_a_position_that_is_damaged(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = PLACE
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg", exif=exif)
    data = (tmp_path / "a.jpg").read_bytes()
    pointer = data.index(b"\x25\x88") if b"\x25\x88" in data else data.index(b"\x88\x25")
    damaged = data[: pointer + 8] + b"\xff\x00\x00\xff" + data[pointer + 12 :]
    (tmp_path / "a.jpg").write_bytes(damaged)
    assert read(tmp_path / "a.jpg") in (Header(20, 10, True), Header(20, 10, False))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_turned_photograph(orientation, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg", exif=exif)
    header = read(tmp_path / "a.jpg")
    assert (header.width, header.height) == ((20, 10) if orientation < 5 else (10, 20))
