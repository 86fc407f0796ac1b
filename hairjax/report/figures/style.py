"""Colours, sizes and saving of every figure."""

import warnings
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hairjax.report.figures.fonts import families
from hairjax.system.files import replacing

WIDTH = 5.6  # inches; 9-point text is legible on a phone
DOTS_PER_INCH = 200
COLUMN, PAGE = 3.35, 7.09  # inches: 85 and 180 mm, one and two columns of a paper
DOTS_IN_PRINT = 300  # per inch
INK, FAINT = "#1f2328", "#d5d9de"
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#e69f00",
    "#cc79a7",
    "#56b4e9",
)
GREY = "#8b939c"
GROUP_COLOURS = (SKY, GREEN, ORANGE, PURPLE, BLUE, VERMILION)  # of learning rates, in order
STYLE = {
    "font.family": families(),
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlepad": 8,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.hspace": 0.06,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    # Identifiers in an SVG are a hash of its content, not of the time.
    "svg.hashsalt": "hairjax",
    # Text stays text: searchable, accessible, in the journal's font, and in scripts whose fonts are
    # missing on this machine.
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9,
    "ytick.left": False,
}
# For a figure one column wide, at print size.
IN_COLUMN = {
    "axes.labelsize": 8,
    "axes.titlesize": 8.5,
    "font.size": 8,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.4,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
}


def title_and_legend(axes: Axes, title: str) -> None:
    """Add a title, and below it a legend of at most three series."""
    axes.set_title(title, pad=18)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderpad=0.0,
        borderaxespad=0.3,
        ncols=3,
        handlelength=1.6,
        columnspacing=1.2,
    )


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the figure alone."""
    # Metadata would hold the version of matplotlib.
    _save(figure, path, dpi=DOTS_PER_INCH, metadata={"Software": None})


def save_for_print(figure: Figure, path: Path) -> None:
    """Write a PNG at print resolution and an SVG, whose bytes depend on the figure alone."""
    _save(figure, path, dpi=DOTS_IN_PRINT, metadata={"Software": None})
    _save(figure, path.with_suffix(".svg"), metadata={"Creator": None, "Date": None})


def _save(figure: Figure, path: Path, **options: Any) -> None:
    with warnings.catch_warnings():
        # Names in a script without an installed font become boxes; the report says so below the
        # figure and has them right in its tables.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        with replacing(path) as unfinished:
            figure.savefig(unfinished, format=path.suffix[1:], **options)
