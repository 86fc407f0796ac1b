"""Loss curve of the learning-rate range test."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

from hairjax.report.figures.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    STYLE,
    VERMILION,
    WIDTH,
    save_figure,
)

MARKS = (VERMILION, GREEN)


def rate_range_figure(
    rates: np.ndarray,
    losses: np.ndarray,
    smoothed: np.ndarray,
    suggestions: Mapping[str, float],
    path: Path,
) -> None:
    """Plot raw and smoothed loss against the learning rate, with the suggested rates.

    Args:
        rates: learning rates of the steps, [n].
        losses: losses of the steps, [n].
        smoothed: smoothed losses, [n].
        suggestions: suggested rate by rule, at most two.
        path: PNG to write.
    """
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH, 3.4))
        axes = figure.subplots()
        axes.plot(rates, losses, ".", color=GREY, markersize=4, label="each step")
        axes.plot(rates, smoothed, color=BLUE, label="smoothed")
        for (rule, rate), colour in zip(suggestions.items(), MARKS, strict=False):
            axes.axvline(rate, color=FAINT, linewidth=1, zorder=0)
            height = np.interp(np.log(rate), np.log(rates), smoothed)
            axes.plot(rate, height, "o", color=colour, label=f"{rule}: {rate:.2g}")
        axes.set_xscale("log")
        axes.set_xlim(rates[0] / 2, rates[-1] * 2)
        # A diverging loss would flatten the rest of the curve.
        low, start = smoothed.min(), smoothed[0]
        seen = [loss for loss in losses if loss < 2 * start]
        axes.set_ylim(min(low, *seen) * 0.9, max(start * 1.2, *seen) * 1.03)
        axes.set_xlabel("learning rate (of the group with the highest peak)")
        axes.set_title("Training loss")
        figure.legend(loc="outside lower center", ncols=4)
        save_figure(figure, path)
