"""PNG pages of photographs with their predictions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.predictions import Predictions
from hairjax.report.figures.contact_sheets import plot_outline, shorten
from hairjax.report.figures.style import BLUE, FAINT, GREY, INK, STYLE, save_figure

COLUMNS, ROWS = 4, 4
MOST_BARS = 5  # most probable classes of a photograph
NAME_WIDTH = 26  # characters of a file name


class _Predicted(NamedTuple):
    photo: NDArray[np.uint8]  # [side, side, 4]
    file: str
    probabilities: NDArray[np.float32]  # [k]


class PredictionPages:
    """Writer of ``page_001.png`` …, with photographs and masks as the model sees them.

    Args:
        folder: folder of the pages, created if missing.
        note: text at the foot of each; "" for none.
    """

    def __init__(self, folder: Path, note: str = ""):
        self._folder, self._note = folder, note
        self._waiting: list[_Predicted] = []
        self._classes: tuple[str, ...] = ()
        self._written = 0

    def add(self, photos: PhotoSet, predictions: Predictions) -> None:
        """Add photographs with predictions; write every full page."""
        self._classes = predictions.classes
        rows = zip(photos.images[:], predictions.files, predictions.probabilities, strict=True)
        self._waiting += [
            _Predicted(image if photos.has_masks else image[..., :3], file, row)
            for image, file, row in rows
        ]
        while len(self._waiting) >= COLUMNS * ROWS:
            self._write_page()

    def finish(self) -> int:
        """Write the last page, remove surplus pages of before, return the number of pages."""
        if self._waiting:
            self._write_page()
        written = {_name(number) for number in range(1, self._written + 1)}
        for page in self._folder.glob(_name("[0-9]" * 3)):
            if page.name not in written:
                page.unlink()
        return self._written

    def _write_page(self) -> None:
        size = COLUMNS * ROWS
        page, self._waiting = self._waiting[:size], self._waiting[size:]
        self._folder.mkdir(parents=True, exist_ok=True)
        self._written += 1
        plot_page(page, self._classes, self._folder / _name(self._written), self._note)


def _name(number: int | str) -> str:
    return f"page_{number:0>3}.png"


def plot_page(page: list[_Predicted], classes: tuple[str, ...], path: Path, note: str = "") -> None:
    """Plot photographs in rows of four, each above bars of its most probable classes."""
    rows, bars = -(-len(page) // COLUMNS), min(len(classes), MOST_BARS)
    heights = [2.0, 0.22 + 0.16 * bars]  # inches: image, bars
    with matplotlib.style.context(["default", STYLE, {"axes.grid": False, "font.size": 7}]):
        figure = Figure(figsize=(2.05 * COLUMNS, sum(heights) * rows))
        grid = figure.subplots(2 * rows, COLUMNS, height_ratios=heights * rows, squeeze=False)
        for place, axes in enumerate(_cells(grid)):
            for one in axes:
                one.set_axis_off()
            if place < len(page):
                _plot_photo(axes[0], page[place])
                _plot_bars(axes[1], page[place].probabilities, classes, bars)
        figure.text(0.5, 0.005, note, ha="center", va="bottom", color=GREY)
        save_figure(figure, path)


def _cells(grid: NDArray[np.object_]) -> Iterator[tuple[Axes, Axes]]:
    for row in range(0, len(grid), 2):
        yield from zip(grid[row], grid[row + 1], strict=True)


def _plot_photo(axes: Axes, predicted: _Predicted) -> None:
    axes.imshow(predicted.photo[..., :3], extent=(0, 1, 1, 0))
    if predicted.photo.shape[-1] == 4:
        plot_outline(axes, predicted.photo[..., 3] / 255, 0, 0, 1)
    axes.set(xlim=(0, 1), ylim=(1, 0))
    axes.text(
        0,
        -0.02,
        shorten(predicted.file, NAME_WIDTH),
        va="bottom",
        color=INK,
        fontfamily="monospace",
        parse_math=False,
    )


def _plot_bars(
    axes: Axes, probabilities: NDArray[np.float32], classes: tuple[str, ...], bars: int
) -> None:
    """Plot the most probable classes, in the order of the classes."""
    best = probabilities.argmax()
    for place, label in enumerate(sorted(np.argsort(-probabilities, kind="stable")[:bars])):
        chosen = label == best
        look: dict[str, Any] = {"va": "center", "fontweight": "bold" if chosen else "normal"}
        share = float(probabilities[label])
        axes.barh(place, 0.4, left=0.42, height=0.62, color=FAINT)
        axes.barh(place, 0.4 * share, left=0.42, height=0.62, color=BLUE if chosen else GREY)
        axes.text(0, place, shorten(classes[label], 12), parse_math=False, **look)
        axes.text(1, place, f"{share:.0%}", ha="right", **look)
    # As wide as the square image.
    axes.set(xlim=(-0.047, 1.047), ylim=(bars - 0.4, -0.6))
