"""Supported image formats and their suffixes."""

from collections.abc import Mapping
from pathlib import Path

from hairjax.data.sources.problems import Problem, shown

# Suffixes by Pillow format, for images and masks. The last two need optional decoders
# (`prepare.containers`).
FORMATS: Mapping[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "AVIF": (".avif", ".avifs"),
    "HEIF": (".heic", ".heif", ".hif", ".heics", ".heifs"),
    "PPM": (".pbm", ".pgm", ".ppm", ".pnm"),
}
STATED_WHITE = "largest value stated"  # in the info of an opened PGM or PPM
SUFFIXES = frozenset(suffix for group in FORMATS.values() for suffix in group)
# Unsupported image files, which are reported.
UNREAD_SUFFIXES = frozenset(
    {
        *(".dcm", ".j2k", ".jp2", ".jxl", ".pfm", ".psb", ".psd", ".svg", ".tga"),
        *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".raw", ".rw2"),
    }
)


def usable_name(path: Path, problems: list[Problem]) -> bool:
    """True if `path` has the suffix of a supported image; reports unsupported images."""
    suffix = path.suffix.lower()
    if suffix in UNREAD_SUFFIXES:
        kind = f"{suffix} is not read: save it as JPEG or PNG"
        problems.append(Problem(shown(path), kind, ""))
        return False
    if suffix not in SUFFIXES:
        return False
    if shown(path) != str(path):
        # Every output is UTF-8, which cannot hold such a name.
        problems.append(Problem(shown(path), "the name is not UTF-8", ""))
        return False
    return True
