"""The photographs: how many of which class are in which split."""

from hairjax.report.contents import Report
from hairjax.report.html import Html, table, tag


def photographs(report: Report) -> list[Html]:
    """Counts of photographs and subjects, and a warning where subjects are not known."""
    splits = list(report.counts)
    rows = [
        (name, *(f"{report.counts[split][index]:,}" for split in splits))
        for index, name in enumerate(report.classes)
    ]
    rows.append(("Total", *(f"{sum(report.counts[split]):,}" for split in splits)))
    if any(report.subjects.values()):
        rows.append(("Subjects", *(f"{report.subjects[split]:,}" for split in splits)))
        return [table(("Class", *splits), rows)]
    warning = (
        "Subjects are not known. If there are several photographs of a person, some may be in "
        "one split and some in another; the results then look better than they are."
    )
    return [table(("Class", *splits), rows), tag("p", warning, class_="muted")]
