"""Explanation maps, their faithfulness, and mask reliance."""

from typing import Any

from hairjax.report.contents import Report
from hairjax.report.explanation import METHODS, ExplainFolder, Explanation, read_explanation
from hairjax.report.gallery import read_gallery
from hairjax.runs.folder import RunFolder


def explanations(report: Report) -> list[Explanation]:
    """Explanations of the best epoch: of validation, then of test."""
    places = [_place(report, split) for split in ("validation", "test")]
    found = [read_explanation(place.found) for place in places if place.found.is_file()]
    return [one for one in found if one.epoch == report.best_epoch]


def explanation_section(report: Report) -> dict[str, Any]:
    """Each explanation with its folder and gallery (None if there is none)."""
    found = [(one, _place(report, one.split)) for one in explanations(report)]
    return {
        "explanations": [(one, place, read_gallery(place.examples)) for one, place in found],
        "methods": METHODS,
    }


def _place(report: Report, split: str) -> ExplainFolder:
    return ExplainFolder(RunFolder(report.folder).explained / split)
