"""The image formats that are read, and which file names stand for them."""

from collections.abc import Mapping
from pathlib import Path

from hairjax.data.problems import Problem, shown

# Pillow's name of each format read, and its suffixes. Masks come from other programs than
# photographs do, so more is accepted for them.
PHOTO_FORMATS: Mapping[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
}
MASK_FORMATS: Mapping[str, tuple[str, ...]] = {
    **PHOTO_FORMATS,
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
PHOTO_SUFFIXES = frozenset(suffix for group in PHOTO_FORMATS.values() for suffix in group)
MASK_SUFFIXES = frozenset(suffix for group in MASK_FORMATS.values() for suffix in group)
# Files that are pictures to whoever put them there: they are reported, never passed over.
UNREAD_SUFFIXES = (MASK_SUFFIXES - PHOTO_SUFFIXES) | {
    *(".avif", ".heic", ".heif", ".hif", ".jp2", ".jxl", ".psd", ".svg"),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"),
}


def usable_name(path: Path, problems: list[Problem]) -> bool:
    """Say whether `path` is named like a photograph; report the pictures that are not read."""
    suffix = path.suffix.lower()
    if suffix in UNREAD_SUFFIXES:
        read = ", ".join(sorted(PHOTO_SUFFIXES))
        problems.append(Problem(shown(path), f"{suffix} is not read (only {read})", ""))
        return False
    if suffix not in PHOTO_SUFFIXES:
        return False
    if shown(path) != str(path):
        # Every output is UTF-8; such a name could not be written there, nor found again.
        problems.append(Problem(shown(path), "the name is not UTF-8", ""))
        return False
    return True
