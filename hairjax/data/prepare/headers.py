"""Image sizes and GPS positions, read from headers without decoding."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image

from hairjax.data.prepare.decode import LYING, open_header, turn_of
from hairjax.data.prepare.read import DAMAGE, without_warnings


@dataclass(frozen=True)
class Header:
    """Width and height in pixels after EXIF orientation; whether the file states a position."""

    width: int
    height: int
    has_position: bool


def read_headers(paths: list[Path], workers: int) -> list[Header]:
    """Read the headers of readable images."""
    with without_warnings(), ThreadPoolExecutor(workers) as pool:
        return list(pool.map(_read_header, paths))


def _read_header(path: Path) -> Header:
    with open_header(path) as image:
        width, height = image.size[::-1] if turn_of(image) in LYING else image.size
        # EXIF of phones; XMP of editing programs.
        xmp = image.info.get("xmp", b"")
        has_position = _has_position(image.getexif()) or b"GPSLatitude" in xmp
        return Header(width, height, has_position)


def _has_position(exif: Image.Exif) -> bool:
    if ExifTags.IFD.GPSInfo not in exif:
        return False
    try:
        return ExifTags.GPS.GPSLatitude in exif.get_ifd(ExifTags.IFD.GPSInfo)
    except DAMAGE:  # other programs may still find one
        return True
