"""Reporting checklists, answered where the run determines the answer."""

from typing import Any, NamedTuple

from hairjax.report.checklists.answers import checklist_answers
from hairjax.report.checklists.items import CHECKLISTS, Answer, Item, read_checklist
from hairjax.report.contents import Report


class AnsweredItem(NamedTuple):
    """Item of a checklist with its answer, and who answers it: run, run and you, or you."""

    item: Item
    answer: Answer | None
    by: str


def checklists_section(report: Report) -> dict[str, Any]:
    """Every checklist with its rows."""
    known = checklist_answers(report)
    checklists = map(read_checklist, CHECKLISTS)
    return {"checklists": [(one, [_row(item, known) for item in one.items]) for one in checklists]}


def _row(item: Item, known: dict[str, Answer]) -> AnsweredItem:
    if not item.answer:
        return AnsweredItem(item, None, "you")
    answer = known[item.answer]
    return AnsweredItem(item, answer, "run and you" if answer.lacks else "run")
