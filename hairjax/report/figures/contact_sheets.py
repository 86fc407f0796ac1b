"""Contact sheet of photographs before training, and the learning-rate schedule."""

import itertools
import math
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from hairjax.report.figures.style import (
    BLUE,
    FAINT,
    GREY,
    GROUP_COLOURS,
    INK,
    SKY,
    STYLE,
    WIDTH,
    save_figure,
)

# Contact sheet, in inches.
MARGIN, CELL, GAP = 0.3, 1.05, 0.06
CAPTION = 1.75  # width, beside a row
COLUMNS = 0.3  # height of the column titles
HEADING = 0.34  # height, above the rows of a class
LINE = 0.2  # height, in the notes at the top
CAPTION_WIDTH = 28  # monospaced characters
CLASS_WIDTH = 40  # characters
MOST_DECADES = 6  # of rates; smaller ones are negligible


class Caption(NamedTuple):
    """Caption of a photograph."""

    class_name: str
    class_size: str  # size of the class, in words
    file: str
    subject: str  # "" if unknown


def contact_sheet(
    rgb: NDArray[np.floating],
    masks: NDArray[np.floating] | None,
    captions: Sequence[Caption],
    notes: Sequence[str],
    path: Path,
) -> None:
    """Plot each photograph, its mask if there are masks, and augmented versions in a row.

    Args:
        rgb: [n, 1 + augmented, side, side, 3] in [0, 1]; the first of a row is not augmented.
        masks: [n, 1 + augmented, side, side] in [0, 1]; None if the model has no mask channel.
        captions: n captions, grouped by class.
        notes: title and lines below it.
        path: PNG to write.
    """
    starts = [0.0]  # tops of the rows, from the first heading
    for row in range(1, len(captions)):
        heading = HEADING if captions[row].class_name != captions[row - 1].class_name else 0
        starts.append(starts[-1] + CELL + GAP + heading)
    top = MARGIN + LINE * (len(notes) + 1.2) + HEADING + COLUMNS
    across = MARGIN + CAPTION + (CELL + GAP) * (rgb.shape[1] + (masks is not None))
    width, height = across + MARGIN, top + starts[-1] + CELL + MARGIN
    with matplotlib.style.context(
        ["default", STYLE, {"figure.constrained_layout.use": False, "font.size": 8}]
    ):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        _write_notes(axes, notes, masks is not None, top - HEADING - 0.04)
        for row, (caption, start) in enumerate(zip(captions, starts, strict=True)):
            if row == 0 or caption.class_name != captions[row - 1].class_name:
                _write_heading(axes, caption, top + start, across - GAP)
            _write_caption(axes, caption, top + start + CELL / 2)
            _plot_row(axes, rgb[row], None if masks is None else masks[row], top + start)
        # Axes in inches from the top left; images change the limits.
        axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
        axes.set_axis_off()
        save_figure(figure, path)


def schedule_figure(
    epochs: NDArray[np.floating],
    rates: Mapping[str, NDArray[np.floating]],
    warmup: int,
    steps: int,
    path: Path,
) -> None:
    """Plot the learning rate of every group over the epochs, on a log scale.

    Args:
        epochs: [n], times of the rates, in epochs since the start.
        rates: [n] by group; 0 while frozen.
        warmup: epochs of warm-up; 0 for no mark.
        steps: steps per epoch.
        path: PNG to write.
    """
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH, 2.9))
        axes = figure.subplots()
        colours = dict(zip(rates, itertools.cycle(GROUP_COLOURS), strict=False))
        for groups, values in _together(rates):
            frozen = not values.any()
            axes.plot(
                epochs,
                np.where(values > 0, values, np.nan),  # 0 has no place on a log scale
                color=GREY if frozen else colours[groups[0]],
                linestyle=":" if frozen else "-",
                label=f"{', '.join(groups)}: {'frozen' if frozen else f'{values.max():.3g}'}",
            )
        _scale_rates(axes, np.concatenate(list(rates.values())))
        last = math.floor(epochs[-1]) + 1  # end of the last epoch
        if warmup:
            _mark_warmup(axes, warmup, leftwards=warmup > last / 2)
        axes.set_xlim(0, last)
        axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
        axes.set_xlabel(f"epoch ({steps:,} steps each)")
        axes.set_title("Learning rate")
        figure.legend(loc="outside lower center", ncols=3)
        save_figure(figure, path)


def shorten(text: str, length: int) -> str:
    """Elide the middle of a text to ``length`` columns at most; East Asian letters count two."""
    if _width(text) <= length:
        return text
    left, right = text[: len(text) // 2], text[len(text) // 2 :]
    while _width(left) + 1 + _width(right) > length:
        if _width(left) > _width(right):
            left = left[:-1]
        else:
            right = right[1:]
    return f"{left}…{right}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _together(
    rates: Mapping[str, NDArray[np.floating]],
) -> list[tuple[list[str], NDArray[np.floating]]]:
    """Merge groups of equal rates into one line, which would hide the others."""
    lines: list[tuple[list[str], NDArray[np.floating]]] = []
    for group, values in rates.items():
        same = next((names for names, other in lines if np.array_equal(values, other)), None)
        if same is None:
            lines.append(([group], values))
        else:
            same.append(group)
    return lines


