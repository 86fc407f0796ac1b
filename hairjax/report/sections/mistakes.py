"""Confusion matrix, and the rates of every class."""

import numpy as np

from hairjax.report.contents import Report, SplitResults
from hairjax.report.figures.classification import MOST_IN_COLUMN
from hairjax.report.html import Html, estimate, figure, html_table, tag

_UNDEFINED = (
    "– is undefined: the precision of a class that is never predicted, the recall of one without "
    "photographs, the F1 of one that is neither."
)


def mistakes_section(report: Report) -> list[Html]:
    """The matrices beside each other, then the rates of every split that was judged."""
    wide = len(report.classes) > MOST_IN_COLUMN
    pictures = (_picture(report, results) for results in report.results)
    return [
        tag("div", *pictures, class_="figures wide" if wide else "figures"),
        *(part for results in report.results for part in _rates(report, results)),
    ]


def _picture(report: Report, results: SplitResults) -> Html:
    caption = (
        f"Confusion matrix, {results.split}: photographs, and their share of the true class. On "
        "the diagonal the model is right."
    )
    if report.undrawable:
        caption += (
            f" No font here can draw {', '.join(report.undrawable)}: install one with these "
            "characters (such as Noto Sans CJK) and write the report again with launch.py report."
        )
    description = f"Confusion matrix of {len(report.classes)} classes on {results.split}; "
    return figure(results.confusion_figure, f"{description} the tables have its numbers.", caption)


def _rates(report: Report, results: SplitResults) -> list[Html]:
    rows = [
        (one.name, *map(estimate, (one.precision, one.recall, one.f1)), f"{one.photographs:,}")
        for one in results.analysis.classes
    ]
    scores = [score for one in results.analysis.classes for score in (one.precision, one.recall)]
    return [
        tag("h3", f"By class, {results.split}, with 95 % intervals"),
        html_table(("Class", "precision", "recall", "F1", "n"), rows, class_="estimates"),
        tag("p", _UNDEFINED, class_="muted") if None in scores else Html(""),
        tag(
            "details",
            tag("summary", f"The confusion matrix in numbers, {results.split}"),
            _numbers(report, results),
        ),
    ]


def _numbers(report: Report, results: SplitResults) -> Html:
    """Counts with their shares of the true class, for who cannot see the figure."""
    totals = results.confusion.sum(1)
    shares = results.confusion / np.maximum(totals, 1)[:, None]
    rows = [
        (
            name,
            *(
                tag("span", f"{count:,}", tag("small", f"{share:.0%}"))
                for count, share in zip(counts, of_class, strict=True)
            ),
            f"{total:,}",
        )
        for name, counts, of_class, total in zip(
            report.classes, results.confusion, shares, totals, strict=True
        )
    ]
    return html_table(("true, predicted as", *report.classes, "n"), rows, class_="matrix")
