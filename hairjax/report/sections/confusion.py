"""Confusion matrix and per-class metrics."""

from typing import Any

from hairjax.report.contents import Report
from hairjax.report.figures.classification import MOST_IN_COLUMN


def confusion_section(report: Report) -> dict[str, Any]:
    """Width of the figure: a column, or two for many classes."""
    return {"wide": len(report.classes) > MOST_IN_COLUMN}
