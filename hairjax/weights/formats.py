"""Detect the format of a file of weights by its content, not its name."""

import json
import pickle
import re
import zipfile
from pathlib import Path

from hairjax.system.errors import examples
from hairjax.weights import WeightsError
from hairjax.weights.pth import LEGACY_MAGIC

SAFETENSORS, NPZ, INDEX = "safetensors", "an archive of NumPy's", "an index of parts"
ZIPPED, LEGACY = "a file of torch.save", "a file of torch.save's old format"
UNKNOWN = "a file of weights"
READ = "safetensors, NumPy's .npz and torch.save, whatever the file is called"
HEADER = 100_000_000  # bytes, safetensors' own limit
MAGIC = pickle.dumps(LEGACY_MAGIC, protocol=2)
# Other files mistaken for weights, by magic bytes.
OTHERS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes; save its arrays by name as .npz",
    b"\x93NUMPY": "one NumPy array without a name; save all by name with numpy.savez",
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"BZh": "compressed by bzip2; unpack it",
    b"\xfd7zXZ\x00": "compressed by xz; unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"GGUF": "a GGUF file with quantised values; take the original file",
    b"%PDF": "a PDF",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
}


def format_of(path: Path) -> str:
    """Format of a file of weights; ``UNKNOWN`` may be a pickle, or anything.

    Raises:
        WeightsError: another kind of file; says which and what to do.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise WeightsError(f"{path} is empty; was its download or copy cut short?")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < HEADER:
        return SAFETENSORS
    if head.startswith(b"PK\x03\x04"):
        return _format_of_archive(path)
    if head.startswith(MAGIC):
        return LEGACY
    for first, description in OTHERS.items():
        if head.startswith(first):
            raise WeightsError(f"{path} is {description}. Weights are read from {READ}")
    if head[257:262] == b"ustar":
        raise WeightsError(f"{path} is a tar archive; unpack it and give the weights in it")
    return _format_of_text(path, head)


def _format_of_archive(path: Path) -> str:
    """Format of a zip archive: torch.save (one pickle) or NumPy (``.npy`` files)."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # zipfile raises many kinds for a damaged directory
        raise WeightsError(
            f"{path} cannot be read as an archive ({error}); is it whole?"
        ) from error
    if any(name.endswith("/constants.pkl") for name in names):
        raise WeightsError(
            f"{path} is a TorchScript program, which is not run; save its parameters with "
            "torch: torch.save(torch.jit.load(FILE).state_dict(), OTHER)"
        )
    if any(re.fullmatch(r"[^/]+/data\.pkl", name) for name in names):
        return ZIPPED
    if any(name.endswith(".npy") for name in names):
        return NPZ
    raise WeightsError(
        f"{path} is a zip archive of other files ({examples(names, 3) or 'none'}), neither of "
        "torch.save nor of NumPy; unpack it and give the file of weights in it"
    )


def _format_of_text(path: Path, head: bytes) -> str:
    """``INDEX`` or ``UNKNOWN``; raises for web pages, LFS pointers and other text."""
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if text.startswith("version https://git-lfs.github.com/spec/"):
        size = re.search(r"^size (\d+)", text, re.MULTILINE)
        meant = f" ({int(size[1]) / 2**20:,.1f} MiB)" if size else ""
        raise WeightsError(
            f"{path} is a Git LFS pointer to the weights{meant}, not the weights: run git lfs pull "
            "in its repository, or download the file itself"
        )
    if re.match("<.{,1000}?(?<=<)(?:!doctype html|html)", text, re.IGNORECASE | re.DOTALL):
        title = re.search(r"<title[^>]*>\s*([^<]{1,80})", text, re.IGNORECASE)
        named = f" (“{' '.join(title[1].split())}”)" if title else ""
        raise WeightsError(
            f"{path} is a web page{named}, not the weights: the download was answered by a page; "
            "open the address in a browser, confirm or sign in, and download the file itself"
        )
    if text.startswith(("<?xml", "<Error")):
        raise WeightsError(
            f"{path} is an answer in XML ({' '.join(text[:80].split())}), not the weights; "
            "download the file itself"
        )
    if text.startswith("{"):
        if is_index(path):
            return INDEX
        raise WeightsError(
            f"{path} is JSON ({' '.join(text[:80].split())}), neither weights nor an index of "
            "their parts (weight_map); was its download answered by a message?"
        )
    return UNKNOWN


def is_index(path: Path) -> bool:
    """True for a JSON index of shards."""
    try:
        return isinstance(json.loads(path.read_bytes())["weight_map"], dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def holds_weights(path: Path) -> bool:
    """True if a file has the magic bytes of a known format."""
    try:
        return format_of(path) not in (UNKNOWN, INDEX)
    except WeightsError:
        return False
