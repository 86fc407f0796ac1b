"""Reading hair masks: whatever they are stored as, to uint8 in the shape of the photograph."""

import hashlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image

from hairjax.data.prepare.decode import LYING, open_image, read_file, resize_and_turn, turn_of
from hairjax.data.prepare.mask_values import AUTO, DRAWN, Hair, MaskValues, read_values
from hairjax.data.sources.problems import PhotoError, Problem
from hairjax.data.sources.record import DrawnMask, File


class Placed(NamedTuple):
    """How the photograph of a mask lies: sizes are (width, height).

    Attributes:
        size: its size, turned.
        lying: True if turning it changed its sides over.
        shape: size of the result.
    """

    size: tuple[int, int]
    lying: bool
    shape: tuple[int, int]


_MOST = 0.5  # of the pixels of a mask are 0 or 255, soft as its edges may be


def read_mask(
    path: File,
    photo: tuple[Image.Image, bytes],
    mask: File,
    placed: Placed,
    hair: Hair,
) -> tuple[np.ndarray, MaskValues, str]:
    """Read the mask of the photograph `path`: uint8 [height, width], what it holds, its SHA-256.

    `photo` is that photograph as decoded, and its file's bytes.
    """
    data = read_file(mask)
    image = open_image(mask, data)
    image.load()
    _require_other(path, photo, mask, (image, data))
    turn = turn_of(image)
    size = image.size[::-1] if turn in LYING else image.size
    _require_shape(path, mask, size, placed.size, placed.lying)
    if isinstance(mask, DrawnMask):
        share, values = read_values(image, AUTO)
        values = replace(values, kind=DRAWN)
    else:
        share, values = read_values(image, hair)
    whole, box = Image.fromarray(share), (0, 0, *image.size)
    found = resize_and_turn(whole, box, placed.shape, turn, Image.Resampling.BOX)
    return found, values, hashlib.sha256(data).hexdigest()


def _require_other(
    path: File,
    photo: tuple[Image.Image, bytes],
    mask: File,
    found: tuple[Image.Image, bytes],
) -> None:
    """Refuse the photograph itself as its mask, and a photograph as the mask of a mask."""
    if found[1] == photo[1]:
        raise PhotoError(Problem(str(path), "the mask is the photograph itself", str(mask)))
    colourful = found[0].mode in ("RGB", "CMYK", "YCbCr") and _colours(found[0]) is None
    if colourful and _is_black_and_white(photo[0]):
        kind = "the photograph is black and white and its mask in many colours: are they swapped?"
        raise PhotoError(Problem(str(path), kind, str(mask)))


def _colours(image: Image.Image) -> list | None:
    """(Pixels, colour) of an image; None where there are more colours than greys can be."""
    return image.convert("RGB").getcolors(256)


def _is_black_and_white(image: Image.Image) -> bool:
    """True if most pixels are 0 or 255, and the others grey, as in a mask."""
    if image.mode.startswith(("I", "F")):
        return False  # as RGB, Pillow would clip them to white
    colours = _colours(image)
    if colours is None or any(len(set(colour)) > 1 for _, colour in colours):
        return False
    ends = sum(pixels for pixels, (grey, *_) in colours if grey in (0, 255))
    return ends >= _MOST * image.width * image.height


def _require_shape(
    path: File, mask: File, found: tuple[int, int], size: tuple[int, int], lying: bool
) -> None:
    def same_aspect(width: int, height: int) -> bool:
        # Rounding may have moved either side of the mask by a pixel.
        return abs(found[0] * height - found[1] * width) <= width + height

    unturned = size[::-1]
    if found == size or (same_aspect(*size) and not (lying and found == unturned)):
        return
    shapes = f"{mask} is {found[0]} × {found[1]}, the photograph {size[0]} × {size[1]}"
    if lying and same_aspect(*unturned):
        kind = "the mask has the shape of the photograph before EXIF turns it: turn the mask too"
    else:
        kind = "the mask has another aspect ratio than the photograph"
    raise PhotoError(Problem(str(path), kind, shapes))
