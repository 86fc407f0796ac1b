"""Read hair masks of any storage as uint8 in the shape of the image."""

import hashlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image

from hairjax.data.prepare.decode import LYING, open_image, read_file, resize_and_turn, turn_of
from hairjax.data.prepare.mask_values import AUTO, RASTERISED, Hair, MaskValues, read_values
from hairjax.data.sources.problems import PhotoError, Problem
from hairjax.data.sources.record import File, RasterisedMask


class MaskGeometry(NamedTuple):
    """Geometry of an image for its mask; sizes are (width, height)."""

    size: tuple[int, int]  # image size after orientation
    lying: bool  # True if orientation swapped width and height
    shape: tuple[int, int]  # size of the result


_MOST = 0.5  # minimum fraction of mask pixels equal to 0 or 255, despite soft edges


def read_mask(
    path: File,
    photo: tuple[Image.Image, bytes],
    mask: File,
    geometry: MaskGeometry,
    hair: Hair,
) -> tuple[np.ndarray, MaskValues, str]:
    """Read the mask of the image `path`: uint8 [height, width], its values, SHA-256 of its file.

    `photo` is the decoded image and the bytes of its file.

    Raises:
        PhotoError: the mask is the image itself, swapped with it, or of another aspect ratio.
    """
    data = read_file(mask)
    image = open_image(mask, data)
    image.load()
    _require_other(path, photo, mask, (image, data))
    turn = turn_of(image)
    size = image.size[::-1] if turn in LYING else image.size
    _require_shape(path, mask, size, geometry.size, geometry.lying)
    if isinstance(mask, RasterisedMask):
        share, values = read_values(image, AUTO)
        values = replace(values, kind=RASTERISED)
    else:
        share, values = read_values(image, hair)
    whole, box = Image.fromarray(share), (0, 0, *image.size)
    resized = resize_and_turn(whole, box, geometry.shape, turn, Image.Resampling.BOX)
    return resized, values, hashlib.sha256(data).hexdigest()


def _require_other(
    path: File,
    photo: tuple[Image.Image, bytes],
    mask: File,
    found: tuple[Image.Image, bytes],
) -> None:
    """Raise if the mask is the image itself, or image and mask are swapped."""
    if found[1] == photo[1]:
        raise PhotoError(Problem(str(path), "the mask is the photograph itself", str(mask)))
    colourful = found[0].mode in ("RGB", "CMYK", "YCbCr") and _colours(found[0]) is None
    if colourful and _is_black_and_white(photo[0]):
        kind = "the photograph is black and white, its mask in many colours: are they swapped?"
        raise PhotoError(Problem(str(path), kind, str(mask)))


def _colours(image: Image.Image) -> list | None:
    """(Pixels, colour) pairs of an image; None if there are more colours than greys."""
    return image.convert("RGB").getcolors(256)


def _is_black_and_white(image: Image.Image) -> bool:
    if image.mode.startswith(("I", "F")):
        return False  # Pillow would clip them to white as RGB
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
        kind = "the mask has the shape of the photograph before EXIF rotation: rotate the mask too"
    else:
        kind = "the mask has another aspect ratio than the photograph"
    raise PhotoError(Problem(str(path), kind, shapes))
