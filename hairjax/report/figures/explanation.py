"""Deletion and insertion curves, and a sheet of explanation maps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.explain.deletion import CURVES
from hairjax.evaluation.explain.maps import evidence
from hairjax.evaluation.predictions import Predictions
from hairjax.report.figures.contact_sheets import plot_outline, shorten
from hairjax.report.figures.style import (
    BLUE,
    COLUMN,
    GREY,
    IN_COLUMN,
    INK,
    PAGE,
    STYLE,
    VERMILION,
    save_for_print,
)
from hairjax.report.figures.thumbnails import overlay_map

_ACROSS = 3  # photographs in a row of the sheet
# Inches: margin, gap in a pair, caption above it, distance of pairs.
_MARGIN, _GAP, _CAPTION = 0.1, 0.04, 0.42
_STEP = (PAGE - _MARGIN) / _ACROSS
_CELL = (_STEP - _GAP - _MARGIN) / 2
_NAME_WIDTH = 38  # characters of a file name


def curves_figure(
    title: str,
    by_map: Mapping[str, NDArray[np.float32]],
    by_chance: Mapping[str, NDArray[np.float32]],
    path: Path,
) -> None:
    """Plot mean deletion and insertion curves of the maps and of random maps.

    Args:
        title: name of the maps.
        by_map: probabilities of the predicted class, [m, steps + 1], by names of `CURVES`.
        by_chance: the same for random maps.
        path: PNG to write; an SVG is written beside it.
    """
    with matplotlib.style.context(["default", STYLE, IN_COLUMN]):
        figure = Figure(figsize=(COLUMN, 2.1))
        for axes, name in zip(figure.subplots(1, 2, sharey=True), CURVES, strict=True):
            chance, found = (side[name].mean(0) for side in (by_chance, by_map))
            share = np.linspace(0, 100, len(found))
            axes.plot(share, chance, color=GREY, linestyle=(0, (4, 1.5)), label="random map")
            axes.plot(share, found, color=BLUE, label=title)
            axes.set_title(name.title())
            axes.set(xlim=(0, 100), xticks=(0, 50, 100), ylim=(0, 1.02), xlabel="% of the pixels")
        figure.axes[0].set_ylabel("probability of the\npredicted class")
        figure.legend(
            *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2
        )
        save_for_print(figure, path)


def examples_sheet(
    photos: PhotoSet, predictions: Predictions, maps: NDArray[np.float32], path: Path
) -> None:
    """Plot photographs with mask outline and map, class by class.

    Args:
        photos: the m photographs, grouped by class.
        predictions: predictions for them.
        maps: float32 [m, h, w].
        path: PNG to write; an SVG is written beside it.
    """
    heat = evidence(maps, photos.images.shape[1])
    rows = [np.flatnonzero(photos.labels == label) for label in np.unique(photos.labels)]
    rows = [part[i : i + _ACROSS] for part in rows for i in range(0, len(part), _ACROSS)]
    height = _MARGIN + len(rows) * (_CELL + _CAPTION)
    with matplotlib.style.context(
        ["default", STYLE, {"figure.constrained_layout.use": False, "font.size": 7}]
    ):
        figure = Figure(figsize=(PAGE, height))
        axes = figure.add_axes((0, 0, 1, 1))
        for row, chosen in enumerate(rows):
            top = _CAPTION + row * (_CELL + _CAPTION)
            for place, photo in enumerate(chosen):
                left = _MARGIN + place * _STEP
                (image,) = photos.images[photo : photo + 1]
                _plot_pair(axes, image, photos.has_masks, heat[photo], left, top)
                _write_caption(axes, predictions, int(photo), left, top)
        # Axes in inches from the top left; images change the limits.
        axes.set(xlim=(0, PAGE), ylim=(height, 0), aspect="equal")
        axes.set_axis_off()
        save_for_print(figure, path)


def _plot_pair(
    axes: Axes,
    image: NDArray[np.uint8],
    has_mask: bool,
    heat: NDArray[np.float32],
    left: float,
    top: float,
) -> None:
    rgb = image[..., :3]
    for picture, start in ((rgb, left), (overlay_map(rgb, heat), left + _CELL + _GAP)):
        axes.imshow(picture, extent=(start, start + _CELL, top + _CELL, top))
        if has_mask:
            plot_outline(axes, image[..., 3] / 255, start, top, _CELL)


def _write_caption(
    axes: Axes, predictions: Predictions, place: int, left: float, top: float
) -> None:
    """Write true and predicted class above the file name; errors in vermilion."""
    label, guess = int(predictions.labels[place]), int(predictions.predicted[place])
    true, said = (shorten(predictions.classes[k], 12) for k in (label, guess))
    share = predictions.probabilities[place, guess]
    right = label == guess
    text = f"{true}, correct: {share:.0%}" if right else f"{true}, predicted {said}: {share:.0%}"
    look: dict[str, Any] = {"fontweight": "bold", "color": INK if right else VERMILION}
    axes.text(left, top - 0.17, text, va="bottom", parse_math=False, **look)
    look = {"fontfamily": "monospace", "fontsize": 6}
    name = shorten(predictions.files[place], _NAME_WIDTH)
    axes.text(left, top - 0.04, name, va="bottom", parse_math=False, **look)
