"""Learning curves and confusion matrix.

Without pyplot, so without global state; the same numbers give the same bytes. Colours are those of
Okabe & Ito ("Color universal design", 2008) and one sequential blue, legible with colour blindness
and in grey.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from hairjax.report.figures.style import (
    BLUE,
    COLUMN,
    GREY,
    GROUP_COLOURS,
    IN_COLUMN,
    INK,
    PAGE,
    STYLE,
    VERMILION,
    save_for_print,
    title_and_legend,
)

MOST_NUMBERED = 12  # classes; with more, cells have no numbers
MOST_IN_COLUMN = 6  # classes; with more, the matrix is two columns wide


def learning_curves(rows: Sequence[Mapping[str, Any]], best_epoch: int, path: Path) -> None:
    """Plot loss, accuracy and quadratic kappa, and learning rates over the epochs.

    Args:
        rows: lines of ``metrics.jsonl``: ``epoch``, ``train`` (loss, accuracy), ``validation``
            (metrics of `evaluation.metrics.classification`), ``rate`` (by group, 0 while frozen).
        best_epoch: marked by a vertical line.
        path: PNG to write; an SVG is written beside it.

    Raises:
        ValueError: no row is of the best epoch.
    """
    epochs = [row["epoch"] for row in rows]
    if best_epoch not in epochs:
        raise ValueError(f"best epoch {best_epoch} is not among the epochs {epochs}")
    with matplotlib.style.context(["default", STYLE, IN_COLUMN]):
        figure = Figure(figsize=(COLUMN, 5.2))
        loss, score, rate = figure.subplots(3, sharex=True, height_ratios=(1, 1, 0.8))

        # A line of a single epoch would be invisible.
        line = {"marker": "o" if len(rows) == 1 else "", "markersize": 4}
        grey = {"color": GREY, "linestyle": (0, (4, 1.5)), "linewidth": 1.2}
        blue, red = {"color": BLUE}, {"color": VERMILION}
        for axes, part, name, label, look in (
            (loss, "train", "loss", "training", grey),
            (loss, "validation", "log_loss", "validation", blue),
            (score, "train", "accuracy", "training", grey),
            (score, "validation", "accuracy", "validation", blue),
            (score, "validation", "quadratic_kappa", "kappa, validation", red),
        ):
            # None (undefined) leaves a gap.
            values = np.array([row[part][name] for row in rows], float)
            axes.plot(epochs, values, label=label, **line, **look)
        _plot_rates(rate, epochs, rows, line)

        _finish_panel(figure, loss, "Loss", best_epoch)
        _finish_panel(figure, score, "Accuracy, kappa", best_epoch)
        _finish_panel(figure, rate, "Learning rate", best_epoch)
        _name_best(loss, best_epoch, leftwards=best_epoch > (epochs[0] + epochs[-1]) / 2)
        score.set_ylim(top=1)
        rate.set_xlim(epochs[0] - 0.6, epochs[-1] + 0.6)
        rate.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
        rate.set_xlabel("epoch")
        save_for_print(figure, path)


def confusion_figure(confusion: ArrayLike, classes: Sequence[str], path: Path) -> None:
    """Plot a confusion matrix: counts, with shares of each row as percentages and colour.

    Args:
        confusion: int [k, k], rows true, columns predicted.
        classes: k names; long ones are shortened.
        path: PNG to write; an SVG is written beside it.

    Raises:
        ValueError: the matrix is not [k, k].
    """
    counts = np.asarray(confusion)
    k = len(classes)
    if counts.shape != (k, k):
        raise ValueError(f"{k} classes need a {k} × {k} confusion matrix, not {counts.shape}")
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros((k, k)), where=totals > 0)
    with matplotlib.style.context(["default", STYLE, IN_COLUMN, {"axes.grid": False}]):
        wide = k > MOST_IN_COLUMN
        figure = Figure(figsize=(PAGE, 5.6) if wide else (COLUMN, 2.9))
        axes = figure.subplots()
        # From nearly white to a blue on which white text is legible.
        cells = axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1.1)
        cells.set(edgecolor="white", linewidth=min(1.5, 12 / k))
        axes.invert_yaxis()
        axes.spines[:].set_visible(False)
        _name_classes(axes, classes, totals[:, 0])
        if k <= MOST_NUMBERED:
            _write_cells(axes, counts, shares, min(9.5, (68 if wide else 34) / k))
        save_for_print(figure, path)


def _plot_rates(
    axes: Axes, epochs: Sequence[int], rows: Sequence[Mapping[str, Any]], line: dict[str, Any]
) -> None:
    for position, group in enumerate(rows[0]["rate"]):
        rates = np.array([row["rate"][group] for row in rows])
        lone = {"marker": "o"} if np.sum(rates > 0) == 1 else {}  # unfrozen for one epoch
        axes.plot(
            epochs,
            np.where(rates > 0, rates, np.nan),  # frozen: 0 has no place on a log scale
            color=GROUP_COLOURS[position % len(GROUP_COLOURS)],
            linestyle=("-", "--", ":")[position // len(GROUP_COLOURS) % 3],
            label=group,
            # Groups may share a rate: earlier lines are wider and stay visible.
            linewidth=1.4 + 1.2 * max(0, 2 - position),
            **line | lone,
        )
    axes.set_yscale("log")
    axes.minorticks_off()


def _finish_panel(figure: Figure, axes: Axes, title: str, best_epoch: int) -> None:
    handles, names = axes.get_legend_handles_labels()
    many = len(names) > 3  # too many for a line below the title
    axes.axvline(best_epoch, color=INK, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    if many:
        axes.set_title(title)
        figure.legend(handles, names, loc="outside lower center", ncols=2)
    else:
        title_and_legend(axes, title)


def _name_best(axes: Axes, best_epoch: int, *, leftwards: bool) -> None:
    axes.annotate(
        f"best: epoch {best_epoch}",
        (best_epoch, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if leftwards else 4, -3),
        textcoords="offset points",
        ha="right" if leftwards else "left",
        va="top",
        fontsize=7.5,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
    )


def _name_classes(axes: Axes, classes: Sequence[str], totals: NDArray[np.integer]) -> None:
    k = len(classes)
    names = [name if len(name) <= 20 else f"{name[:19]}…" for name in classes]
    rows = [f"{name}\nn = {total:,}" for name, total in zip(names, totals, strict=True)]
    middle = np.arange(k) + 0.5
    axes.tick_params(length=0, labelsize=min(7.5, 280 / k))
    axes.set_xticks(middle, names, parse_math=False)
    axes.set_yticks(middle, rows if k <= MOST_NUMBERED else names, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if k > MOST_NUMBERED:
        axes.tick_params(axis="x", rotation=90)
    elif max(map(len, names)) * k > 40:  # they would overlap
        for label in axes.get_xticklabels():
            label.set(rotation=30, horizontalalignment="right", rotation_mode="anchor")


def _write_cells(
    axes: Axes, counts: NDArray[np.integer], shares: NDArray[np.float64], size: float
) -> None:
    for row, column in np.ndindex(counts.shape):
        count, share = counts[row, column], shares[row, column]
        x, y = column + 0.5, row + 0.5
        if not count:
            axes.text(x, y, "0", ha="center", va="center", fontsize=size, color=GREY)
            continue
        ink = "white" if share > 0.55 else INK
        weight = "bold" if row == column else "normal"
        # y grows downwards: count above the middle of the cell, share below.
        above = axes.text(x, y + 0.03, f"{count:,}", ha="center", va="bottom", fontsize=size)
        above.set(color=ink, weight=weight)
        below = axes.text(x, y + 0.09, f"{100 * share:.0f} %", ha="center", va="top")
        below.set(color=ink, fontsize=0.68 * size)
