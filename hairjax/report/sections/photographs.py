"""Photographs and subjects by class and split, with what limits the results."""

from typing import Any

from hairjax.data.options import TFDS
from hairjax.data.sources.class_order import how_ordered
from hairjax.report.contents import Report
from hairjax.report.sections.ancestry import ancestry_sentences


def photographs_section(report: Report) -> dict[str, Any]:
    """Source of the class order ("" if none), and sentences on leakage through the weights."""
    data = report.config["data"]
    own = data["source"].startswith(TFDS)
    return {
        "order": how_ordered(report.classes, given=bool(data["classes"]), own=own),
        "ancestry": ancestry_sentences(report),
    }
