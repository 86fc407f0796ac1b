"""Forest plot of the differences between configurations."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from hairjax.evaluation.metrics.paired import METRICS, PairedDifference
from hairjax.report.comparison.summary import HIGHER_IS_BETTER, TITLES
from hairjax.report.figures.contact_sheets import shorten
from hairjax.report.figures.style import BLUE, GREY, INK, STYLE, VERMILION, WIDTH, save_figure
from hairjax.report.numbers import number

NAME_WIDTH = 34  # characters


def forest_figure(names: Sequence[str], pairs: Sequence[PairedDifference], path: Path) -> None:
    """Plot every difference from the reference with its interval, one panel per metric.

    Better is to the right: axes of metrics to minimise are reversed.

    Args:
        names: names of the configurations but the reference.
        pairs: paired difference of each from the reference.
        path: PNG to write.
    """
    height = 0.62 + 0.2 * len(pairs)  # inches of a panel
    style = {"axes.grid.axis": "x", "axes.spines.left": False, "axes.titlepad": 4}
    with matplotlib.style.context(["default", STYLE, style]):
        figure = Figure(figsize=(WIDTH, height * len(METRICS) + 0.2))
        panels = figure.subplots(len(METRICS), squeeze=False)[:, 0]
        for axes, metric in zip(panels, METRICS, strict=True):
            _plot_panel(axes, names, pairs, metric)
        panels[-1].set_xlabel("← reference better                other better →")
        save_figure(figure, path)


def _plot_panel(
    axes: Axes, names: Sequence[str], pairs: Sequence[PairedDifference], metric: str
) -> None:
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    ends = [0.005]  # least reach to each side: identical runs do not differ
    for row, pair in enumerate(pairs):
        if (difference := pair.differences[metric]) is None:  # undefined: an empty row
            continue
        value, interval = difference
        low, high = interval or (-abs(value), abs(value))  # no interval: not clear
        better = low > 0 if HIGHER_IS_BETTER[metric] else high < 0
        worse = high < 0 if HIGHER_IS_BETTER[metric] else low > 0
        colour = BLUE if better else VERMILION if worse else GREY
        if interval is not None:
            axes.plot([low, high], [row, row], color=colour, linewidth=2.2)
        axes.plot([value], [row], color=colour, marker="o", markersize=5.5)
        ends += [abs(low), abs(high)]
    reach = 1.08 * max(ends)
    axes.set_xlim(*((-reach, reach) if HIGHER_IS_BETTER[metric] else (reach, -reach)))
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.set_yticks(
        np.arange(len(pairs)), [shorten(name, NAME_WIDTH) for name in names], parse_math=False
    )
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, symmetric=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axes.tick_params(axis="x", labelsize=8, length=2)
    axes.set_title(TITLES[metric])


def _tick(value: float) -> str:
    written = number(value).rstrip("0").rstrip(".")
    return f"+{written}" if value > 0 else written
