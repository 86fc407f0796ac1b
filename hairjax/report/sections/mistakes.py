"""Which classes are taken for which: the confusion matrix and the rates of every class."""

import numpy as np

from hairjax.report.contents import Judgement, Report
from hairjax.report.figures.classification import MOST_IN_COLUMN
from hairjax.report.html import Html, estimate, figure, table, tag


def mistakes(report: Report) -> list[Html]:
    """The matrices beside each other, then the rates of every split that was judged."""
    wide = len(report.classes) > MOST_IN_COLUMN
    pictures = (_picture(report, judged) for judged in report.judgements)
    return [
        tag("div", *pictures, class_="figures wide" if wide else "figures"),
        *(part for judged in report.judgements for part in _rates(report, judged)),
    ]


def _picture(report: Report, judged: Judgement) -> Html:
    caption = (
        f"Confusion matrix, {judged.split}: photographs, and their share of the true class. On "
        "the diagonal the model is right."
    )
    if report.undrawable:
        caption += (
            f" No font here can draw {', '.join(report.undrawable)}: install one with these "
            "characters (such as Noto Sans CJK) and write the report again with launch.py report."
        )
    description = f"Confusion matrix of {len(report.classes)} classes on {judged.split}; "
    return figure(judged.confusion_figure, f"{description} the tables have its numbers.", caption)


def _rates(report: Report, judged: Judgement) -> list[Html]:
    rows = [
        (one.name, *map(estimate, (one.precision, one.recall, one.f1)), f"{one.photographs:,}")
        for one in judged.analysis.classes
    ]
    return [
        tag("h3", f"By class, {judged.split}, with 95 % intervals"),
        table(("Class", "precision", "recall", "F1", "n"), rows, class_="estimates"),
        tag(
            "details",
            tag("summary", f"The confusion matrix in numbers, {judged.split}"),
            _numbers(report, judged),
        ),
    ]


def _numbers(report: Report, judged: Judgement) -> Html:
    """Counts with their shares of the true class, for who cannot see the figure."""
    totals = judged.confusion.sum(1)
    shares = judged.confusion / np.maximum(totals, 1)[:, None]
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
            report.classes, judged.confusion, shares, totals, strict=True
        )
    ]
    return table(("true, predicted as", *report.classes, "n"), rows, class_="matrix")
