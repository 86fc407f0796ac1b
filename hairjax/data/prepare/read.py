"""Reading photographs: decode, turn as EXIF says, lay the mask on, resize to a square of uint8.

`read_photo` is the one way from a file to pixels, for training, evaluation and prediction alike.
"""

import hashlib
import struct
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from PIL import Image

from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.decode import LYING, open_image, read_file, resize_and_turn, turn_of
from hairjax.data.prepare.masks import read_mask
from hairjax.data.sources.photos import Entry, Index
from hairjax.data.sources.problems import PhotoError, Problem, shown
from hairjax.data.sources.record import File
from hairjax.system.errors import UserError

FITS = ("squash", "pad")
# To be raised whenever `read_photo` gives other pixels: prepared sets are told apart by it.
PREPARATION = 1
# ImageNet's mean colour: zero once normalised, so that padding says nothing.
_PADDING = (124, 116, 104)
# What Pillow is known to raise on damaged files, over and above its own bomb error.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)


def read_photo(path: File, mask: File | None, side: int, fit: str) -> tuple[np.ndarray, str]:
    """Read one photograph and its mask as the model sees them, but for augmentation.

    The photograph is turned as its EXIF orientation says. Grey, palette, CMYK and 16-bit pictures
    become 8-bit RGB, without regard to colour profiles, as in timm and torchvision. Transparency is
    laid on white, which is what whoever looks at the file sees: dropping the alpha channel, as
    timm and torchvision do, would show what the file hides there. The photograph is then resized
    by antialiased bicubic interpolation, the one under which the pretrained weights were made.

    The mask, turned as its own EXIF orientation says, must have the turned photograph's shape or
    its aspect ratio. Where its alpha channel varies, that is the mask; else its brightest channel
    is, 0/1 as well as 0/255. It is resized by area, so that soft values stay what they mean.

    Args:
        path: a JPEG, PNG, WebP, BMP, TIFF or GIF file (its first picture), told by its content
            and not by its name.
        mask: an image file, or None for a mask of zeros.
        side: height and width of the result in pixels.
        fit: "squash" resizes both sides to the square; "pad" keeps the aspect ratio and pads both
            ends of the shorter side with ImageNet's mean colour, mask 0.

    Returns:
        uint8 [side, side, 4]: RGB, then the mask (0 … 255); and the SHA-256 of the file at `path`.

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
        inside[..., :3] = resize_and_turn(_rgb(image), whole, shape, turn, Image.Resampling.BICUBIC)
    if mask is not None:
        with _damage_named(path, "mask cannot be read"):
            inside[..., 3] = read_mask(path, (image, data), mask, size, turn in LYING, shape)
    return pixels, hashlib.sha256(data).hexdigest()


def prepare(
    index: Index, side: int, fit: str, workers: int, progress: Callable[[int, int], None]
) -> tuple[PhotoSet, list[Problem]]:
    """Read every photograph of `index` in parallel, in its order whatever the number of workers.

    Threads serve: Pillow works outside the interpreter's lock, and nothing has to be copied
    between processes.

    Args:
        index: photographs that `find_photos` found.
        side: height and width of the result in pixels.
        fit: "squash" or "pad", as in `read_photo`.
        workers: photographs decoded at the same time, at least 1.
        progress: called in this thread with (photographs done, photographs in all).

    Returns:
        The photographs that could be read, and a problem for each of the others.

    Raises:
        UserError: `fit` is neither.
    """
    _require_fit(side, fit)
    if workers < 1:
        raise ValueError(f"{workers} workers cannot read photographs: give 1 or more")
    total = len(index.entries)
    images = np.empty((total, side, side, 4), np.uint8)

    def read(position: int) -> str | Problem:
        entry = index.entries[position]
        try:
            images[position], digest = read_photo(entry.path, entry.mask, side, fit)
        except PhotoError as error:
            return error.problem
        return digest

    kept: list[tuple[int, Entry, str]] = []
    problems = []
    with without_warnings(), ThreadPoolExecutor(workers) as pool:
        for position, result in enumerate(pool.map(read, range(total))):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                kept.append((position, index.entries[position], result))
            progress(position + 1, total)
    photoset = PhotoSet(
        # Indexing copies everything: not for nothing.
        images=images[[position for position, _, _ in kept]] if problems else images,
        labels=np.array([entry.label for _, entry, _ in kept], np.int32),
        files=tuple(entry.file for _, entry, _ in kept),
        subjects=tuple(entry.subject for _, entry, _ in kept),
        sha256=tuple(digest for _, _, digest in kept),
        classes=index.classes,
        has_masks=index.has_masks,
    )
    return photoset, problems


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


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would clip at 255; the high byte is what it keeps of 16-bit colour.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its values have 32 bits, of which white cannot be known: save 8 or 16")
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        paper.alpha_composite(picture)
        return paper.convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _place(size: tuple[int, int], side: int, fit: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (width, height) and (left, top) of a picture of `size` (width, height) in a square."""
    if fit == "squash":
        return (side, side), (0, 0)
    width, height = (max(1, round(length * side / max(size))) for length in size)
    return (width, height), ((side - width) // 2, (side - height) // 2)
