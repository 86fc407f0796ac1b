"""The page that compares configurations: one HTML file that asks the network for nothing."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from hairjax.atomic import replacing
from hairjax.evaluation.paired import METRICS, Pair, Summary
from hairjax.report.html import Html, figure, head, lines, number, number_range, table, tag
from hairjax.report.page import METRICS as KNOWN

MOST_SHOWN = 24  # photographs, of those that one configuration loses or gains
TITLES = {name: KNOWN[name].title for name in METRICS}
HIGHER_IS_BETTER = {name: KNOWN[name].higher_is_better for name in METRICS}
NOT_INDEPENDENT = (
    "McNemar's exact test takes photographs for independent of each other. Photographs of one "
    "subject are not: its p is then too small. The test by subject gives each subject's gain "
    "either sign instead (an exact permutation test), and holds. Both are two-sided; Holm's "
    "correction is over the comparisons of this page, one family for each test."
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was found when configurations were compared, as plain data.

    The first configuration is the reference; the i-th pair compares configuration i + 1 with it.

    Attributes:
        split: the split that all were judged on.
        source: where the photographs are from.
        synthetic: the photographs were drawn by a program; stamped on the page.
        classes: k names.
        files: n names.
        labels: int [n], true classes.
        subjects: n names, "" where the subject is not known.
        names: of the configurations.
        runs: of each configuration, the folder and the seed of every run.
        summaries: of each configuration.
        pairs: of each configuration but the first.
        mcnemar: per pair, the p of McNemar's test after Holm's correction.
        by_subject: likewise, of the test by subject.
        interval_note: how the intervals were made.
        notes: what a reader must know, a paragraph each.
    """

    split: str
    source: str
    synthetic: bool
    classes: Sequence[str]
    files: Sequence[str]
    labels: NDArray
    subjects: Sequence[str]
    names: Sequence[str]
    runs: Sequence[Sequence[tuple[str, int]]]
    summaries: Sequence[Summary]
    pairs: Sequence[Pair]
    mcnemar: Sequence[float]
    by_subject: Sequence[float]
    interval_note: str
    notes: Sequence[str]

    def compared(self) -> list[tuple[str, Summary, Pair]]:
        """Every configuration but the reference, and how it differs from it."""
        return list(zip(self.names[1:], self.summaries[1:], self.pairs, strict=True))

    def tests(self) -> list[list[str]]:
        """Rows of `TESTS`."""
        rows = zip(self.compared(), self.mcnemar, self.by_subject, strict=True)
        return [
            [
                name,
                f"{len(pair.worse):,}",
                f"{len(pair.better):,}",
                p_value(pair.mcnemar),
                p_value(mcnemar),
                p_value(pair.by_subject),
                p_value(by_subject),
            ]
            for (name, _, pair), mcnemar, by_subject in rows
        ]

    @property
    def judged_on(self) -> str:
        """How many photographs of how many subjects."""
        photographs, subjects = len(self.files), len({*self.subjects} - {""})
        of = f" of {subjects:,} subjects" if subjects else ""
        return f"{photographs:,} {self.split} photographs{of}"


TESTS = (
    "compared with the reference",
    "reference alone right",
    "other alone right",
    "McNemar p",
    "Holm",
    "by subject p",
    "Holm",
)
"""The header of `Comparison.tests`. With several runs "alone" means "in more of its runs"."""


