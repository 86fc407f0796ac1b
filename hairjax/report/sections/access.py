"""Accesses to the test split."""

from hairjax.report.contents import Report
from hairjax.report.html import Html, html_table, number, tag

_WHY = (
    "A number on test photographs says what it seems to say only when it is the first of them: who "
    "sees it, changes something and evaluates again has selected on them."
)


def access_section(report: Report) -> list[Html]:
    """The record of accesses to the test split, one line each."""
    if not report.accesses:
        return [tag("p", _unopened(report)), tag("p", _WHY, class_="muted")]
    times = "once" if len(report.accesses) == 1 else f"{len(report.accesses):,} times"
    rows = [
        (
            access.time.removesuffix("+00:00").replace("T", " "),
            access.command,
            access.split,
            f"{access.photographs:,}",
            number(access.accuracy),
            tag("code", access.configuration),
            tag("code", _short(access.commit)),
        )
        for access in report.accesses
    ]
    header = ("Time (UTC)", "command", "split", "n", "accuracy", "configuration", "code")
    return [
        tag("p", f"The test photographs were opened {times}. ", tag("span", _WHY, class_="muted")),
        html_table(header, rows, class_="looks"),
    ]


def _unopened(report: Report) -> str:
    if not sum(report.counts["test"]):
        return "The run has no test photographs."
    if any(one.split == "test" for one in report.results) or "test" in report.outdated:
        return (
            "The folder test has results, and looks.csv has no line: they were written without "
            "it, or it was removed. How often test was opened is not known."
        )
    return "The test photographs were never opened."


def _short(commit: str) -> str:
    """The first digits of a commit, and whether the code was changed since."""
    digits, _, changed = commit.partition("-")
    return f"{digits[:10]}{' changed' if changed else ''}" if commit else "not known"
