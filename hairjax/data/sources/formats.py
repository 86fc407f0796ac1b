"""The image formats that are read, and which file names stand for them."""

from collections.abc import Mapping
from pathlib import Path

from hairjax.data.sources.problems import Problem, shown

# Pillow's name of each format read, for photographs and masks, and its suffixes. Every build of
# Pillow reads these, but for the last two (`prepare.containers`).
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
# Files that are pictures to whoever put them there: they are reported, never passed over.
UNREAD_SUFFIXES = frozenset(
    {
        *(".dcm", ".j2k", ".jp2", ".jxl", ".pfm", ".psb", ".psd", ".svg", ".tga"),
        *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".raw", ".rw2"),
    }
)


def usable_name(path: Path, problems: list[Problem]) -> bool:
    """True if `path` is named like a photograph; reports the pictures that are not read."""
    suffix = path.suffix.lower()
    if suffix in UNREAD_SUFFIXES:
        kind = f"{suffix} is not read: save it as JPEG or PNG"
        problems.append(Problem(shown(path), kind, ""))
        return False
    if suffix not in SUFFIXES:
        return False
    if shown(path) != str(path):
        # Every output is UTF-8; such a name could not be written there, nor found again.
        problems.append(Problem(shown(path), "the name is not UTF-8", ""))
        return False
    return True
