"""Reading photographs: decode, turn as EXIF says, lay the mask on, resize to a square of uint8.

`read_photo` is the one way from a file to pixels, for training, evaluation and prediction alike.
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
from hairjax.data.prepare.masks import Placed, read_mask
from hairjax.data.sources.photos import Index
from hairjax.data.sources.problems import PhotoError, Problem, shown
from hairjax.data.sources.record import File
from hairjax.system.errors import UserError

FITS = ("squash", "pad")
# To be raised whenever `read_photo` gives other pixels or facts: it tells prepared sets apart.
PREPARATION = 4
# ImageNet's mean colour: zero once normalised, so that padding says nothing.
_PADDING = (124, 116, 104)
# What Pillow is known to raise on damaged files, over and above its own bomb error.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, RuntimeError, struct.error)


class Decoded(NamedTuple):
    """A photograph as it was read: uint8 [side, side, 4], RGB and mask, and what is known of it."""

    pixels: np.ndarray
    facts: Facts


def read_photo(path: File, mask: File | None, side: int, fit: str, hair: Hair = AUTO) -> Decoded:
    """Read one photograph and its mask as the model sees them, but for augmentation.

    The photograph is turned as its EXIF orientation says (AVIF and HEIC as their own properties
    do). Grey, palette, CMYK, 10- and 16-bit pictures become 8-bit RGB, without regard to colour
    profiles, as in timm and torchvision. Transparency is laid on white, which is what whoever looks
    at the file sees: dropping the alpha channel, as timm and torchvision do, would show what the
    file hides there. The photograph is then resized by antialiased bicubic interpolation, the one
    under which the pretrained weights were made.

    The mask, turned as its own EXIF orientation says, must have the turned photograph's shape or
    its aspect ratio. Where its alpha channel varies, that is the mask. It is resized by area, so
    that soft values stay what they mean. What the levels of 16-bit photographs and of masks stand
    for is decided for a whole set, by `decide_levels`.

    Args:
        path: a file of a format that is read (its first picture, of HEIC the primary one), told by
            its content and not by its name.
        mask: an image file, or None for a mask of zeros.
        side: height and width of the result in pixels.
        fit: "squash" resizes both sides to the square; "pad" keeps the aspect ratio and pads both
            ends of the shorter side with ImageNet's mean colour, mask 0.
        hair: values of the mask that stand for hair.

    Returns:
        Pixels, RGB and then the mask (0 … 255), with the SHA-256 of the file at `path`.

    Raises:
        PhotoError: either file cannot be read or the mask does not fit the photograph.
        UserError: `fit` is neither.
    """
    _require_fit(side, fit)
    with _damage_named(path, "cannot be read"):
        data = read_file(path)
        image = open_image(path, data)
        width, height = image.size
        # A JPEG more than twice too large is decoded at 1/2, 1/4 or 1/8, several times faster: the
        # decoder averages what antialiasing would. `whole` is the picture without the rim that
        # rounding its size up adds.
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
        placed = Placed(size, turn in LYING, shape)
        with _damage_named(path, "mask cannot be read"):
            inside[..., 3], values, mask_sha256 = read_mask(path, (image, data), mask, placed, hair)
    # Channel by channel, on every other pixel: along the last axis it takes twenty times as long.
    spread = max(int(np.ptp(inside[::2, ::2, channel].ravel())) for channel in range(3))
    sha256 = hashlib.sha256(data).hexdigest()
    return Decoded(pixels, Facts(sha256, white, spread, values, mask_sha256))


def prepare(
    index: Index, options: PrepareOptions, progress: Callable[[int, int], None]
) -> tuple[PhotoSet, list[Problem]]:
    """Read every photograph of `index` in parallel, in its order whatever the number of workers.

    Threads serve: Pillow works outside the interpreter's lock, and nothing has to be copied
    between processes.

    Args:
        index: photographs that `find_photos` found.
        options: side, fit and workers, and what the masks hold.
        progress: called in this thread with (photographs done, photographs in all).

    Returns:
        The photographs that could be read, and a problem for each of the others.

    Raises:
        UserError: it cannot be known which values of the masks are hair, or the 16-bit greys are
            of another depth than the run's.
    """
    side, total = options.side, len(index.entries)
    _require_fit(side, options.fit)
    if options.workers < 1:
        raise ValueError(f"{options.workers} workers cannot read photographs: give 1 or more")
    images = np.empty((total, side, side, 4), np.uint8)

    def read(position: int) -> Facts | Problem:
        entry = index.entries[position]
        try:
            found = read_photo(entry.path, entry.mask, side, options.fit, options.hair)
        except PhotoError as error:
            return error.problem
        images[position] = found.pixels
        return found.facts

    facts: dict[int, Facts] = {}
    problems = []
    with without_warnings(), ThreadPoolExecutor(options.workers) as pool:
        for position, result in enumerate(pool.map(read, range(total))):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                facts[position] = result
            progress(position + 1, total)
    found = usable(index, facts, options)
    # Indexing copies everything: not for nothing.
    images = images[found.places] if len(found.places) < total else images
    rescale(images, found.factors)
    return photoset_of(index, facts, found, images), [*problems, *found.problems]


class Usable(NamedTuple):
    """Photographs that can be used, once the levels of the set are decided.

    Attributes:
        places: their places in the index, int [m].
        factors: factors of their levels, float32 [m, 2], see `rescale`.
        coding: coding of their masks.
        white: white of their greys of 16 bits; 0 where there are none.
        problems: one for each that cannot.
    """

    places: np.ndarray
    factors: np.ndarray
    coding: str
    white: int
    problems: list[Problem]


def usable(index: Index, facts: Mapping[int, Facts], options: PrepareOptions) -> Usable:
    """Decide the levels of a set, and which of its photographs have masks of its coding.

    Args:
        index: photographs that `find_photos` found.
        facts: what is known of those that could be read, by their place in the index.
        options: what the masks hold.

    Raises:
        UserError: it cannot be known which values of the masks are hair, or the 16-bit greys are
            of another depth than the run's.
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
    kept = np.array([i for i in range(len(places)) if i not in problems], np.int64)
    said = [
        Problem(shown(index.entries[places[i]].path), *what) for i, what in sorted(problems.items())
    ]
    return Usable(places[kept], levels.factors[kept], levels.coding, levels.white, said)


