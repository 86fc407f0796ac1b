"""Top of the page: the model and its data."""

from hairjax.report.contents import Report
from hairjax.report.html import Html, tag
from hairjax.system.wording import counted


def summary_section(report: Report) -> Html:
    """The stamp or the source, the title, and one paragraph."""
    if report.synthetic:
        stamp = tag(
            "p",
            tag("strong", "Synthetic photographs"),
            f": {report.source}. The numbers show that the code works; they say nothing about "
            "people.",
            class_="stamp",
        )
    else:
        stamp = tag("p", "Photographs: ", tag("strong", report.source), class_="muted")
    splits = " and ".join(
        f"the {one.split} split ({amount(report, one.split)})" for one in report.results
    )
    read = [one.source for one in (report.weights, report.second_weights) if one]
    weights = " and ".join(dict.fromkeys(read)) or "random weights"
    said = (
        tag("code", report.model),
        f" with {report.starts[-1].parameters:,} parameters, started from ",
        tag("code", weights),
        f", trained on {amount(report, 'train')}. Epoch {report.best_epoch} of "
        f"{report.history[-1]['epoch']} was the best by {report.chosen_by}; it is judged here on "
        f"{splits}.",
    )
    return tag("header", stamp, tag("h1", report.title), tag("p", *said))


def amount(report: Report, split: str) -> str:
    """Number of photographs and of subjects of a split, in words."""
    photographs = counted(sum(report.counts[split]), "photograph")
    subjects = report.subjects[split]
    return f"{photographs} of {counted(subjects, 'subject')}" if subjects else photographs
