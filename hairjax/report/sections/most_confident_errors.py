"""The mistakes that the model was surest of, photograph by photograph."""

from pathlib import Path

from hairjax.report.contents import Report
from hairjax.report.explanation import METHODS
from hairjax.report.gallery import Card, Gallery, read_gallery
from hairjax.report.html import Html, html_photograph, lines, tag
from hairjax.runs.folder import RunFolder

_SHOWN = {"photo": "", "mask": " with its mask", "map": " with its explanation map"}


def most_confident_errors_section(report: Report) -> list[Html]:
    """Photograph, mask and map of each; nothing where the run has no gallery of its best epoch."""
    folder = RunFolder(report.folder).gallery
    gallery = read_gallery(folder)
    if gallery is None or gallery.epoch != report.best_epoch:
        return []
    if not gallery.cards:
        return [tag("p", "No validation photograph was given a wrong class.")]
    height, width = gallery.places
    method = METHODS[report.method]
    mask = ", its mask" if "mask" in gallery.cards[0].pictures else ""
    note = (
        f"{len(gallery.cards):,} of {gallery.among:,} mistakes on validation, those first that the "
        f"model was surest of: the photograph{mask}, and a map of where it looks (the brighter, "
        f"{method.bright}: {method.title}; {height} × {width} places, nothing smaller can be told "
        "apart). Such a mistake can be one of the label."
    )
    return [tag("p", note, class_="muted"), warning(folder.name), cards(gallery, folder)]


def warning(folder: str) -> Html:
    """Warning that the page holds photographs, and how to write it without."""
    return tag(
        "p",
        "This page holds photographs. To give it to others without them, remove the folder ",
        tag("code", folder),
        " of the run and write the report again with launch.py report.",
        class_="muted",
    )


def cards(gallery: Gallery, folder: Path) -> Html:
    """Every photograph of a gallery in a folder, beside each other where there is room."""
    return tag("div", *lines([_card(card, folder) for card in gallery.cards]), class_="cards")


def _card(card: Card, folder: Path) -> Html:
    pictures = (
        html_photograph((folder / name).read_bytes(), f"{card.file}{_SHOWN[what]}")
        for what, name in card.pictures.items()
    )
    right = card.label == card.predicted
    said = " recognised" if right else f" taken for {card.predicted}"
    return tag(
        "div",
        tag("div", *pictures, class_="pictures"),
        tag("p", tag("strong", card.label), said),
        tag("small", card.file),
        *(_share(name, share, name == card.label) for name, share in card.shares.items()),
    )


def _share(name: str, share: float, true: bool) -> Html:
    return tag(
        "div",
        tag("span", f"{name} (true)" if true else name),
        tag("span", f"{share:.2f}"),
        class_="share",
        style=f"--share: {100 * share:.1f}%",
    )
