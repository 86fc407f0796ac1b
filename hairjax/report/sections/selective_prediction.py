"""Selective prediction: the least confident photographs are referred to a person."""

from hairjax.report.contents import Report, SplitResults
from hairjax.report.html import Html, estimate, figure, html_table, number, number_range, tag


def selective_prediction_section(report: Report) -> list[Html]:
    """The risk–coverage curves beside each other, then the table of every split."""
    return [
        tag("div", *map(_picture, report.results), class_="figures"),
        *(part for results in report.results for part in _shares(results)),
    ]


def _picture(results: SplitResults) -> Html:
    return figure(
        results.risk_coverage_figure,
        f"Risk–coverage curve of {results.split}: error rate of what is kept; the table below has "
        "its numbers.",
        f"Risk and coverage, {results.split}: error rate of the photographs that the model keeps, "
        "the surest first. Dashed: were the confidence worthless. Dotted: were these same mistakes "
        "the least sure.",
    )


def _shares(results: SplitResults) -> list[Html]:
    found = results.analysis.referral
    everything = found.kept[0]
    rows = [
        (
            f"{100 * one.coverage:.0f} %",
            f"{one.photographs:,}",
            f"{everything.photographs - one.photographs:,}",
            number(one.confidence),
            estimate((one.accuracy, one.interval)),
        )
        for one in found.kept
    ]
    ends = "" if found.area_interval is None else f" ({number_range(found.area_interval)})"
    return [
        tag("h3", results.split.capitalize()),
        html_table(
            ("Share kept", "kept", "referred", "confidence at least", "accuracy of kept"),
            rows,
            class_="estimates",
        ),
        tag(
            "p",
            f"Area under the risk–coverage curve: {number(found.area)}{ends}. It would be "
            f"{number(1 - everything.accuracy)}, the error rate, were the confidence worthless, "
            f"and {number(found.least_area)} at best with these mistakes.",
            class_="muted",
        ),
    ]
