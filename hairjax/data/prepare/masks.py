"""Reading hair masks: whatever they are stored as, to uint8 in the shape of the photograph."""

import numpy as np
from PIL import Image, ImageChops

from hairjax.data.prepare.decode import LYING, open_image, read_file, resize_and_turn, turn_of
from hairjax.data.sources.problems import PhotoError, Problem
from hairjax.data.sources.record import File

_MOST = 0.5  # of the pixels of a mask are 0 or 255, soft as its edges may be


def read_mask(
    path: File,
    photo: tuple[Image.Image, bytes],
    mask: File,
    size: tuple[int, int],
    lying: bool,
    shape: tuple[int, int],
) -> np.ndarray:
    """Read the mask of the photograph `path` as uint8 [height, width].

    `photo` is that photograph as decoded, and its file's bytes. `size` is the turned photograph's
    and `shape` the result's, each (width, height); `lying` says that turning the photograph changed
    its sides over.
    """
    data = read_file(mask)
    image = open_image(mask, data)
    image.load()
    _require_other(path, photo, mask, (image, data))
    turn = turn_of(image)
    found = image.size[::-1] if turn in LYING else image.size
    _require_shape(path, mask, found, size, lying)
    values = Image.fromarray(_mask_values(image))
    return resize_and_turn(values, (0, 0, *image.size), shape, turn, Image.Resampling.BOX)


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


def _mask_values(image: Image.Image) -> np.ndarray:
    """Return a mask as uint8 [height, width], 0 … 255, whatever it is stored as."""
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        if alpha.min() < alpha.max():
            return alpha
    if image.mode == "P":
        values = _palette_values(image)
    elif image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
    elif image.mode in ("1", "L", "LA"):
        values = np.asarray(image.convert("L"))
    else:
        red, green, blue = image.convert("RGB").split()
        values = np.asarray(ImageChops.lighter(ImageChops.lighter(red, green), blue))
    peak = values.max()
    if not (values.min() >= 0 and peak <= 65535):
        raise ValueError(f"its values {values.min()} … {peak} are not within 0 … 65535")
    # A largest value of 1 is 0/1 (or 0 … 1): of 255 it would be nothing, and that everywhere.
    # In the same way 16 bits that never pass 255 hold 8.
    if peak <= 1 or peak > 255:
        values = values * (255.0 if peak <= 1 else 255 / 65535)
    return values if values.dtype == np.uint8 else np.rint(values).astype(np.uint8)


def _palette_values(image: Image.Image) -> np.ndarray:
    """Return a palette mask as uint8 [height, width]: its greys where it has them, else 0 or 255.

    In colours (as label tools paint) black is the background, or index 0 where black is not used;
    more than two of them are a map of several things, and which is hair cannot be known.
    """
    index = np.asarray(image)
    palette = np.zeros((256, 3), np.uint8)
    stored = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[: len(stored)] = stored
    used = np.unique(index)
    colours = np.unique(palette[used], axis=0)
    grey = (colours == colours[:, :1]).all()
    if grey and (len(colours) > 1 or len(used) == 1):
        return palette[index, 0]
    if len(used) > 2:
        raise ValueError(
            f"its palette paints {len(used)} classes, and a mask has two: save as grey"
        )
    black = palette.max(axis=1) == 0
    background = black[index] if black[used].any() and len(colours) > 1 else index == 0
    return np.where(background, 0, 255).astype(np.uint8)
