"""Reliability diagram and risk–coverage curve."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from hairjax.evaluation.metrics.calibration import Bin
from hairjax.evaluation.metrics.reliability import EDGES
from hairjax.evaluation.metrics.selective import Retained
from hairjax.report.figures.style import (
    BLUE,
    COLUMN,
    GREY,
    IN_COLUMN,
    INK,
    STYLE,
    VERMILION,
    save_for_print,
    title_and_legend,
)

CHANCE: dict[str, Any] = {"color": GREY, "linestyle": (0, (4, 1.5)), "linewidth": 1.0}


def reliability_figure(bins: Sequence[Bin], after: Sequence[Bin], path: Path) -> None:
    """Plot accuracy against confidence with 95 % intervals, above a histogram of confidence.

    Args:
        bins: bins of the unscaled probabilities.
        after: bins of the temperature-scaled probabilities; empty for none.
        path: PNG to write; an SVG is written beside it.
    """
    with matplotlib.style.context(["default", STYLE, IN_COLUMN]):
        figure = Figure(figsize=(COLUMN, 3.6))
        rates, counts = figure.subplots(2, sharex=True, height_ratios=(1, 0.3))
        rates.plot([0, 1], [0, 1], zorder=1, **CHANCE)
        # Two series are drawn side by side.
        shift = 0.004 if after else 0.0
        series = [(bins, "model", BLUE, "o", -shift)]
        if after:
            series.append((after, "temperature-scaled", VERMILION, "s", shift))
        for found, label, colour, marker, aside in series:
            _plot_bins(rates, found, label, colour, marker, aside)
            held = {one.low: one.photographs for one in found}
            counts.stairs([held.get(low, 0) for low in EDGES[:-1]], EDGES, color=colour)
        if after:
            title_and_legend(rates, "Accuracy")
        else:
            rates.set_title("Accuracy")
        rates.set_ylim(-0.02, 1.02)
        rates.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        counts.set_title("Photographs")
        counts.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        counts.set_xlim(0, 1)
        counts.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        counts.set_xlabel("confidence")
        save_for_print(figure, path)


def risk_coverage_figure(
    coverage: NDArray[np.float64],
    risk: NDArray[np.float64],
    retained: Sequence[Retained],
    path: Path,
) -> None:
    """Plot the error rate of the retained photographs (risk) against their share (coverage).

    Args:
        coverage: float [n], ascending to 1.
        risk: float [n], error rate at each coverage.
        retained: coverages of the table, the first of them 1, plotted with their 95 % intervals.
        path: PNG to write; an SVG is written beside it.
    """
    with matplotlib.style.context(["default", STYLE, IN_COLUMN]):
        figure = Figure(figsize=(COLUMN, 2.6))
        axes = figure.subplots()
        error = risk[-1]
        grid = np.linspace(0.001, 1, 500)
        best = np.maximum(0, 1 - (1 - error) / grid)
        axes.plot([0, 1], [error, error], label="uninformative", **CHANCE)
        axes.plot(grid, best, color=INK, linestyle=":", linewidth=1.0, label="best possible")
        axes.plot(coverage, risk, color=BLUE, label="model", drawstyle="steps-post")
        for one in retained:
            share = one.photographs / retained[0].photographs
            if one.interval is not None:
                ends = [1 - end for end in one.interval]
                axes.plot([share, share], ends, color=BLUE, linewidth=1.0)
            axes.plot([share], [1 - one.accuracy], color=BLUE, marker="o", markersize=3.5)
        title_and_legend(axes, "Error rate")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.set_xlabel("coverage: photographs retained")
        save_for_print(figure, path)


def _plot_bins(
    axes: Axes, bins: Sequence[Bin], label: str, colour: str, marker: str, aside: float
) -> None:
    where = [one.confidence + aside for one in bins]
    for place, one in zip(where, bins, strict=True):
        if one.interval is not None:
            axes.plot([place, place], one.interval, color=colour, linewidth=1.0, alpha=0.7)
    axes.plot(
        where,
        [one.accuracy for one in bins],
        color=colour,
        marker=marker,
        markersize=3.5,
        linewidth=1.0,
        label=label,
    )
