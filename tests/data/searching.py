"""The search for photographs and masks that tests of masks have in common."""

from pathlib import Path

from hairjax.data.sources.mask_rule import MaskRule
from hairjax.data.sources.photos import Index, Search, find_photos


def find(root: Path, masks="masks", photos="photos", manifest="", **rule) -> Index:
    return find_photos(
        Search(
            photos=str(root / photos),
            masks=str(root / masks),
            manifest=manifest and str(root / manifest),
            subject="",
            classes=None,
            need_masks=True,
            mask_rule=MaskRule(**rule),
        )
    )
