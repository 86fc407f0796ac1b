"""Checksums of the masks that a run began with, to which it keeps."""

import csv
from collections.abc import Mapping
from pathlib import Path

from hairjax.data.photoset import PhotoSet
from hairjax.data.split import refuse_others
from hairjax.system.files import write_csv

_COLUMNS = ("file", "sha256")


def write_masks(path: Path, photoset: PhotoSet) -> None:
    """Write the checksum of every photograph's mask as CSV: file (the photograph's), sha256."""
    write_csv(path, _COLUMNS, zip(photoset.files, photoset.mask_sha256, strict=True))


def read_masks(path: Path) -> dict[str, str]:
    """The inverse of `write_masks`: SHA-256 of the mask by its photograph's file."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
        return {row["file"]: row["sha256"] for row in csv.DictReader(text)}


def require_same_masks(listed: Mapping[str, str], photoset: PhotoSet) -> None:
    """Refuse masks that are not exactly those a run began with; nothing listed refuses none.

    Raises:
        UserError: masks have other contents; examples are named.
    """
    if not listed or not photoset.mask_sha256:
        return
    present = zip(photoset.files, photoset.mask_sha256, strict=True)
    changed = sorted(file for file, sha256 in present if listed.get(file, sha256) != sha256)
    refuse_others("masks", {"changed, of": changed})