def photoset_of(
    index: Index, facts: Mapping[int, Facts], found: Usable, images: np.ndarray | Rows
) -> PhotoSet:
    """The photographs that can be used, with their pixels."""
    entries = [index.entries[place] for place in found.places]
    return PhotoSet(
        images=images,
        labels=np.array([entry.label for entry in entries], np.int32),
        files=tuple(entry.file for entry in entries),
        subjects=tuple(entry.subject for entry in entries),
        sha256=tuple(facts[place].sha256 for place in found.places),
        classes=index.classes,
        has_masks=index.has_masks,
        mask_coding=found.coding,
        white=found.white,
        mask_sha256=tuple(facts[i].mask_sha256 for i in found.places) if index.has_masks else (),
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
    """Silence Pillow, whose warnings name no file and tell of nothing that a picture lacks.

    It warns of a number of pixels that phones reach (and refuses twice as many) and of metadata
    that it passes over. Filters belong to all threads, so they are not set where a warning arises.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


@contextmanager
def _damage_named(path: File, kind: str) -> Iterator[None]:
    """Turn whatever Pillow raises on a damaged file into a PhotoError for the photograph `path`."""
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
    """The picture as 8-bit RGB; of 16-bit greys of no stated white what its 255 is, else 0."""
    white = 0
    if image.mode.startswith("I;16"):
        # Pillow would clip at 255.
        values = np.asarray(image)
        stated = _stated_white(image, values)
        white = 0 if stated else next(w for w in WHITES if w >= values.max())
        image = Image.fromarray((values // (((stated or white) + 1) >> 8)).astype(np.uint8))
    if image.format == "PPM" and image.mode == "I":  # of whose stated white Pillow makes 65535
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its values have 32 bits, of which white cannot be known: save 8 or 16")
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        paper.alpha_composite(picture)
        return paper.convert("RGB"), white
    return image if image.mode == "RGB" else image.convert("RGB"), white


def _stated_white(image: Image.Image, values: np.ndarray) -> int | None:
    """The largest value of greys as the file states it, where it is one of so many bits.

    Of a TIFF MaxSampleValue, tag 281 of TIFF 6.0; HEIC of 10 and 12 bits is decoded to 16.
    """
    if image.format == "HEIF":
        return WHITES[-1]
    stated = getattr(image, "tag_v2", {}).get(281)
    white = max(stated) if isinstance(stated, tuple) else stated
    return white if white in WHITES and values.max() <= white else None


def _place(size: tuple[int, int], side: int, fit: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (width, height) and (left, top) of a picture of `size` (width, height) in a square."""
    if fit == "squash":
        return (side, side), (0, 0)
    width, height = (max(1, round(length * side / max(size))) for length in size)
    return (width, height), ((side - width) // 2, (side - height) // 2)
