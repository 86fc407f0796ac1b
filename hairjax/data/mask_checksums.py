"""Checksums of the masks of a run, verified on resuming."""

import csv
from collections.abc import Mapping
from pathlib import Path

from hairjax.data.photoset import PhotoSet
from hairjax.data.split import require_same_files
from hairjax.system.files import write_csv

_COLUMNS = ("file", "sha256")


def write_checksums(path: Path, photoset: PhotoSet) -> None:
    """Write a CSV with the columns file (of the image) and sha256 (of its mask).

    The checksums must be known (``photoset.mask_sha256``).
    """
    write_csv(path, _COLUMNS, zip(photoset.files, photoset.mask_sha256, strict=True))


def read_checksums(path: Path) -> dict[str, str]:
    """Read the CSV of `write_checksums`: SHA-256 of the mask by image file."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
        return {row["file"]: row["sha256"] for row in csv.DictReader(text)}


def require_same_masks(listed: Mapping[str, str], photoset: PhotoSet) -> None:
    """Raise if masks differ from the recorded checksums; images without a record pass.

    Raises:
        UserError: masks have other contents.
    """
    if not listed or not photoset.mask_sha256:
        return
    present = zip(photoset.files, photoset.mask_sha256, strict=True)
    changed = sorted(file for file, sha256 in present if listed.get(file, sha256) != sha256)
    require_same_files("masks", {"changed, of": changed})
