"""The forest plot, by its pixels."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hairjax.evaluation.metrics.paired import METRICS, PairedDifference
from hairjax.report.comparison.summary import HIGHER_IS_BETTER
from hairjax.report.figures.comparison import forest_figure

BLUE, VERMILION = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)


def pair(gain):
    """Better by so much in every metric, whichever way it runs; certain by a half of it."""
    signs = {name: 1 if HIGHER_IS_BETTER[name] else -1 for name in METRICS}
    differences = {
        name: (sign * gain, tuple(sorted((sign * gain * 0.5, sign * gain * 1.5))))
        for name, sign in signs.items()
    }
    return PairedDifference(differences, (), (), np.zeros((2, 2)), 1.0, 1.0)


def columns(path, colour):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return np.nonzero((abs(pixels - colour) <= 4).all(-1))[1], pixels.shape[1]


def test_better_is_blue_and_to_the_right_in_every_panel(tmp_path):
    path = tmp_path / "forest.png"
    forest_figure(["better", "worse"], [pair(0.1), pair(-0.1)], path)
    better, _ = columns(path, BLUE)
    worse, _ = columns(path, VERMILION)
    assert len(better) > 500
    assert len(worse) > 500
    assert worse.max() < better.min()


def test_nothing_is_coloured_that_may_be_chance(tmp_path):
    path = tmp_path / "forest.png"
    unsure = pair(0.0)
    forest_figure(["same $x$ <b>"], [unsure], path)
    assert not len(columns(path, BLUE)[0])
    assert not len(columns(path, VERMILION)[0])


def test_an_undefined_difference_leaves_its_row_empty(tmp_path):
    path = tmp_path / "forest.png"
    bare = replace(pair(0.1), differences=dict.fromkeys(METRICS))
    forest_figure(["of one class"], [bare], path)
    coloured = [len(columns(path, colour)[0]) for colour in (BLUE, VERMILION)]
    grey = len(columns(path, (0x8B, 0x93, 0x9C))[0])
    forest_figure(["of one class"], [pair(0.0)], path)
    assert coloured == [0, 0]
    assert grey < len(columns(path, (0x8B, 0x93, 0x9C))[0])


def test_without_an_interval_nothing_is_coloured(tmp_path):
    path = tmp_path / "forest.png"
    sure = pair(0.1)
    bare = replace(sure, differences={n: (v, None) for n, (v, _) in sure.differences.items()})
    forest_figure(["of one subject"], [bare], path)
    assert not len(columns(path, BLUE)[0])
    assert not len(columns(path, VERMILION)[0])
    grey, _ = columns(path, (0x8B, 0x93, 0x9C))
    assert len(grey)


@pytest.mark.parametrize("count", [1, 12])
def test_same_pairs_same_bytes_however_many(tmp_path, count):
    for name in ("a.png", "b.png"):
        forest_figure([f"key={i}" for i in range(count)], [pair(0.1)] * count, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
