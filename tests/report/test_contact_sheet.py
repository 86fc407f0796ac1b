import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from hairjax.report.figures import contact_sheets as show_figures
from hairjax.report.figures import style
from hairjax.report.figures.contact_sheets import Caption, contact_sheet, schedule_figure, shorten

VIEWS = 6
NAMES = {
    "usual": [f"level_{i}" for i in range(4)],
    "one": ["level_0"],
    "many": [f"class {i}" for i in range(20)],
    "strange": ["$x^2$", "중증 탈모", "w" * 90, "<b> " * 20],
}


def captions(names, per_class=2):
    return [
        Caption(name, "1,234 photographs train", f"{name}/" + "photo_" * (9 * i) + "1.jpg", "W" * i)
        for name in names
        for i in range(per_class)
    ]


def draw_sheet(path, names=NAMES["usual"], *, masks=True, side=16, size=0.5):
    rows = captions(names)
    rng = np.random.default_rng(0)
    rgb = rng.random((len(rows), VIEWS, side, side, 3))
    x = np.abs(np.arange(side) - side / 2 + 0.5)
    mask = (np.maximum.outer(x, x) < size * side / 2).astype(float)
    every = np.broadcast_to(mask, (len(rows), VIEWS, side, side))
    notes = ["Inputs of the model", "32 × 32 pixels", f"source: {'w' * 72}"]
    contact_sheet(rgb, every if masks else None, rows, notes, path)


def draw_schedule(path, **rates):
    epochs = np.arange(0, 20, 0.25)
    shape = np.linspace(1, 0.01, len(epochs))
    rates = {"early": 1e-5, "middle": 5e-5, "late": 1e-3} | rates
    schedule_figure(epochs, {group: peak * shape for group, peak in rates.items()}, 2, 4, path)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that would be written."""
    figures = []
    monkeypatch.setattr(show_figures, "save_figure", lambda figure, path: figures.append(figure))
    return figures


def boxes_of_texts(figure):
    renderer = FigureCanvasAgg(figure).get_renderer()
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for axes in figure.axes
        for text in axes.texts
        if text.get_text()
    ]


@pytest.mark.filterwarnings("ignore:Glyph .* missing from:UserWarning")
@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_no_text_runs_into_another_or_into_a_picture(names, masks, drawn, tmp_path):
    draw_sheet(tmp_path, names, masks=masks)
    [figure] = drawn
    texts = boxes_of_texts(figure)
    for (one, a), (other, b) in itertools.combinations(texts, 2):
        assert not a.overlaps(b), (one, other)
    [axes] = figure.axes
    pictures = [image.get_window_extent() for image in axes.images]
    for said, box in texts:
        assert figure.bbox.containsx(box.x0), said
        assert figure.bbox.containsx(box.x1), said
        assert not any(box.overlaps(picture) for picture in pictures), said
    assert len(pictures) == len(captions(names)) * (VIEWS + masks)
    for a, b in itertools.pairwise(pictures):
        assert not a.overlaps(b)


@pytest.mark.parametrize(("size", "outlines"), [(0.5, 8 * (VIEWS - 1)), (0, 0), (2, 0)])
def test_the_mask_is_outlined_where_it_lies(size, outlines, drawn, tmp_path):
    """Nothing is drawn around a mask that is empty or everything."""
    draw_sheet(tmp_path, size=size)
    [axes] = drawn[0].axes
    contours = [c for c in axes.collections if c.get_paths()[0].vertices.size]
    assert len(contours) == outlines
    augmented = [images for i, images in enumerate(axes.images) if i % (VIEWS + 1) > 1]
    for contour, image in zip(contours, augmented, strict=len(contours) > 0):
        left, right, bottom, top = image.get_extent()
        box = contour.get_paths()[0].get_extents()
        middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        assert middle == pytest.approx(((left + right) / 2, (top + bottom) / 2))
        assert box.width / (right - left) == pytest.approx(size, abs=1 / 16)


def test_frozen_groups_are_said_and_equal_ones_share_a_line(drawn, tmp_path):
    draw_schedule(tmp_path)
    draw_schedule(tmp_path, early=0.0)
    draw_schedule(tmp_path, early=0.0, middle=0.0)
    draw_schedule(tmp_path, early=1e-3, middle=1e-3)

    def legend(figure):
        return [text.get_text() for text in figure.legends[0].get_texts()]

    assert [legend(figure) for figure in drawn] == [
        ["early: 1e-05", "middle: 5e-05", "late: 0.001"],
        ["early: frozen", "middle: 5e-05", "late: 0.001"],
        ["early, middle: frozen", "late: 0.001"],
        ["early, middle, late: 0.001"],
    ]
    # A group has the colour that it has in the learning curves, whatever the others do.
    for figure in drawn[:2]:
        assert [line.get_color() for line in figure.axes[0].lines[1:3]] == [
            style.GREEN,
            style.ORANGE,
        ]


@pytest.mark.parametrize("low", [1.0, 0.9, 1e-3, 0.0])
def test_there_are_numbers_beside_the_rates(low, drawn, tmp_path):
    """However little they change, and if they end at nothing."""
    rates = np.float32(1e-3) * np.linspace(1, low, 40, dtype=np.float32)
    schedule_figure(np.arange(40) / 4, {"late": rates}, 0, 4, tmp_path)
    [axes] = drawn[0].axes
    bottom, top = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if bottom <= tick <= top]
    assert 2 <= len(ticks) <= 7
    assert bottom < rates.max() <= max(ticks) * 1.001
    assert axes.get_xlim() == (0, 10)


@pytest.mark.parametrize("draw", [draw_sheet, draw_schedule])
def test_is_a_png_and_the_same_every_time(draw, tmp_path):
    first, again = tmp_path / "first.png", tmp_path / "again.png"
    draw(first)
    draw(again)
    assert first.read_bytes() == again.read_bytes()
    with Image.open(first) as image:
        image.load()
        assert not image.text
        assert min(image.size) > 400


@given(st.text(max_size=80), st.integers(3, 40))
@example("중증 탈모" * 9, 12)
@example("a" * 12, 12)
@example("a" * 13, 12)
def test_a_long_name_is_told_by_its_ends(text, length):
    short = shorten(text, length)
    wide = sum(1 + (show_figures.unicodedata.east_asian_width(letter) in "WF") for letter in short)
    # The ellipsis itself is of ambiguous width.
    assert wide <= length
    left, dots, right = short.rpartition("…") if short != text else (text, "", "")
    assert text.startswith(left)
    assert text.endswith(right)
    if short != text:
        assert dots
        assert wide >= length - 2, "no more is left out than must be"
    elif text.isascii():
        assert len(text) <= length


def test_a_run_of_one_step_has_an_axis(tmp_path):
    """Matplotlib warns of an axis without length, and warnings are errors here."""
    schedule_figure(np.zeros(1), {"late": np.full(1, 1e-3)}, 0, 1, tmp_path / "one.png")
