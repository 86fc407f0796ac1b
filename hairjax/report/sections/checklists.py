"""Two published checklists for a paper on the run, filled in where the run knows the answer."""

from hairjax.report.checklists.answers import checklist_answers
from hairjax.report.checklists.items import CLAIM, TRIPOD, Answer, Checklist, Item
from hairjax.report.contents import Report
from hairjax.report.html import Html, html_table, tag

_YOU, _BOTH, _RUN = "you", "run and you", "run"


def checklists_section(report: Report) -> list[Html]:
    """Each folded away below how much of it is answered."""
    known = checklist_answers(report)
    note = (
        "Numbers follow the published lists; the words are ours, and shorter: read the originals "
        "before submitting. “run”: answered here; “run and you”: in part, and what is lacking is "
        "said; “you”: only a person knows."
    )
    return [
        tag("p", note, class_="muted"),
        *(_checklist(checklist, known) for checklist in (CLAIM, TRIPOD)),
    ]


def _checklist(checklist: Checklist, known: dict[str, Answer]) -> Html:
    by = [_by(item, known) for item in checklist.items]
    heading = (
        f"{checklist.name}: of {len(by)} items {by.count(_RUN)} are answered here, "
        f"{by.count(_BOTH)} in part, {by.count(_YOU)} by you"
    )
    rows = [
        (
            item.number,
            item.asks,
            _said(known.get(item.answer)),
            tag("span", who, class_=_class(who)),
        )
        for item, who in zip(checklist.items, by, strict=True)
    ]
    return tag(
        "details",
        tag("summary", heading),
        tag("p", checklist.source, class_="muted"),
        html_table(("No.", "item", "answer", "by"), rows, class_="checklist"),
    )


def _by(item: Item, known: dict[str, Answer]) -> str:
    if not item.answer:
        return _YOU
    return _BOTH if known[item.answer].lacks else _RUN


def _class(who: str) -> str:
    return {_YOU: "open", _BOTH: "partly", _RUN: "done"}[who]


def _said(answer: Answer | None) -> Html:
    if answer is None:
        return Html("")
    more = tag("a", "more", href=f"#{answer.section}")
    lacks = tag("small", f"To add: {answer.lacks}.")
    parts = [answer.text, Html(f" {more}") if answer.section else "", lacks if answer.lacks else ""]
    return tag("span", *parts)
