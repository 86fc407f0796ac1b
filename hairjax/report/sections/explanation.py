"""Explanation maps of the model, their faithfulness, and its reliance on the mask."""

from collections.abc import Sequence
from pathlib import Path

from hairjax.report.contents import Report
from hairjax.report.explanation import METHODS, ExplainFolder, Explanation, Table, read_explanation
from hairjax.report.gallery import read_gallery
from hairjax.report.html import Html, figure, html_table, tag
from hairjax.report.sections.most_confident_errors import cards, warning
from hairjax.runs.folder import RunFolder
from hairjax.system.wording import counted


def explanations(report: Report) -> list[Explanation]:
    """Explanations of the best epoch by ``launch.py explain``: on validation, on test."""
    places = [_place(report, split) for split in ("validation", "test")]
    found = [read_explanation(place.found) for place in places if place.found.is_file()]
    return [one for one in found if one.epoch == report.best_epoch]


def explanation_section(report: Report) -> list[Html]:
    """Explanation of each split; nothing where none was explained."""
    found = explanations(report)
    content = [tag("p", METHODS[found[0].method].about, class_="muted")] if found else []
    for one in found:
        place = _place(report, one.split)
        content += [
            *_summary(one),
            *_examples(one, place.examples),
            *_agreement(one),
            *_curves(one, place.curves),
            *_reliance(one),
        ]
    return content


def _place(report: Report, split: str) -> ExplainFolder:
    return ExplainFolder(RunFolder(report.folder).explained / split)


def _summary(found: Explanation) -> list[Html]:
    of = f" of {counted(found.subjects, 'subject')}" if found.subjects else ""
    said = " ".join((f"{counted(found.photographs, 'photograph')}{of}.", *found.notes()))
    return [
        tag("h3", f"{found.split.capitalize()}: the maps"),
        tag("p", said, class_="muted"),
    ]


def _examples(found: Explanation, folder: Path) -> list[Html]:
    gallery = read_gallery(folder)
    if gallery is None:
        return []
    note = (
        f"{len(gallery.cards):,} examples: of each class at most three, drawn by lot, of different "
        f"subjects first. The brighter, {METHODS[found.method].bright}; every map has its own "
        "scale. A sheet of them for a paper is in examples.png and examples.svg."
    )
    return [
        tag("p", note, class_="muted"),
        warning(f"explain/{found.split}/{folder.name}"),
        cards(gallery, folder),
    ]


def _agreement(found: Explanation) -> list[Html]:
    title = tag("h3", f"{found.split.capitalize()}: how much of a map lies on the hair mask")
    if not found.agreement:
        none = found.empty == found.photographs
        said = "Every map is empty." if none else "No masks are known."
        return [title, tag("p", said, class_="muted")]
    note = (
        "A map that says nothing has as much of its mass inside the mask as the mask has of the "
        "picture: the difference is what the model's look adds. Means over photographs of the "
        f"true class; 95 % intervals ({found.interval_note})."
    )
    return [title, _table(found.agreement_table()), tag("p", note, class_="muted")]


def _curves(found: Explanation, curves: Path) -> list[Html]:
    note = (
        "Pixels are taken away (photograph to the mean colour, mask to nothing) or put into the "
        "blurred photograph with its blurred mask, those first that the map has highest. A map "
        "that points at what the model uses has a smaller area than a random one under deletion "
        "and a larger one under insertion. The random map is as coarse as the model's. 95 % "
        f"intervals of the paired difference ({found.interval_note})."
    )
    caption = (
        f"Probability of the predicted class, mean of {found.followed:,} photographs drawn by lot. "
        "Left: the most important pixels are taken away. Right: they are put in; where the blurred "
        "photograph alone, at 0 %, gives the class already, insertion says little."
    )
    described = f"Mean curves of deletion and insertion on {found.split}; the table has the areas."
    return [
        tag("h3", f"{found.split.capitalize()}: whether the model uses what the map shows"),
        tag("div", figure(curves, described, caption), class_="figures"),
        _table(found.area_table()),
        tag("p", note, class_="muted"),
    ]


def _reliance(found: Explanation) -> list[Html]:
    title = tag("h3", f"{found.split.capitalize()}: how much the model relies on the mask")
    if not found.reliance:
        seen = {1: "the mask alone", 3: "RGB alone"}.get(found.channels)
        said = "The photographs have no masks."
        if seen:
            said = f"The model sees {seen}: there is no mask beside the photograph to change."
        return [title, tag("p", said, class_="muted")]
    note = (
        "All photographs judged again with the mask, or the photograph, changed. Without the "
        "mask: nothing is marked; without the photograph: the mean colour everywhere; eroded and "
        "dilated: by a square, in pixels of the photographs as stored. The model was not trained "
        "on such inputs: a loss says what it relies on, not what another model could do "
        f"without. Differences are paired; 95 % intervals ({found.interval_note})."
    )
    return [title, *map(_table, found.reliance_tables()), tag("p", note, class_="muted")]


def _table(content: Table) -> Html:
    """A table whose cells may hold a second line, set smaller."""
    header, rows = content
    cells: Sequence[Sequence[str]] = [[_cell(text) for text in row] for row in rows]
    return html_table([cell.replace("\n", " ") for cell in header], cells, class_="estimates")


def _cell(text: str) -> Html:
    first, _, second = text.partition("\n")
    return tag("span", first, tag("small", second)) if second else tag("span", first)
