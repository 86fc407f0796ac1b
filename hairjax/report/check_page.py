"""Page of ``launch.py check``: contents and findings of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet
from hairjax.data.quality import findings
from hairjax.data.quality.findings import Finding
from hairjax.report.figures.thumbnails import encode_thumbnail, overlay_mask
from hairjax.report.html import write_page
from hairjax.system.wording import counted

MOST_SHOWN = 24  # findings of a kind; check.csv has all


@dataclass(frozen=True)
class CheckReport:
    """Contents of the page.

    Attributes:
        title: heading.
        source: origin of the photographs.
        counts: title, header and rows of the table of classes and splits.
        facts: further facts about the files, by name.
        leaks: splits, each with the share of its validation photographs whose nearest training
            photograph shows the same subject.
        findings: all findings.
        photos: photographs for the thumbnails.
    """

    title: str
    source: str
    counts: tuple[str, list[str], list[list[str]]]
    facts: Sequence[tuple[str, str]]
    leaks: Sequence[tuple[str, float]]
    findings: Sequence[Finding]
    photos: PhotoSet


class Kind(NamedTuple):
    """Kind of finding: its title, advice, and whether it is shown as pairs, masks or a list."""

    title: str
    advice: str
    shown: str = ""


# In the order of the page.
_KINDS = (
    Kind(
        findings.UNUSABLE,
        "Training refuses the set until they are corrected or removed; --config.data.on_bad=skip "
        "leaves them out.",
    ),
    Kind(
        findings.SPELLING,
        "Training refuses the set until they are corrected, or --config.data.spelling is given: "
        "merge if the names on a line are one, apart if they are not.",
    ),
    Kind(findings.SPLIT, "Training refuses the set."),
    Kind(findings.IDENTICAL_CLASSES, "One of the two labels is wrong.", "pairs"),
    Kind(
        findings.NEAR_SPLITS,
        "Leakage: give both photographs the same subject, or remove one.",
        "pairs",
    ),
    Kind(
        findings.NEAR_CLASSES,
        "Copies of one photograph, one of them mislabelled, or photographs of one moment.",
        "pairs",
    ),
    Kind(findings.IDENTICAL, "The same bytes. They stay in one split, but count twice.", "pairs"),
    Kind(
        findings.NEAR,
        "Copies of one photograph, or photographs of one moment, in one split.",
        "pairs",
    ),
    Kind(findings.EMPTY, "No pixel is marked: is there no hair?", "masks"),
    Kind(findings.FULL, "More than 95 % of the pixels are marked.", "masks"),
    Kind(findings.TINY, "Less than 1 % of the pixels are marked.", "masks"),
    Kind(
        findings.ONE_INVERTED,
        "Hair is in the corners, unlike most masks: if black in some masks and white in others, "
        "save all alike.",
        "masks",
    ),
    Kind(
        findings.OUTLIER,
        "Area or centroid is more than 6 robust standard deviations from the median of the class.",
        "masks",
    ),
    Kind(findings.ALL_EMPTY, "The masks carry no information."),
    Kind(
        findings.FAINT,
        "Hair is dark grey instead of white: give its value with --mask_value=NUMBER, or soft if "
        "values are probabilities.",
    ),
    Kind(findings.INVERTED, "Hair seems to be black: give --mask_value=inverted."),
    Kind(findings.DARK, "Nearly black."),
    Kind(findings.CLIPPED, "Pixels clipped to black or white, unlike the other photographs."),
    Kind(findings.IMBALANCE, "Accuracy favours the largest class."),
    Kind(
        findings.POSITION,
        "GPS position of the camera. hairjax does not copy it; remove it before sharing a file, "
        "e.g. with exiftool -gps:all= -xmp:geotag= FILE.",
    ),
)


def write_check_page(report: CheckReport, path: Path) -> None:
    """Write the page as one HTML file, atomically.

    Raises:
        OSError: the page cannot be written.
    """
    kinds = [(kind, found) for kind in _KINDS if (found := _of_kind(report, kind.title))]
    write_page(
        "check.html",
        path,
        title=report.title,
        report=report,
        grave=[kind.title for kind, _ in kinds if kind.title in findings.GRAVE],
        pictured=any(kind.shown for kind, _ in kinds),
        tiles=_tiles(report),
        kinds=kinds,
        most=MOST_SHOWN,
        thumbnails=Thumbnails(report.photos),
    )


class Thumbnails:
    """Thumbnails by file name, as JPEG without metadata."""

    def __init__(self, photos: PhotoSet):
        self._photos = photos
        self._place = {file: i for i, file in enumerate(photos.files)}

    def photograph(self, file: str) -> bytes:
        """Thumbnail of the photograph."""
        return encode_thumbnail(self._pixels(file)[..., :3])

    def with_mask(self, file: str) -> bytes:
        """Thumbnail of the photograph, tinted inside its mask."""
        return encode_thumbnail(overlay_mask(self._pixels(file)))

    def _pixels(self, file: str) -> NDArray[np.uint8]:
        place = self._place[file]
        return self._photos.images[place : place + 1][0]


def _of_kind(report: CheckReport, kind: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == kind]


def _tiles(report: CheckReport) -> list[tuple[str, str, str]]:
    """Title, count and note of each tile."""
    photos = report.photos
    subjects = len({*photos.subjects} - {""})
    across = len(_of_kind(report, findings.NEAR_SPLITS))
    near = across + sum(
        len(_of_kind(report, kind)) for kind in (findings.NEAR, findings.NEAR_CLASSES)
    )
    masks = sum(len(_of_kind(report, kind.title)) for kind in _KINDS if kind.shown == "masks")
    return [
        (
            "Photographs",
            f"{len(photos):,}",
            f"of {counted(subjects, 'subject')}" if subjects else "subjects unknown",
        ),
        ("Cannot be used", f"{len(_of_kind(report, findings.UNUSABLE)):,}", "files"),
        ("Near-duplicates", f"{near:,}", f"pairs, {across:,} of them across splits"),
        (
            "Suspicious masks",
            f"{masks:,}",
            f"of {len(photos):,}" if photos.has_masks else "no masks",
        ),
    ]
