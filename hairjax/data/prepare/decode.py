"""Open, turn and resize pictures, photographs and masks alike."""

import io
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, PpmImagePlugin

from hairjax.data.prepare.containers import START, container_of
from hairjax.data.sources.formats import FORMATS, STATED_WHITE
from hairjax.data.sources.lookup import missing
from hairjax.data.sources.record import File

# What undoes each EXIF orientation, but for 1, and which of these change the sides over.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LYING = frozenset(_TURNS[orientation] for orientation in (5, 6, 7, 8))
_ALWAYS = tuple(name for name in FORMATS if name not in ("AVIF", "HEIF"))


def read_file(path: File) -> bytes:
    """Read a file whole: it is decoded and its checksum taken. Nothing else is waited for."""
    reason = missing(path) if isinstance(path, Path) else ""
    if reason:
        raise OSError(reason)
    return path.read_bytes()


def open_image(path: File, data: bytes) -> Image.Image:
    """Open an image of a format that is read; nothing else is tried, so no other decoder runs.

    Pillow reads the header here and refuses too many pixels before any of them is decoded.

    Raises:
        PhotoError: it is AVIF or HEIC, and what decodes it is not installed.
        OSError: it is of no format that is read.
    """
    if not data:
        raise OSError(f"{path.name} is empty")
    formats = formats_of(path, data[:START])
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
    except Image.UnidentifiedImageError as error:
        listed = ", ".join(FORMATS)
        raise OSError(f"{path.name} is damaged or its content is none of {listed}") from error
    _require_known_transparency(image)
    _note_white(image)
    # Not 64 kB at a time: between two of them threads wait for the interpreter's lock.
    image.decodermaxblock = len(data)
    return image


def formats_of(path: File, start: bytes) -> tuple[str, ...]:
    """Pillow's names of the formats that a file may be of, by its first bytes.

    Raises:
        PhotoError: it is AVIF or HEIC, and what decodes it is not installed.
    """
    container = container_of(path, start)
    return (container,) if container else _ALWAYS


def _require_known_transparency(image: Image.Image) -> None:
    """Refuse a transparent value of 16 bits: Pillow compares it with pixels of 8."""
    value = image.info.get("transparency")
    if image.mode.startswith("I;16") and value is not None:
        raise ValueError("one of its 16-bit greys is transparent: save 8 bits, or without it")
    if isinstance(value, tuple) and max(value) > 255:
        raise ValueError("one of its 16-bit colours is transparent: save 8 bits, or without it")


def _note_white(image: Image.Image) -> None:
    """Keep the largest value that a PGM or PPM states, of which Pillow makes 255 or 65535."""
    image.info.pop(STATED_WHITE, None)  # which a text in a PNG could be named
    if isinstance(image, PpmImagePlugin.PpmImageFile) and image.tile:
        args = image.tile[0].args
        decoder = image.tile[0].codec_name
        if decoder.startswith("ppm") and isinstance(args, tuple):
            image.info[STATED_WHITE] = args[1]


def open_header(path: Path) -> Image.Image:
    """Open an image to look at its header; the pixels are read where they are asked for.

    Raises:
        PhotoError: it is AVIF or HEIC, and what decodes it is not installed.
        OSError: it cannot be read, or is of no format that is read.
    """
    with path.open("rb") as file:
        formats = formats_of(path, file.read(START))
    return Image.open(path, formats=formats)


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return how to turn a loaded image (a PNG may say it at its end).

    `ImageOps.exif_transpose` would turn it before it is made smaller, and write its EXIF anew,
    which fails on tags that are of no interest here.
    """
    return _TURNS.get(orientation_of(image))


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of an image as it is decoded; 1 where it is upright.

    AVIF and HEIC are turned by properties of their own (`irot`, `imir`), whatever EXIF and XMP say:
    libheif has turned a HEIC as it was decoded, Pillow writes those of an AVIF into its EXIF.
    """
    if image.format == "HEIF":
        return 1
    if image.format == "AVIF":
        exif = Image.Exif()  # `getexif` would look into XMP where EXIF says nothing
        exif.load(image.info.get("exif", b""))
    else:
        exif = image.getexif()
    return exif.get(ExifTags.Base.Orientation, 1)


def resize_and_turn(
    image: Image.Image,
    box: tuple[float, float, float, float],
    shape: tuple[int, int],
    turn: Image.Transpose | None,
    resample: Image.Resampling,
) -> np.ndarray:
    """Resize the part `box` of an image and turn it, to be of `shape` (width, height) then."""
    resized = image.resize(shape[::-1] if turn in LYING else shape, resample, box)
    return np.asarray(resized if turn is None else resized.transpose(turn))
