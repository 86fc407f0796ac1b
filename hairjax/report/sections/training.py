"""Learning curves and learning rates."""

from typing import Any

from hairjax.report.contents import Report


def training_section(report: Report) -> dict[str, Any]:
    """Learning rates of every group (peak, best epoch, last), and the last share of the peak."""
    rates = [row["rate"] for row in report.history]
    (at_best,) = (row["rate"] for row in report.history if row["epoch"] == report.best_epoch)
    peaks = {group: max(rate[group] for rate in rates) for group in rates[0]}
    return {
        "rates": [
            (group, *map(_rate, (peak, at_best[group], rates[-1][group])))
            for group, peak in peaks.items()
        ],
        "last_share": max(rates[-1].values()) / max(peaks.values()),
    }


def _rate(rate: float) -> str:
    return f"{rate:.1e}" if rate else "frozen"
