"""Counts of photographs by class and split."""

from hairjax.data.options import TFDS
from hairjax.data.sources.class_order import how_ordered
from hairjax.data.sources.ordered import MEANINGLESS
from hairjax.report.contents import Report
from hairjax.report.html import Html, html_table, tag
from hairjax.report.sections.ancestry import ancestry_sentences
from hairjax.system.wording import counted


def photographs_section(report: Report) -> list[Html]:
    """Counts of photographs and subjects, and the cautions that follow from them."""
    splits = list(report.counts)
    rows = [
        (name, *(f"{report.counts[split][index]:,}" for split in splits))
        for index, name in enumerate(report.classes)
    ]
    rows.append(("Total", *(f"{sum(report.counts[split]):,}" for split in splits)))
    known = any(report.subjects.values())
    if known:
        rows.append(("Subjects", *(f"{report.subjects[split]:,}" for split in splits)))
    warnings = []
    if report.without_subject:
        some = f"Of {counted(report.without_subject, 'photograph')} the subject is"
        warnings.append(
            f"{some if known else 'Subjects are'} not known. If there are several photographs of "
            "a person, some may be in one split and some in another; the results then look better "
            "than they are."
        )
    data = report.config["data"]
    warnings.insert(0, _order(report))
    if data["source"] != "synthetic" and data["on_leak"] == "allow":
        warnings.append(
            "Copies of training photographs in validation and test were let pass "
            "(data.on_leak=allow). The start of the run told how many there are, if any, and "
            "launch.py check shows them; the results look better by what the model remembers."
        )
    if report.conflicting:
        warnings.append(
            f"{counted(report.conflicting, 'photograph')} are identical files in different "
            "classes: at most one label of each is right."
        )
    warnings += ancestry_sentences(report)
    if report.moved:
        before = ", ".join(f"{key} was {place}" for key, place in report.moved.items())
        warnings.append(f"Moved since training began, with the same checksums: {before}.")
    return [
        html_table(("Class", *splits), rows),
        *(tag("p", one, class_="muted") for one in warnings),
    ]


def _order(report: Report) -> str:
    """The classes in order, how it was told, and what follows where it was not."""
    data = report.config["data"]
    own = data["source"].startswith(TFDS)
    how = how_ordered(report.classes, given=bool(data["classes"]), own=own)
    if how:
        return f"Order of the classes: {' < '.join(report.classes)} ({how})."
    said = f"Order of the classes: {', '.join(report.classes)}. Their names tell none"
    if len(report.classes) == 2:
        return f"{said}, and no figure depends on that of two."
    return f"{said}, and data.classes gives none: {MEANINGLESS} if it is another."
