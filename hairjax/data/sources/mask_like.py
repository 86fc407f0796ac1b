"""Pictures that look like masks, whatever they are called."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from hairjax.data.prepare.decode import open_header
from hairjax.data.sources.problems import PhotoError

_LOOKED_AT = 8
_FEW = 32  # colours of a label map


def are_like_masks(paths: Sequence[Path]) -> bool:
    """True if each of a few of the pictures has few colours, or is grey and black and white."""
    step = max(1, len(paths) // _LOOKED_AT)
    return all(map(_is_like_a_mask, paths[::step]))


def _is_like_a_mask(path: Path) -> bool:
    """True if a picture has few colours, or is grey and mostly black and white."""
    try:
        with open_header(path) as image:
            red, green, blue = image.convert("RGB").split()
            grey = red.tobytes() == green.tobytes() == blue.tobytes()
            colours = image.convert("RGB").getcolors(256)
            ends = sum(red.histogram()[end] for end in (0, 255))
            size = image.width * image.height
    except (PhotoError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False  # which reading it will report
    if colours is None:
        return False
    if len(colours) <= _FEW:
        return True
    return grey and 2 * ends >= size
