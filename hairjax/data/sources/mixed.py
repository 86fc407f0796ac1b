"""Detect masks among images if no masks are configured."""

from collections.abc import Collection, Mapping
from pathlib import Path

from hairjax.data.sources.mask_like import are_like_masks
from hairjax.data.sources.mask_names import by_folder, tell_naming
from hairjax.data.sources.masks import beside
from hairjax.data.sources.spelling import class_key
from hairjax.system.errors import UserError

_FOLDERS = frozenset(map(class_key, ("mask", "masks", "segmentation", "segmentations")))
_LEAST = 2  # fewer masks may be chance


def require_no_class_of_masks(labels: Collection[str]) -> None:
    """Raise if a class folder is named like a folder of masks.

    Raises:
        UserError: there is one.
    """
    for label in labels:
        if class_key(label) in _FOLDERS:
            raise UserError(
                f"a folder of classes is named {label!r}: if it holds masks, give it with "
                "--config.data.masks (of check --masks; with train, valid and test move all masks "
                "into one folder, masks/train/… as photos/train/…); if it is a class, name all in "
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
    if are_like_masks([photos[file] for file in found]):
        raise UserError(
            f"{len(found):,} of the {len(photos):,} pictures are masks of others, beside them, "
            f"such as {found[0]}: {advice}, or move them elsewhere"
        )