def _scale_rates(axes: Axes, rates: NDArray[np.floating]) -> None:
    """Set limits to whole decades, so that the axis has tick labels."""
    # In float32, 0.001 is slightly larger, yet begins no new decade.
    low, high = np.log10([rates[rates > 0].min(), rates.max()]).round(5)
    low, high = math.floor(low), math.ceil(high)
    axes.set_yscale("log")
    axes.set_ylim(10.0 ** max(min(low, high - 1), high - MOST_DECADES), 1.3 * 10.0**high)
    axes.minorticks_off()


def _mark_warmup(axes: Axes, warmup: int, *, leftwards: bool) -> None:
    axes.axvline(warmup, color=INK, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    axes.annotate(
        "warm-up ends",
        (warmup, 0),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if leftwards else 5, 4),
        textcoords="offset points",
        ha="right" if leftwards else "left",
        va="bottom",
        fontsize=9,
    )


def _columns(with_mask: bool) -> tuple[float, float]:
    """Left ends of the mask column and of the first augmented one."""
    second = MARGIN + CAPTION + CELL + GAP
    return second, second + (CELL + GAP) * with_mask


def _write_notes(axes: Axes, notes: Sequence[str], with_mask: bool, bottom: float) -> None:
    for line, note in enumerate(notes):
        size, weight = (9, "normal") if line else (13, "bold")
        y = MARGIN + LINE * (line + 0.5 * bool(line))
        axes.text(MARGIN, y, note, va="top", parse_math=False, fontsize=size, fontweight=weight)
    mask, augmented = _columns(with_mask)
    axes.text(MARGIN + CAPTION, bottom, "not augmented", va="bottom", color=INK)
    if with_mask:
        axes.text(mask, bottom, "mask", va="bottom", color=INK)
    axes.text(augmented, bottom, "augmented as in training", va="bottom", color=INK)


def _write_heading(axes: Axes, caption: Caption, bottom: float, right: float) -> None:
    axes.plot([MARGIN, right], [bottom - HEADING + 0.06] * 2, color=FAINT, linewidth=0.8)
    y = bottom - 0.09
    name = shorten(caption.class_name, CLASS_WIDTH)
    axes.text(MARGIN, y, name, fontsize=10, fontweight="bold", parse_math=False)
    axes.text(right, y, caption.class_size, ha="right", color=INK)


def _write_caption(axes: Axes, caption: Caption, middle: float) -> None:
    subject = f"subject {caption.subject}" if caption.subject else "subject unknown"
    # The heading has the class, often the folder's name.
    name = caption.file.removeprefix(f"{caption.class_name}/")
    file, whose = (
        axes.text(MARGIN, y, shorten(text, CAPTION_WIDTH), fontfamily="monospace", parse_math=False)
        for text, y in ((name, middle - 0.02), (subject, middle + 0.04))
    )
    file.set(fontsize=7, va="bottom")
    whose.set(fontsize=7, va="top", color=GREY)


def _plot_row(
    axes: Axes, rgb: NDArray[np.floating], masks: NDArray[np.floating] | None, top: float
) -> None:
    mask_column, left = _columns(masks is not None)
    _plot_picture(axes, rgb[0], MARGIN + CAPTION, top)
    if masks is not None:
        # Photograph in grey, so that only the mask has colour.
        grey = np.repeat(rgb[0].mean(-1, keepdims=True) * 0.75 + 0.25, 3, axis=-1)
        share = 0.65 * masks[0][..., None]
        blue = np.array(matplotlib.colors.to_rgb(BLUE))
        _plot_picture(axes, grey * (1 - share) + blue * share, mask_column, top)
    for place in range(1, len(rgb)):
        _plot_picture(axes, rgb[place], left, top)
        if masks is not None:
            plot_outline(axes, masks[place], left, top, CELL)
        left += CELL + GAP


def _plot_picture(axes: Axes, picture: NDArray[np.floating], left: float, top: float) -> None:
    axes.imshow(picture, extent=(left, left + CELL, top + CELL, top))
    # A white background must not merge with the page.
    axes.add_patch(Rectangle((left, top), CELL, CELL, fill=False, edgecolor=FAINT, linewidth=0.8))


def plot_outline(
    axes: Axes, mask: NDArray[np.floating], left: float, top: float, size: float
) -> None:
    """Plot the contour of a mask [side, side] at 0.5, over an image of ``size`` at (left, top)."""
    # Contours of single strands would hide the image.
    mask = gaussian_filter(mask, len(mask) / 120)
    if not mask.min() < 0.5 < mask.max():
        return
    centres = (np.arange(len(mask)) + 0.5) * size / len(mask)
    axes.contour(left + centres, top + centres, mask, [0.5], colors=[SKY], linewidths=1.1)
