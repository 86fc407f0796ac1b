"""Metrics of every evaluated split, beside the baselines."""

from typing import Any

from hairjax.evaluation.metrics.classification import why_undefined
from hairjax.report.contents import HEADLINE, METRICS, Report, SplitResults


def results_section(report: Report) -> dict[str, Any]:
    """Metrics with their titles, and the lookup of a baseline's values."""
    return {
        "metrics": METRICS,
        "headline": HEADLINE,
        "baselines": _baselines,
        "why_undefined": why_undefined,
    }


def _baselines(results: SplitResults, metric: str) -> list[float | None]:
    """A metric of each baseline; None where undefined."""
    return [baseline.get(metric) for baseline in results.baselines.values()]
