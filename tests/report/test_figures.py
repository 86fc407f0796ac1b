import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from hairjax.report.figures import classification as figures
from hairjax.report.figures import style

GROUPS = {"early": 1e-5, "middle": 5e-5, "late": 1e-3}


def history(epochs, groups=GROUPS):
    return [
        {
            "epoch": epoch,
            "train": {"loss": 1.4 / epoch, "accuracy": 1 - 0.7 / epoch},
            "validation": {
                "accuracy": 1 - 0.75 / epoch,
                "quadratic_kappa": 1 - 1.1 / epoch,
                "log_loss": 1.5 / epoch,
            },
            "rate": {group: peak * epoch / epochs for group, peak in groups.items()},
        }
        for epoch in range(1, epochs + 1)
    ]


def curves(path, **changes):
    figures.learning_curves(**{"rows": history(9), "best_epoch": 7, "path": path} | changes)


def confusion(path, k=4, classes=None):
    counts = np.random.default_rng(0).integers(0, 90, (k, k))
    figures.confusion_figure(counts, classes or [f"level_{c}" for c in range(k)], path)


@pytest.mark.parametrize("draw", [curves, confusion])
def test_is_a_png_without_metadata_and_the_same_every_time(draw, tmp_path):
    first, again = tmp_path / "first.png", tmp_path / "again.png"
    draw(first)
    with mpl.rc_context({"lines.linewidth": 9, "figure.dpi": 30, "font.size": 30}):
        draw(again)
    assert first.read_bytes() == again.read_bytes()
    with Image.open(first) as image:
        image.load()
        assert image.format == "PNG"
        assert image.width == round(style.COLUMN * style.DOTS_IN_PRINT)
        assert not image.text
        assert len(np.unique(image.convert("L"))) > 20


def test_nothing_global_changes(tmp_path):
    before = dict(mpl.rcParams)
    curves(tmp_path / "curves.png")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("best", [1, 9])
def test_curves_depend_on_the_best_epoch(best, tmp_path):
    curves(tmp_path / "seven.png")
    curves(tmp_path / "other.png", best_epoch=best)
    assert (tmp_path / "seven.png").read_bytes() != (tmp_path / "other.png").read_bytes()


def test_curves_of_one_epoch_are_points(tmp_path):
    curves(tmp_path / "one.png", rows=history(1), best_epoch=1)
    with Image.open(tmp_path / "one.png") as image:
        blue = mpl.colors.to_rgb(style.BLUE)
        found = (np.asarray(image.convert("RGB")) == np.round(np.multiply(blue, 255))).all(-1)
    assert found.sum() > 100


def test_an_undefined_kappa_leaves_a_gap(tmp_path):
    rows = history(3)
    for row in rows:
        row["validation"]["quadratic_kappa"] = None
    curves(tmp_path / "none.png", rows=rows, best_epoch=1)
    rows[0]["validation"]["quadratic_kappa"] = 0.1
    curves(tmp_path / "one.png", rows=rows, best_epoch=1)
    assert (tmp_path / "none.png").stat().st_size > 1000


def test_frozen_groups_and_many_groups_draw_without_a_warning(tmp_path):
    groups = {f"stream_{n}/{group}": rate for n in range(3) for group, rate in GROUPS.items()}
    rows = history(5, groups)
    for row in rows[:3]:
        row["rate"]["stream_0/early"] = 0.0
    for row in rows:
        row["rate"]["stream_1/early"] = 0.0
    curves(tmp_path / "frozen.png", rows=rows, best_epoch=2)


def test_curves_without_the_best_epoch_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"best epoch 12 is not among .*9\]"):
        curves(tmp_path / "curves.png", best_epoch=12)
    with pytest.raises(ValueError, match="not among"):
        curves(tmp_path / "curves.png", rows=[])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("k", [1, 2, 10, 30])
def test_confusion_of_any_number_of_classes(k, tmp_path):
    confusion(tmp_path / "confusion.png", k)


def test_class_names_are_taken_literally(tmp_path):
    # Mathematics, a script the font lacks, a name that is too long, an empty class.
    confusion(tmp_path / "confusion.png", 4, ["$x^$", "重度", "w" * 90, "<b>"])
    figures.confusion_figure(np.diag([3, 0]), ["a", "none"], tmp_path / "empty.png")


def test_confusion_of_another_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"3 classes need a 3 × 3 .* not \(2, 2\)"):
        figures.confusion_figure(np.eye(2), ["a", "b", "c"], tmp_path / "confusion.png")
