"""Decode images and masks to squares of uint8.

`read_photo` is the single path from file to pixels, for training, evaluation and prediction.
"""

import hashlib
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image

from hairjax.data.options import PrepareOptions
from hairjax.data.photoset import PhotoSet, Rows
from hairjax.data.prepare.decode import LYING, open_image, read_file, resize_and_turn, turn_of
from hairjax.data.prepare.levels import Facts, decide_levels, rescale
from hairjax.data.prepare.mask_values import AUTO, WHITES, Hair
from hairjax.data.prepare.masks import MaskGeometry, read_mask
from hairjax.data.sources.photos import Index
from hairjax.data.sources.problems import PhotoError, Problem, shown
from hairjax.data.sources.record import File
from hairjax.system.errors import UserError

FITS = ("squash", "pad")
# Version of the pixels and facts of `read_photo`, part of the key of prepared sets.
PREPARATION = 4
# ImageNet mean colour: zero after normalisation.
_PADDING = (124, 116, 104)
# Exceptions of Pillow on damaged files, besides its decompression-bomb error.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, RuntimeError, struct.error)


class Decoded(NamedTuple):
    """Decoded image, uint8 [side, side, 4] (RGB and mask), and its metadata."""

    pixels: np.ndarray
    facts: Facts


def read_photo(path: File, mask: File | None, side: int, fit: str, hair: Hair = AUTO) -> Decoded:
    """Decode, orient and resize an image with its mask.

    Image: oriented by EXIF (AVIF and HEIC by their own properties), converted to 8-bit RGB without
    colour management, as in timm and torchvision. Transparency is composited on white; timm and
    torchvision drop the alpha channel, revealing hidden pixels. Resized by antialiased bicubic
    interpolation, as for the pretrained weights.

    Mask: oriented by its own EXIF; must then have the shape or aspect ratio of the image. A
    non-constant alpha channel is the mask. Resized by area averaging, which keeps soft values.
    Levels of 16-bit images and masks are decided over the set by `decide_levels`.

    Args:
        path: image file of a supported format, detected by content; the first or, for HEIC, primary
            image is read.
        mask: mask file, or None for a mask of zeros.
        side: height and width of the result in pixels.
        fit: "squash" resizes to the square; "pad" keeps the aspect ratio and pads both ends with
            the ImageNet mean colour, mask 0.
        hair: mask values of hair.

    Returns:
        Pixels, RGB and mask (0 … 255), and the facts of the files.

    Raises:
        PhotoError: a file is unreadable, or the mask does not fit the image.
        UserError: invalid `fit`.
    """
    _require_fit(side, fit)
    with _damage_named(path, "cannot be read"):
        data = read_file(path)
        image = open_image(path, data)
        width, height = image.size
        # Large JPEGs are decoded at 1/2, 1/4 or 1/8, several times faster; the decoder averages
        # as antialiasing would. `whole` excludes the rim added by rounding up.
        drafted = image.draft(image.mode, (2 * side, 2 * side))
        whole = drafted[1] if drafted else (0, 0, width, height)
        image.load()
    with _damage_named(path, "EXIF orientation cannot be read"):
        turn = turn_of(image)
    size = (height, width) if turn in LYING else (width, height)
    shape, (left, top) = _place(size, side, fit)
    pixels = np.empty((side, side, 4), np.uint8)
    pixels[...] = (*_PADDING, 0)
    inside = pixels[top : top + shape[1], left : left + shape[0]]
    with _damage_named(path, "cannot be read"):
        rgb, white = _rgb(image)
        inside[..., :3] = resize_and_turn(rgb, whole, shape, turn, Image.Resampling.BICUBIC)
    values, mask_sha256 = None, ""
    if mask is not None:
        geometry = MaskGeometry(size, turn in LYING, shape)
        with _damage_named(path, "mask cannot be read"):
            inside[..., 3], values, mask_sha256 = read_mask(
                path, (image, data), mask, geometry, hair
            )
    # By channel, on every other pixel: 20 times faster than along the last axis.
    spread = max(int(np.ptp(inside[::2, ::2, channel].ravel())) for channel in range(3))
    sha256 = hashlib.sha256(data).hexdigest()
    return Decoded(pixels, Facts(sha256, white, spread, values, mask_sha256))


def prepare(
    index: Index, options: PrepareOptions, progress: Callable[[int, int], None]
) -> tuple[PhotoSet, list[Problem]]:
    """Decode an index in parallel and in order: the images, and a problem for each unusable one.

    Threads suffice: Pillow releases the interpreter's lock. `progress` is called in this thread
    with (images done, images in all).

    Raises:
        UserError: as in `decide_levels`.
        ValueError: less than one worker.
    """
    side, total = options.side, len(index.entries)
    _require_fit(side, options.fit)
    if options.workers < 1:
        raise ValueError(f"{options.workers} workers cannot read photographs: give 1 or more")
    images = np.empty((total, side, side, 4), np.uint8)

    def read(position: int) -> Facts | Problem:
        entry = index.entries[position]
        try:
            decoded = read_photo(entry.path, entry.mask, side, options.fit, options.hair)
        except PhotoError as error:
            return error.problem
        images[position] = decoded.pixels
        return decoded.facts

    facts: dict[int, Facts] = {}
    problems = []
    with without_warnings(), ThreadPoolExecutor(options.workers) as pool:
        for position, result in enumerate(pool.map(read, range(total))):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                facts[position] = result
            progress(position + 1, total)
    selection = usable(index, facts, options)
    # Avoid the copy if all are usable.
    images = images[selection.places] if len(selection.places) < total else images
    rescale(images, selection.factors)
    return photoset_of(index, facts, selection, images), [*problems, *selection.problems]


