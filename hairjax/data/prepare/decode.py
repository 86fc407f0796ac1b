"""Open, orient and resize images and masks."""

import io
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, PpmImagePlugin

from hairjax.data.prepare.containers import START, container_of
from hairjax.data.sources.formats import FORMATS, STATED_WHITE
from hairjax.data.sources.lookup import missing
from hairjax.data.sources.record import File

# Transposes that undo EXIF orientations; LYING swap width and height.
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
    """Read a whole file.

    Raises:
        OSError: the file is missing or unreadable.
    """
    reason = missing(path) if isinstance(path, Path) else ""
    if reason:
        raise OSError(reason)
    return path.read_bytes()


def open_image(path: File, data: bytes) -> Image.Image:
    """Open an image with the decoders of the supported formats only.

    Reads the header; Pillow refuses too many pixels before decoding.

    Raises:
        PhotoError: AVIF or HEIC without a decoder.
        OSError: the file is empty or of no supported format.
        ValueError: transparency given as a 16-bit value.
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
    # Decode in one block: between blocks of 64 kB, threads wait for the interpreter's lock.
    image.decodermaxblock = len(data)
    return image


def formats_of(path: File, start: bytes) -> tuple[str, ...]:
    """Candidate Pillow formats by the first bytes of a file.

    Raises:
        PhotoError: AVIF or HEIC without a decoder.
    """
    container = container_of(path, start)
    return (container,) if container else _ALWAYS


def _require_known_transparency(image: Image.Image) -> None:
    """Raise on a transparent 16-bit value, which Pillow compares with 8-bit pixels."""
    value = image.info.get("transparency")
    if image.mode.startswith("I;16") and value is not None:
        raise ValueError("one of its 16-bit greys is transparent: save 8 bits or no transparency")
    if isinstance(value, tuple) and max(value) > 255:
        raise ValueError("one of its 16-bit colours is transparent: save 8 bits or no transparency")


def _note_white(image: Image.Image) -> None:
    """Record the maximum of a PGM or PPM header; Pillow rescales it to 255 or 65535."""
    image.info.pop(STATED_WHITE, None)  # may come from a PNG text chunk
    if isinstance(image, PpmImagePlugin.PpmImageFile) and image.tile:
        args = image.tile[0].args
        decoder = image.tile[0].codec_name
        if decoder.startswith("ppm") and isinstance(args, tuple):
            image.info[STATED_WHITE] = args[1]


def open_header(path: Path) -> Image.Image:
    """Open an image lazily, reading its header only.

    Raises:
        PhotoError: AVIF or HEIC without a decoder.
        OSError: the file is unreadable or of no supported format.
    """
    with path.open("rb") as file:
        formats = formats_of(path, file.read(START))
    return Image.open(path, formats=formats)


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Transpose that orients a loaded image (PNG may state EXIF at its end); None if upright.

    `ImageOps.exif_transpose` would transpose before downsizing and rewrite EXIF, failing on
    irrelevant tags.
    """
    return _TURNS.get(orientation_of(image))


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation of the decoded image; 1: upright.

    AVIF and HEIC are oriented by their own properties (`irot`, `imir`), not by EXIF or XMP: libheif
    applies those of HEIC on decoding, Pillow copies those of AVIF into EXIF.
    """
    if image.format == "HEIF":
        return 1
    if image.format == "AVIF":
        exif = Image.Exif()  # `getexif` would fall back to XMP
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
    """Resize the region `box` and transpose it to `shape` (width, height): uint8 [h, w (, c)]."""
    resized = image.resize(shape[::-1] if turn in LYING else shape, resample, box)
    return np.asarray(resized if turn is None else resized.transpose(turn))