def p_value(p: float) -> str:
    """Three decimals, or that it is less."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def signed(value: float) -> str:
    """A difference: three decimals, and a sign but for 0."""
    written = number(value)
    return f"+{written}" if float(f"{value:.3f}") > 0 else written


def spread(summary: Summary, metric: str) -> str:
    """A value; with several runs the mean ± the standard deviation."""
    sd = summary.sd(metric)
    mean = number(summary.mean(metric))
    return mean if sd is None else f"{mean} ± {number(sd)}"


def write_comparison(
    found: Comparison, forest: Path, pictures: Mapping[int, bytes], no_pictures: str, path: Path
) -> None:
    """Write the page; it appears whole or not at all.

    Args:
        found: what it says.
        forest: the PNG of `comparison_figures.forest_figure`.
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
    page = "<!doctype html>\n" + tag(
        "html", head(title), "\n", tag("body", *lines(sections)), lang="en"
    )
    with replacing(path) as temporary:
        # A folder's name need not be valid Unicode; the page must be.
        temporary.write_bytes(page.encode("utf-8", errors="replace"))


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
        f"Judged on the same {found.judged_on}. The reference, with which every other is "
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
            *(
                tag(
                    "span",
                    tag("strong", spread(summary, metric)),
                    tag("small", number_range(summary.interval(metric))),
                )
                for metric in METRICS
            ),
        )
        for place, (name, summary) in enumerate(zip(found.names, found.summaries, strict=True))
    ]
    note = f"Below each number stands its 95 % interval ({found.interval_note})."
    if any(summary.runs > 1 for summary in found.summaries):
        note += " After ± stands the standard deviation over the runs."
    return tag(
        "section",
        tag("h2", "Configurations"),
        table(("", *map(_title, METRICS)), rows, class_="compared"),
        tag("p", note, class_="muted"),
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
                for value, interval in (pair.differences[metric] for metric in METRICS)
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
        table(("", *map(_title, METRICS)), rows, class_="compared"),
        tag("p", note, class_="muted"),
        tag("h3", "Tests of the accuracy"),
        table(TESTS, found.tests(), class_="compared"),
        tag("p", NOT_INDEPENDENT, class_="muted"),
    )


def _is_clear(interval: tuple[float, float]) -> bool:
    return interval[0] > 0 or interval[1] < 0


def _flipped(found: Comparison, pictures: Mapping[int, bytes], no_pictures: str) -> Html:
    parts = []
    alone = len(found.pairs) == 1
    for place, (name, _, pair) in enumerate(found.compared(), 1):
        inside = (
            tag("h3", f"Right → wrong: {len(pair.worse):,} that the reference alone gets right"),
            *_photographs(found, place, pair.worse, pictures),
            tag("h3", f"Wrong → right: {len(pair.better):,} that {name} alone gets right"),
            *_photographs(found, place, pair.better, pictures),
            tag("h3", "What each says of the same photographs"),
            _crossed(found, name, pair),
        )
        said = f"{name}: {len(pair.worse):,} lost, {len(pair.better):,} gained"
        opened = {"open": ""} if alone or place == 1 else {}
        parts.append(tag("details", tag("summary", said), *lines(inside), **opened))
    note = no_pictures or "The photographs are shown as the model sees them."
    if any(summary.runs > 1 for summary in found.summaries):
        note += " With several runs, “alone right” means: right in a larger share of its runs."
    note += " flipped.csv has all of them."
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
            tag("span", f"{_said(found, reference, index)} → {_said(found, other, index)}"),
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


def _said(found: Comparison, summary: Summary, index: int) -> str:
    return said(found.classes, summary, index)


def said(classes: Sequence[str], summary: Summary, index: int) -> str:
    """What a configuration says of a photograph; of several runs, how many say what."""
    counts = summary.predicted[index]
    given = [(int(count), name) for count, name in zip(counts, classes, strict=True) if count]
    if summary.runs == 1:
        return given[0][1]
    return ", ".join(f"{count} × {name}" for count, name in given)


def _crossed(found: Comparison, name: str, pair: Pair) -> Html:
    whole = bool((pair.crossed == pair.crossed.round()).all())
    rows = [
        (row_name, *(f"{count:,.0f}" if whole else f"{count:,.1f}" for count in row))
        for row_name, row in zip(found.classes, pair.crossed, strict=True)
    ]
    note = f"Rows: predicted by the reference; columns: by {name}. They agree on the diagonal."
    if not whole:
        note += " The mean over all pairs of runs."
    return tag(
        "div", table(("", *found.classes), rows, class_="crossed"), tag("p", note, class_="muted")
    )


def _runs(found: Comparison) -> Html:
    rows = [
        (name, tag("span", *(part for run in runs for part in _run(*run))))
        for name, runs in zip(found.names, found.runs, strict=True)
    ]
    return tag("section", tag("h2", "Runs"), table((), rows, class_="facts"))


def _run(folder: str, seed: int) -> tuple[Html, Html]:
    return tag("code", folder), tag("small", f"seed {seed}")