class Usable(NamedTuple):
    """Usable images of a set with decided levels."""

    places: np.ndarray  # positions in the index, int [m]
    factors: np.ndarray  # scale factors, float32 [m, 2], see `rescale`
    coding: str  # mask coding
    white: int  # white of 16-bit greys; 0: none
    problems: list[Problem]  # one per unusable image


def usable(index: Index, facts: Mapping[int, Facts], options: PrepareOptions) -> Usable:
    """Decide the levels of a set and select the images that conform to them.

    `facts` are those of the decoded images, by position in the index.

    Raises:
        UserError: as in `decide_levels`.
    """
    places = np.array([*facts], np.int64)
    levels = decide_levels([*facts.values()], options)
    problems = {
        **{i: ("the mask is of another coding", detail) for i, detail in levels.other.items()},
        **dict.fromkeys(levels.blank, ("the photograph is nearly one colour", "")),
        **{
            i: ("its 16-bit greys are above white", detail) for i, detail in levels.brighter.items()
        },
    }
    selected = np.array([i for i in range(len(places)) if i not in problems], np.int64)
    reported = [
        Problem(shown(index.entries[places[i]].path), *reason)
        for i, reason in sorted(problems.items())
    ]
    return Usable(places[selected], levels.factors[selected], levels.coding, levels.white, reported)


def photoset_of(
    index: Index, facts: Mapping[int, Facts], selection: Usable, images: np.ndarray | Rows
) -> PhotoSet:
    """Image set of the usable images with their pixels."""
    entries = [index.entries[place] for place in selection.places]
    return PhotoSet(
        images=images,
        labels=np.array([entry.label for entry in entries], np.int32),
        files=tuple(entry.file for entry in entries),
        subjects=tuple(entry.subject for entry in entries),
        sha256=tuple(facts[place].sha256 for place in selection.places),
        classes=index.classes,
        has_masks=index.has_masks,
        mask_coding=selection.coding,
        white=selection.white,
        mask_sha256=tuple(facts[i].mask_sha256 for i in selection.places)
        if index.has_masks
        else (),
        mask_facts=index.masks,
        further=index.further,
    )


def _require_fit(side: int, fit: str) -> None:
    if fit not in FITS:
        raise UserError(f"config.data.fit cannot be {fit!r}: it is one of {', '.join(FITS)}")
    if side < 1:
        raise ValueError(f"photographs cannot be resized to {side} pixels: give 1 or more")


@contextmanager
def without_warnings() -> Iterator[None]:
    """Suppress Pillow's warnings of large images and ignored metadata, which name no file.

    Warning filters are shared by all threads, hence set once around the reading.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


@contextmanager
def _damage_named(path: File, kind: str) -> Iterator[None]:
    try:
        yield
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotoError(Problem(shown(path), "too many pixels", str(error))) from error
    except DAMAGE as error:
        detail = getattr(error, "strerror", None) or str(error)
        raise PhotoError(Problem(shown(path), kind, detail)) from error


def _rgb(image: Image.Image) -> tuple[Image.Image, int]:
    """8-bit RGB image, and the white of 16-bit greys without a stated one, else 0."""
    white = 0
    if image.mode.startswith("I;16"):
        # Pillow would clip at 255.
        values = np.asarray(image)
        stated = _stated_white(image, values)
        white = 0 if stated else next(w for w in WHITES if w >= values.max())
        image = Image.fromarray((values // (((stated or white) + 1) >> 8)).astype(np.uint8))
    if image.format == "PPM" and image.mode == "I":  # Pillow rescales its white to 65535
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its values have 32 bits without a known white: save 8 or 16 bits")
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        paper.alpha_composite(picture)
        return paper.convert("RGB"), white
    return image if image.mode == "RGB" else image.convert("RGB"), white


def _stated_white(image: Image.Image, values: np.ndarray) -> int | None:
    """White of greys as stated by the file, if one of `WHITES`; None otherwise.

    MaxSampleValue (tag 281, TIFF 6.0) of a TIFF; 10- and 12-bit HEIC is decoded to 16 bits.
    """
    if image.format == "HEIF":
        return WHITES[-1]
    stated = getattr(image, "tag_v2", {}).get(281)
    white = max(stated) if isinstance(stated, tuple) else stated
    return white if white in WHITES and values.max() <= white else None


def _place(size: tuple[int, int], side: int, fit: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """(width, height) and (left, top) of an image of `size` (width, height) fitted to a square."""
    if fit == "squash":
        return (side, side), (0, 0)
    width, height = (max(1, round(length * side / max(size))) for length in size)
    return (width, height), ((side - width) // 2, (side - height) // 2)
