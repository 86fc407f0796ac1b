"""AVIF and HEIC, the formats of phones: told by their content, and decoded where that can be.

Both lie in one container (ISO/IEC 23008-12, HEIF), whose first box names its brands. Pillow decodes
AVIF, unless it was built without; pillow-heif decodes HEIC, and is not part of every installation.
"""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from PIL import features

from hairjax.data.sources.problems import PhotoError, Problem, shown
from hairjax.data.sources.record import File
from hairjax.system.program import install_command

START = 512  # bytes of a file in which its brands are
# Brands of still pictures and of bursts, and those that say no more than which container it is.
_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_EITHER = frozenset({b"mif1", b"msf1"})
NO_HEIF = f"HEIC needs pillow-heif: {install_command('heic')}, or save it as JPEG or PNG"
NO_AVIF = (
    "AVIF needs a Pillow that was built with it: pip install --upgrade pillow, or save it as JPEG "
    "or PNG"
)


def container_of(path: File, start: bytes) -> str | None:
    """Return ``AVIF`` or ``HEIF``, Pillow's name of the format, ready to be decoded; else None.

    Args:
        path: the file, for the message.
        start: its first `START` bytes.

    Raises:
        PhotoError: it is one of these, and what decodes it is not installed.
    """
    brands = _brands(start)
    if brands & _AVIF and not brands & _HEIC:
        if not features.check("avif"):
            raise PhotoError(Problem(shown(path), NO_AVIF, ""))
        return "AVIF"
    if brands & (_HEIC | _EITHER):
        if not _register_heif():
            raise PhotoError(Problem(shown(path), NO_HEIF, ""))
        return "HEIF"
    return None


def decoders() -> list[str]:
    """Return versions of the decoders, "" for none: others give other pixels."""
    try:
        heif = version("pillow-heif")
    except PackageNotFoundError:
        heif = ""
    return [heif, features.version("avif") or ""]


def _brands(start: bytes) -> set[bytes]:
    """Brands that the first box names: its own, then those it is compatible with."""
    if start[4:8] != b"ftyp":
        return set()
    box = start[8 : int.from_bytes(start[:4], "big")]
    return {box[:4], *(box[i : i + 4] for i in range(8, len(box) - 3, 4))}


@cache
def _register_heif() -> bool:
    """Make Pillow read HEIC, once; False without the package."""
    # Photographs are decoded side by side, one thread each. Of thumbnails, which Pillow would be
    # given in place of a picture that is made smaller, and of depth nothing is wanted.
    wanted = {"decode_threads": 1, "thumbnails": False, "depth_images": False, "aux_images": False}
    try:
        from pillow_heif import register_heif_opener

        register_heif_opener(**wanted)
    except ImportError:  # of the package, or of the library that it brings
        return False
    return True
