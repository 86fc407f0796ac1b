"""The page that compares configurations: one HTML file that asks the network for nothing."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hairjax.evaluation.metrics.paired import METRICS, PairedDifference, Summary
from hairjax.report.comparison.summary import (
    HIGHER_IS_BETTER,
    NOT_INDEPENDENT,
    TESTS,
    TITLES,
    UNKNOWN,
    Comparison,
    said,
    signed,
)
from hairjax.report.html import (
    Html,
    figure,
    html_table,
    lines,
    number,
    number_range,
    tag,
    write_page,
)

MOST_SHOWN = 24  # photographs, of those that one configuration loses or gains


def write_comparison(
    found: Comparison, forest: Path, pictures: Mapping[int, bytes], no_pictures: str, path: Path
) -> None:
    """Write the page; it appears whole or not at all.

    Args:
        found: what it says.
        forest: the PNG of `figures.comparison.forest_figure`.
        pictures: JPEG of photographs by their position in ``found.files``.
        no_pictures: why photographs are named and not shown, "" where they are shown.
        path: the HTML file.

    Raises:
        OSError: the figure cannot be read, or the page cannot be written.
    """
    title = f"{len(found.names)} configurations compared"
    sections = (
        _summary(found, title),
        _configurations(found),
        _differences(found, forest),
        _flipped(found, pictures, no_pictures),
        _runs(found),
    )
    write_page(title, tag("body", *lines(sections)), path)


def _summary(found: Comparison, title: str) -> Html:
    stamp = tag("p", "Photographs: ", tag("strong", found.source), class_="muted")
    if found.synthetic:
        stamp = tag(
            "p",
            tag("strong", "Synthetic photographs"),
            ", drawn by a program. The numbers show that the code works; they say nothing about "
            "people.",
            class_="stamp",
        )
    said = (
        f"Judged on the same {found.evaluated_on}. The reference, with which every other is "
        "compared, is ",
        tag("code", found.names[0]),
        ".",
    )
    notes = (tag("p", note, class_="muted") for note in found.notes)
    return tag("header", stamp, tag("h1", title), tag("p", *said), *notes)


def _title(metric: str) -> Html:
    small = "" if HIGHER_IS_BETTER[metric] else tag("small", "lower is better")
    return tag("span", TITLES[metric], small)


def _configurations(found: Comparison) -> Html:
    rows = [
        (
            _name(name, "reference" if place == 0 else "", summary.runs),
            *(_value(summary, metric) for metric in METRICS),
        )
        for place, (name, summary) in enumerate(zip(found.names, found.summaries, strict=True))
    ]
    note = f"Below each number stands its 95 % interval ({found.interval_note})."
    if any(summary.runs > 1 for summary in found.summaries):
        note += " After ± stands the standard deviation over the runs."
    return tag(
        "section",
        tag("h2", "Configurations"),
        html_table(("", *map(_title, METRICS)), rows, class_="compared"),
        tag("p", note, class_="muted"),
    )


def _value(summary: Summary, metric: str) -> Html:
    sd = summary.sd(metric)
    return tag(
        "span",
        tag("strong", number(summary.mean(metric))),
        "" if sd is None else tag("small", f"± {number(sd)}"),
        tag("small", number_range(summary.interval(metric))),
    )


def _name(name: str, role: str, runs: int) -> Html:
    said = ", ".join(filter(None, (role, f"{runs} runs" if runs > 1 else "")))
    return tag("span", name, tag("small", said) if said else "")


def _differences(found: Comparison, forest: Path) -> Html:
    rows = [
        (
            name,
            *(
                tag(
                    "span",
                    tag("strong", signed(value)) if _is_clear(interval) else signed(value),
                    tag("small", number_range(interval)),
                )
                for value, interval in (pair.differences[metric] or UNKNOWN for metric in METRICS)
            ),
        )
        for name, _, pair in found.compared()
    ]
    caption = (
        "Other minus reference, with 95 % intervals. To the right of the line the other "
        "configuration is better, whichever way the metric runs: blue where the whole interval "
        "is, vermilion where the whole interval is on the left."
    )
    note = (
        f"Difference from the reference and its 95 % interval (paired {found.interval_note}), "
        "bold where it leaves out 0. The intervals are not corrected for their number."
    )
    return tag(
        "section",
        tag("h2", "Differences from the reference"),
        figure(forest, f"Intervals of {len(rows)} comparisons; the table has them.", caption),
        html_table(("", *map(_title, METRICS)), rows, class_="compared"),
        tag("p", note, class_="muted"),
        tag("h3", "Tests of the accuracy"),
        html_table(TESTS, found.tests(), class_="compared"),
        tag("p", NOT_INDEPENDENT, class_="muted"),
    )


def _is_clear(interval: tuple[float, float] | None) -> bool:
    return interval is not None and (interval[0] > 0 or interval[1] < 0)


def _flipped(found: Comparison, pictures: Mapping[int, bytes], no_pictures: str) -> Html:
    parts = []
    several = any(summary.runs > 1 for summary in found.summaries)
    right = "right more often" if several else "alone right"
    for place, (name, _, pair) in enumerate(found.compared(), 1):
        inside = (
            tag("h3", f"Lost: the reference is {right} on {len(pair.worse):,}"),
            *_photographs(found, place, pair.worse, pictures),
            tag("h3", f"Gained: {name} is {right} on {len(pair.better):,}"),
            *_photographs(found, place, pair.better, pictures),
            tag("h3", "What each says of the same photographs"),
            _crossed(found, name, pair),
        )
        said = f"{name}: {len(pair.worse):,} lost, {len(pair.better):,} gained"
        opened = {"open": ""} if place == 1 else {}
        parts.append(tag("details", tag("summary", said), *lines(inside), **opened))
    note = no_pictures
    if pictures:
        note = (
            "The photographs are shown as prepared for the model, without masks. To give this page "
            "to others without them, compare again with --thumbnails=false."
        )
    if several:
        note += " Right more often means in a larger share of its runs; 2 × is by two of them."
    note = f"{note} flipped.csv has all of them.".lstrip()
    return tag(
        "section", tag("h2", "Photographs that flipped"), tag("p", note, class_="muted"), *parts
    )


def _photographs(
    found: Comparison, place: int, chosen: Sequence[int], pictures: Mapping[int, bytes]
) -> Iterator[Html]:
    reference, other = found.summaries[0], found.summaries[place]
    cards = (
        tag(
            "li",
            _picture(pictures.get(index)),
            tag("span", found.files[index], class_="file"),
            tag("span", f"true: {found.classes[found.labels[index]]}"),
            *_said(found, reference, other, index),
        )
        for index in chosen[:MOST_SHOWN]
    )
    if chosen:
        yield tag("ul", *lines(list(cards)), class_="photos")
    if len(chosen) > MOST_SHOWN:
        left = f"The {MOST_SHOWN} with the largest change; {len(chosen) - MOST_SHOWN:,} more."
        yield tag("p", left, class_="muted")


def _picture(jpeg: bytes | None) -> Html:
    if jpeg is None:
        return Html("")
    data = base64.b64encode(jpeg).decode("ascii")
    return Html(f'<img src="data:image/jpeg;base64,{data}" alt="">')


def _said(found: Comparison, reference: Summary, other: Summary, index: int) -> list[Html]:
    before, after = (said(found.classes, summary, index) for summary in (reference, other))
    if reference.runs == other.runs == 1:
        return [tag("span", f"{before} → {after}")]
    return [tag("span", before), tag("span", f"→ {after}")]


def _crossed(found: Comparison, name: str, pair: PairedDifference) -> Html:
    whole = bool((pair.crossed == pair.crossed.round()).all())
    rows = [
        (row_name, *(f"{count:,.0f}" if whole else f"{count:,.1f}" for count in row))
        for row_name, row in zip(found.classes, pair.crossed, strict=True)
    ]
    note = f"Rows: predicted by the reference; columns: by {name}. They agree on the diagonal."
    if not whole:
        note += " The mean over all pairs of runs."
    return tag(
        "div",
        html_table(("", *found.classes), rows, class_="crossed"),
        tag("p", note, class_="muted"),
    )


def _runs(found: Comparison) -> Html:
    rows = [
        (name, tag("span", *(part for run in runs for part in _run(*run))))
        for name, runs in zip(found.names, found.runs, strict=True)
    ]
    return tag("section", tag("h2", "Runs"), html_table((), rows, class_="facts"))


def _run(folder: str, seed: int) -> tuple[Html, Html]:
    return tag("code", folder), tag("small", f"seed {seed}")
