"""Detect masks among images if no masks are configured."""

from collections.abc import Collection, Mapping
from pathlib import Path

from PIL import Image

from hairjax.data.prepare.decode import open_header
from hairjax.data.sources.mask_names import by_folder, tell_naming
from hairjax.data.sources.masks import beside
from hairjax.data.sources.problems import PhotoError
from hairjax.data.sources.spelling import class_key
from hairjax.system.errors import UserError

_FOLDERS = frozenset(map(class_key, ("mask", "masks", "segmentation", "segmentations")))
_LEAST = 2  # fewer masks may be chance
_LOOKED_AT = 8
_FEW = 32  # colours of a label map


def require_no_class_of_masks(labels: Collection[str]) -> None:
    """Raise if a class folder is named like a folder of masks.

    Raises:
        UserError: there is one.
    """
    for label in labels:
        if class_key(label) in _FOLDERS:
            raise UserError(
                f"a folder of classes is named {label!r}: if it holds masks, give it with "
                "--config.data.masks (of check --masks); if it is a class, name all of them in "
                "config.data.classes"
            )


def require_no_masks_among(photos: Mapping[str, Path], advice: str) -> None:
    """Raise if at least half of the images have a mask beside them, by name and content.

    Raises:
        UserError: images are masks of others; the message has `advice`.
    """
    names: dict[str, list[str]] = {}
    for file in photos:
        folder, _, name = file.rpartition("/")
        names.setdefault(folder or ".", []).append(name)
    folders = by_folder(photos, lambda folder: names[folder])
    naming = tell_naming(folders, None, True, ask=False)
    found = sorted(file for file, its in beside(folders, naming).items() if its)
    if len(found) < _LEAST or 3 * len(found) < len(photos):
        return
    step = max(1, len(found) // _LOOKED_AT)
    if all(_is_like_a_mask(photos[file]) for file in found[::step]):
        raise UserError(
            f"{len(found):,} of the {len(photos):,} pictures are masks of others, beside them, "
            f"such as {found[0]}: {advice}, or move them elsewhere"
        )


def _is_like_a_mask(path: Path) -> bool:
    """True for few colours, or grey values that are mostly black and white."""
    try:
        with open_header(path) as image:
            red, green, blue = image.convert("RGB").split()
            grey = red.tobytes() == green.tobytes() == blue.tobytes()
            colours = image.convert("RGB").getcolors(256)
            ends = sum(red.histogram()[end] for end in (0, 255))
            size = image.width * image.height
    except (PhotoError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False  # reported on reading
    if colours is None:
        return False
    if len(colours) <= _FEW:
        return True
    return grey and 2 * ends >= size
