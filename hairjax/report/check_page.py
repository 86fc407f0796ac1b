"""Page of a check: contents and findings of a set of photographs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet
from hairjax.data.quality import findings
from hairjax.data.quality.findings import Finding
from hairjax.report.figures.thumbnails import jpeg, tint
from hairjax.report.html import Html, html_photograph, html_table, lines, tag, write_page
from hairjax.system.wording import counted

MOST_SHOWN = 24  # of a kind; all are in the CSV file


@dataclass(frozen=True)
class CheckReport:
    """Contents of the page.

    Attributes:
        title: the headline.
        source: where the photographs are from.
        counts: title, header and rows of the table of classes and splits.
        facts: further facts about the files, by name.
        leaks: a split, and the share of its validation photographs whose nearest training
            photograph shows the same subject.
        findings: all of them.
        photos: photographs shown as thumbnails.
    """

    title: str
    source: str
    counts: tuple[str, list[str], list[list[str]]]
    facts: Sequence[tuple[str, str]]
    leaks: Sequence[tuple[str, float]]
    findings: Sequence[Finding]
    photos: PhotoSet


_ADVICE = {
    findings.UNUSABLE: "Training refuses the set until these are corrected or removed, or leaves "
    "them out with --config.data.on_bad=skip.",
    findings.SPELLING: "Training refuses the set until they are corrected, or the rule is given: "
    "--config.data.spelling=merge if the names of a line are one, apart if they are not.",
    findings.SPLIT: "Training would refuse the set for this.",
    findings.IDENTICAL_CLASSES: "One of the two labels is wrong.",
    findings.NEAR_SPLITS: "What a model learnt from one of a pair it is tested on with the other: "
    "give both the same subject, or remove one.",
    findings.NEAR_CLASSES: "Copies of one photograph, of which one label is wrong, or photographs "
    "taken in one moment.",
    findings.IDENTICAL: "The same bytes. They are never parted, but count twice.",
    findings.NEAR: "Copies of one photograph, or photographs taken in one moment. They are in one "
    "split here.",
    findings.EMPTY: "Nothing is marked: is there no hair?",
    findings.FULL: "More than 95 % is marked.",
    findings.TINY: "Less than 1 % is marked.",
    findings.ONE_INVERTED: "Hair is in the corners, where most masks have none: if it is black in "
    "some and white in others, save all alike.",
    findings.OUTLIER: "Far from the median of the class, in area or in where its middle lies "
    "(more than 6 robust standard deviations).",
    findings.ALL_EMPTY: "A model could learn nothing from them.",
    findings.FAINT: "What should be white is dark grey: state the value of hair with "
    "--mask_value=NUMBER, or soft if these are degrees.",
    findings.INVERTED: "Hair seems to be black: state it with --mask_value=inverted.",
    findings.DARK: "Nearly nothing can be seen.",
    findings.CLIPPED: "Black or white where others of the set have detail.",
    findings.IMBALANCE: "Accuracy favours the largest class.",
    findings.POSITION: "These say where they were taken. hairjax copies it nowhere; remove it, as "
    "with exiftool -gps:all= -xmp:geotag= FILE, before a file leaves the machine.",
}
_OF_PAIRS = (
    findings.IDENTICAL_CLASSES,
    findings.NEAR_SPLITS,
    findings.NEAR_CLASSES,
    findings.IDENTICAL,
    findings.NEAR,
)
_OF_MASKS = (
    findings.EMPTY,
    findings.FULL,
    findings.TINY,
    findings.ONE_INVERTED,
    findings.OUTLIER,
)


def write_check_page(report: CheckReport, path: Path) -> None:
    """Write the page as one HTML file; it appears whole or not at all."""
    thumbnail = Thumbnails(report.photos)
    sections = (
        _summary(report),
        _photographs(report),
        *_leak(report),
        *(_section(kind, report, thumbnail) for kind in _ADVICE),
    )
    body = tag("body", *lines([section for section in sections if section]))
    write_page(report.title, body, path)


class Thumbnails:
    """Small pictures of photographs, encoded anew from pixels, so without what a file says."""

    def __init__(self, photos: PhotoSet):
        self._photos = photos
        self._place = {file: i for i, file in enumerate(photos.files)}

    def photo(self, file: str) -> Html:
        """The photograph alone."""
        return html_photograph(jpeg(self._pixels(file)[..., :3]), file)

    def masked(self, file: str) -> Html:
        """The photograph, tinted where its mask is."""
        return html_photograph(jpeg(tint(self._pixels(file))), f"{file} with its mask")

    def _pixels(self, file: str) -> NDArray[np.uint8]:
        place = self._place[file]
        return self._photos.images[place : place + 1][0]


def _summary(report: CheckReport) -> Html:
    kinds = [kind for kind in _ADVICE if _of(report, kind)]
    grave = [kind for kind in kinds if kind in findings.GRAVE]
    said = "Nothing stands in the way of training."
    if grave:
        said = "To be put right before training: " + ", ".join(grave) + "."
    tiles = (
        tag(
            "div",
            tag("div", name),
            tag("div", f"{count:,}", class_="value"),
            tag("div", note),
            class_="tile",
        )
        for name, count, note in _headline(report)
    )
    stamp = tag("p", said, class_="stamp" if grave else "muted")
    return tag(
        "header",
        tag("p", "Photographs: ", tag("strong", report.source), class_="muted"),
        tag("h1", report.title),
        stamp,
        *_warning(report),
        tag("div", *tiles, class_="tiles"),
    )


def _warning(report: CheckReport) -> list[Html]:
    """Warning that there are photographs on the page; empty if there are none."""
    if not any(_of(report, kind) for kind in (*_OF_PAIRS, *_OF_MASKS)):
        return []
    said = (
        "This page holds photographs: give it to nobody who may not see them. check.csv has none."
    )
    return [tag("p", said, class_="muted")]


def _headline(report: CheckReport) -> list[tuple[str, int, str]]:
    photos = report.photos
    subjects = len({*photos.subjects} - {""})
    across = len(_of(report, findings.NEAR_SPLITS))
    within = sum(len(_of(report, kind)) for kind in (findings.NEAR, findings.NEAR_CLASSES))
    masks = sum(len(_of(report, kind)) for kind in _OF_MASKS)
    return [
        (
            "Photographs",
            len(photos),
            f"of {counted(subjects, 'subject')}" if subjects else "subjects not known",
        ),
        ("Cannot be used", len(_of(report, findings.UNUSABLE)), "files"),
        (
            "Near-duplicates",
            within + across,
            f"pairs, {across:,} of them across splits",
        ),
        ("Masks to look at", masks, f"of {len(photos):,}" if photos.has_masks else "none given"),
    ]


def _of(report: CheckReport, kind: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == kind]


def _photographs(report: CheckReport) -> Html:
    title, header, rows = report.counts
    return tag(
        "section",
        tag("h2", "Photographs"),
        tag("p", f"{title[:1].upper()}{title[1:]}.", class_="muted"),
        html_table(header, rows),
        tag("h3", "Pictures"),
        html_table((), list(report.facts), class_="facts"),
    )


def _leak(report: CheckReport) -> list[Html]:
    if not report.leaks:
        return []
    note = (
        "Of every validation photograph the most similar training photograph is looked for, by "
        "thumbnails. Where it shows the same subject, remembering is enough to be right."
    )
    rows = [(name, f"{share:.0%}") for name, share in report.leaks]
    return [
        tag(
            "section",
            tag("h2", "Whom a validation photograph resembles"),
            tag("p", note, class_="muted"),
            html_table(("Split", "nearest is the same subject"), rows),
        )
    ]


def _section(kind: str, report: CheckReport, thumbnails: Thumbnails) -> Html | None:
    """All that was found of a kind, the first of it shown; None where there is nothing."""
    found = _of(report, kind)
    if not found:
        return None
    shown, more = found[:MOST_SHOWN], len(found) - MOST_SHOWN
    if kind in _OF_PAIRS:
        content = tag("div", *lines([_pair(one, thumbnails) for one in shown]), class_="pairs")
    elif kind in _OF_MASKS:
        content = tag("div", *lines([_mask(one, thumbnails) for one in shown]), class_="masks")
    else:
        rows = [(one.file or "The set", one.detail) for one in shown]
        content = html_table((), rows, class_="facts")
    return tag(
        "section",
        tag("h2", f"{kind[:1].upper()}{kind[1:]}: {len(found):,}"),
        tag("p", _ADVICE[kind], class_="muted"),
        content,
        tag("p", f"and {more:,} more in check.csv", class_="muted") if more > 0 else "",
    )


def _pair(finding: Finding, thumbnails: Thumbnails) -> Html:
    pictures = (
        tag("div", thumbnails.photo(file), tag("small", file))
        for file in (finding.file, finding.other)
    )
    return tag("div", *pictures, tag("p", finding.detail, class_="muted"), class_="pair")


def _mask(finding: Finding, thumbnails: Thumbnails) -> Html:
    return tag(
        "div",
        thumbnails.masked(finding.file),
        tag("small", finding.file),
        tag("p", finding.detail, class_="muted"),
    )
