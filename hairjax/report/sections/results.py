"""Headline numbers with their intervals, and every metric beside the baselines'."""

from hairjax.evaluation.metrics.classification import why_undefined
from hairjax.report.contents import HEADLINE, METRICS, Report, SplitResults
from hairjax.report.html import Html, html_table, number, number_range, strip, tag
from hairjax.report.sections.summary import amount

_SELECTED = (
    "The best epoch was chosen on these same photographs, which flatters the numbers a little; "
    "photographs that took no part give the fair ones."
)
_UNSEEN = "These photographs took no part in training or in the choice of the epoch."


def results_section(report: Report) -> list[Html]:
    """Metrics of every evaluated split, and what they mean."""
    meanings = (
        part
        for metric in METRICS.values()
        for part in (tag("dt", metric.title), tag("dd", metric.meaning))
    )
    return [
        *(part for found in report.results for part in _split_results(report, found)),
        _unopened(report),
        tag("details", tag("summary", "What the metrics mean"), tag("dl", *meanings)),
    ]


def _split_results(report: Report, found: SplitResults) -> list[Html]:
    tiles = (
        tag(
            "div",
            tag("div", METRICS[name].title),
            tag("div", number(found.metrics[name]), class_="value"),
            tag("div", number_range(found.intervals[name])),
            class_="tile",
        )
        for name in HEADLINE
    )
    said = _SELECTED if found.split == "validation" else _UNSEEN
    undefined = why_undefined(found.metrics)
    note = f"Below each number stands its 95 % interval ({found.interval_note}). {said}"
    return [
        tag("h3", f"{found.split.capitalize()}: {amount(report, found.split)}"),
        tag("div", *tiles, class_="tiles"),
        tag("p", note, class_="muted"),
        _metrics_table(found),
        tag("p", undefined, class_="muted") if undefined else Html(""),
    ]


def _unopened(report: Report) -> Html:
    """Reason why there are no test results here; empty if there are."""
    if any(found.split == "test" for found in report.results):
        return Html("")
    if "test" in report.outdated:
        said = (
            "the results in the folder test are of another epoch or an earlier hairjax; evaluate "
            "it again."
        )
    elif not sum(report.counts["test"]):
        said = "the run has no test photographs."
    else:
        said = f"{amount(report, 'test')}; the results are not in this run's folder."
        if not report.accesses:
            said = f"{amount(report, 'test')}, never opened."
    return tag("p", tag("strong", "Test: "), said)


def _metrics_table(found: SplitResults) -> Html:
    rows = []
    for name, metric in METRICS.items():
        value, interval = found.metrics[name], found.intervals[name]
        others = [baseline.get(name) for baseline in found.baselines.values()]
        title: tuple[str, ...] = (metric.title,)
        if not metric.higher_is_better:
            title += (tag("small", "lower is better"),)
        rows.append(
            (
                tag("span", *title),
                strip(value, interval, others)
                if metric.higher_is_better and value is not None
                else "",
                tag("span", tag("strong", number(value)), tag("small", number_range(interval))),
                *map(number, others),
            )
        )
    header = ("", "from 0 to 1, with the baselines", "this model", *found.baselines)
    return html_table(header, rows, class_="metrics")
