"""AVIF and HEIC: detection by content, and decoders.

Both use the HEIF container (ISO/IEC 23008-12), whose first box names its brands. Pillow decodes
AVIF if built with it; HEIC needs the optional pillow-heif.
"""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from PIL import features

from hairjax.data.sources.problems import PhotoError, Problem, shown
from hairjax.data.sources.record import File

START = 512  # leading bytes of a file that hold its brands
# Brands of still images and bursts, and brands of the container alone.
_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_EITHER = frozenset({b"mif1", b"msf1"})
NO_HEIF = "HEIC needs pillow-heif: pip install -r requirements-heic.txt, or save it as JPEG or PNG"
NO_AVIF = (
    "AVIF needs a Pillow with AVIF support: pip install --upgrade pillow, or save it as JPEG or PNG"
)


def container_of(path: File, start: bytes) -> str | None:
    """Return ``AVIF`` or ``HEIF``, Pillow's format name, or None; registers the decoder.

    Decided by the first `START` bytes of the file.

    Raises:
        PhotoError: the decoder is not installed.
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
    """Versions of the optional decoders, "" if absent; they determine the pixels."""
    try:
        heif = version("pillow-heif")
    except PackageNotFoundError:
        heif = ""
    return [heif, features.version("avif") or ""]


def _brands(start: bytes) -> set[bytes]:
    """Major and compatible brands of the first box."""
    if start[4:8] != b"ftyp":
        return set()
    box = start[8 : int.from_bytes(start[:4], "big")]
    return {box[:4], *(box[i : i + 4] for i in range(8, len(box) - 3, 4))}


@cache
def _register_heif() -> bool:
    # One thread per image, as images are decoded in parallel. No thumbnails, which Pillow would
    # use for downsizing, no depth.
    options = {"decode_threads": 1, "thumbnails": False, "depth_images": False, "aux_images": False}
    try:
        from pillow_heif import register_heif_opener

        register_heif_opener(**options)
    except ImportError:  # of the package or of its library
        return False
    return True
