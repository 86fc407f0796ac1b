"""Metrics on subgroups, by the other columns of the manifest."""

from typing import Any

from hairjax.evaluation.metrics.slices import FEW, METRICS
from hairjax.report.contents import METRICS as KNOWN
from hairjax.report.contents import Report


def subgroups_section(report: Report) -> dict[str, Any]:
    """Metrics of the tables with their titles, and the size below which a subgroup is marked."""
    return {"names": METRICS, "titles": [KNOWN[name].in_sentence for name in METRICS], "least": FEW}
