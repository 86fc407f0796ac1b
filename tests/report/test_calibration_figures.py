import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from hairjax.evaluation.metrics.calibration import measure_calibration
from hairjax.evaluation.metrics.sample import Sample
from hairjax.evaluation.metrics.selective import predict_selectively, risk_coverage
from hairjax.report.figures import style
from hairjax.report.figures.calibration import reliability_figure, risk_coverage_figure
from tests.evaluation.test_calibration import drawn


def reliability(path, *, n=200, tempered=False):
    own, other = (
        measure_calibration(Sample.from_predictions(drawn(n, 0, temperature=t))).bins
        for t in (2.0, 1.0)
    )
    reliability_figure(own, other if tempered else (), path)


def risks(path, *, n=200):
    sample = Sample.from_predictions(drawn(n, 0, temperature=1.0))
    coverage, risk = risk_coverage(sample.right, sample.confidence)
    risk_coverage_figure(coverage, risk, predict_selectively(sample).kept, path)


@pytest.mark.parametrize("draw", [reliability, risks])
def test_is_a_png_without_metadata_and_the_same_every_time(draw, tmp_path):
    first, again = tmp_path / "first.png", tmp_path / "again.png"
    draw(first)
    with mpl.rc_context({"lines.linewidth": 9, "figure.dpi": 30}):
        draw(again)
    assert first.read_bytes() == again.read_bytes()
    with Image.open(first) as image:
        assert image.format == "PNG" and not image.text
        assert image.width == round(style.COLUMN * style.DOTS_IN_PRINT)
    drawings = (path.with_suffix(".svg").read_bytes() for path in (first, again))
    assert len(set(drawings)) == 1


@pytest.mark.parametrize("draw", [reliability, risks])
def test_a_single_photograph_can_be_drawn(draw, tmp_path):
    draw(tmp_path / "one.png", n=1)


def test_a_temperature_is_a_second_series(tmp_path):
    counts = []
    for tempered in (False, True):
        reliability(tmp_path / "figure.png", tempered=tempered)
        with Image.open(tmp_path / "figure.png") as image:
            red = np.multiply(mpl.colors.to_rgb(style.VERMILION), 255).round()
            counts.append((np.asarray(image.convert("RGB")) == red).all(-1).sum())
    assert counts[0] == 0 and counts[1] > 500
