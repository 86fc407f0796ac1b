"""Metrics on slices of the photographs, by the other columns of the manifest."""

from hairjax.evaluation.metrics.slices import FEW, METRICS, Slice
from hairjax.report.contents import METRICS as KNOWN
from hairjax.report.contents import Report
from hairjax.report.html import Html, estimate, html_table, tag

_SAID = (
    "By the other columns of the manifest, with 95 % intervals. Among many parts a few differ by "
    "chance."
)
_FEW = (
    f"Few: fewer than {FEW} photographs, or subjects where those are known; intervals are then "
    "wide."
)
_UNDEFINED = "Kappa is undefined (–) where all photographs of a part are of one class."


def parts_section(report: Report) -> list[Html]:
    """A table for each column and split; nothing where the manifest has no other column."""
    header = ("", "n", *(KNOWN[name].named for name in METRICS))
    tables = [
        (results.split, column, found)
        for results in report.results
        for column, found in results.analysis.slices.tables.items()
    ]
    left_out = report.last.analysis.slices.left_out
    content = [tag("p", _SAID, class_="muted")] if tables else []
    for split, column, found in tables:
        content += [
            tag("h3", f"{column}, {split}"),
            html_table(header, [_row(part) for part in found], class_="estimates"),
        ]
    if any(part.few for _, _, found in tables for part in found):
        content.append(tag("p", _FEW, class_="muted"))
    if any(part.metrics["quadratic_kappa"] is None for *_, found in tables for part in found):
        content.append(tag("p", _UNDEFINED, class_="muted"))
    if left_out:
        said = f"Columns without a table: {'; '.join(left_out)}."
        content.append(tag("p", said, class_="muted"))
    return content


def _row(part: Slice) -> tuple[str, ...]:
    few = (tag("small", "few"),) if part.few else ()
    count = tag("span", f"{part.photographs:,}", *few)
    return (part.value, count, *(estimate(part.metrics[name]) for name in METRICS))
