"""``launch.py explain`` and the mistakes in a report, on photographs with secrets in their EXIF."""

import base64
import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

import launch
from hairjax.models.table import VARIANTS, VIT, Variant
from hairjax.report.figures import style as figures
from hairjax.system.outputs import RECORD, read_record
from tests import finished

pytestmark = pytest.mark.usefixtures("tiny_swin")

FIGURES = ("deletion_insertion", "examples")


@pytest.fixture(scope="module", autouse=True)
def no_figures_but_these():
    """Those of a run and its report are looked at elsewhere, and each command draws them anew."""
    save = figures._save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            figures,
            "_save",
            lambda figure, path, **how: (
                save(figure, path, **how) if path.stem in FIGURES else path.touch()
            ),
        )
        yield


@pytest.fixture(scope="module")
def root(finished_run, tmp_path_factory):
    return finished.copy(finished_run, tmp_path_factory.mktemp("explain"))


def train(root, workdir, *more):
    status, _ = finished.train(root, workdir, *more)
    return status


def explain(root, *more):
    return launch.main(["explain", f"--workdir={root}/run", *more])


@pytest.fixture(scope="module")
def out(root):
    assert explain(root, "--count=5") == 0
    return root / "run" / "explain" / "validation"


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def jpegs(page):
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page.read_text())
    return [base64.b64decode(data) for data in found]


def test_everything_is_written(out):
    figures = {f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    tables = {"explain.csv", "mask_reliance.csv", "explanation.json"}
    assert {path.name for path in out.iterdir()} == figures | tables | {"examples"}
    for name in FIGURES:
        with Image.open(out / f"{name}.png") as picture:
            assert picture.width > 900


def test_one_line_per_photograph(root, out):
    rows, judged = rows_of(out / "explain.csv"), rows_of(root / "run" / "predictions.csv")
    for name in ("file", "label", "predicted"):
        assert [row[name] for row in rows] == [row[name] for row in judged]
    for row in rows:
        # Of the mask as stored, which was resized.
        with Image.open((root / "masks" / row["file"]).with_suffix(".png")) as mask:
            share = np.asarray(mask).mean() / 255
        assert float(row["mask_share"]) == pytest.approx(share, abs=0.01)
        assert row["inside_mask"] == "" or 0 <= float(row["inside_mask"]) <= 1
    followed = [row for row in rows if row["deletion"]]
    assert len(followed) == 5 < len(rows)
    for row in followed:
        for name in ("deletion", "deletion_random", "insertion", "insertion_random"):
            assert 0 < float(row[name]) < 1


def test_unchanged_masks_give_the_runs_metrics(root, out):
    rows = rows_of(out / "mask_reliance.csv")
    written = json.loads((root / "run" / "metrics.json").read_text())
    assert [row["change"] for row in rows] == [
        "as it is",
        "without the mask",
        "mask of another photograph",
        "mask eroded by 1 pixel",
        "mask dilated by 1 pixel",
        "without the photograph",
    ]
    for name in ("accuracy", "quadratic_kappa"):
        assert float(rows[0][name]) == pytest.approx(written[name], abs=1e-6)
        assert rows[0][f"{name}_difference"] == ""
        for row in rows[1:]:
            change = float(row[name]) - float(rows[0][name])
            assert float(row[f"{name}_difference"]) == pytest.approx(change, abs=2e-6)


@pytest.mark.slow
def test_the_same_again_and_finer(root, out, tmp_path):
    """The same bytes; another stage gives other maps of the same photographs."""
    assert explain(root, f"--out={tmp_path}/again", "--count=5") == 0
    written = {path.name for path in (tmp_path / "again").iterdir()}
    assert written == {RECORD, *read_record(tmp_path / "again")}
    written = [path for path in out.rglob("*") if path.is_file()]
    assert len(written) > 20
    for path in written:
        again = tmp_path / "again" / path.relative_to(out)
        assert again.read_bytes() == path.read_bytes(), path.name
    assert explain(root, f"--out={tmp_path}/finer", "--count=5", "--stage=0") == 0
    rows, finer = rows_of(out / "explain.csv"), rows_of(tmp_path / "finer" / "explain.csv")
    assert [row["mask_share"] for row in rows] == [row["mask_share"] for row in finer]
    assert [row["inside_mask"] for row in rows] != [row["inside_mask"] for row in finer]
    found = json.loads((tmp_path / "finer" / "explanation.json").read_text())
    assert (found["stage"], found["stages"], found["places"]) == (1, 3, [8, 8])


def test_the_report_has_it_and_is_written_again_without_the_model(root, out, capsys):
    run = root / "run"
    before = (run / "report.html").read_bytes()
    examples = json.loads((out / "examples" / "gallery.json").read_text())["cards"]
    assert len(jpegs(run / "report.html")) == 3 * 3 + 3 * len(examples)
    assert b"Validation: how much the model relies on the mask" in before
    assert b"mask of another photograph" in before
    (run / "checkpoints").rename(root / "hidden")
    (run / "report.html").unlink()
    try:
        assert launch.main(["report", f"--workdir={run}"]) == 0
    finally:
        (root / "hidden").rename(run / "checkpoints")
    assert (run / "report.html").read_bytes() == before


def test_a_look_at_test_photographs_counts(root, out, capsys):
    run = root / "run"
    assert not (run / "looks.csv").exists()
    assert explain(root, "--count=2", "--split=test") == 0
    others = [f"--photos={root}/photos", f"--masks={root}/masks", f"--out={root}/all"]
    assert explain(root, "--count=2", *others) == 0
    assert "test split opened 2 times" in capsys.readouterr().out
    looks = rows_of(run / "looks.csv")
    assert [(look["command"], look["split"]) for look in looks] == [
        ("explain", "test"),
        ("explain", "all"),
    ]
    rows = rows_of(run / "explain" / "test" / "explain.csv")
    accuracy = np.mean([row["label"] == row["predicted"] for row in rows])
    assert int(looks[0]["photographs"]) == len(rows)
    assert float(looks[0]["accuracy"]) == pytest.approx(accuracy)
    page = (run / "report.html").read_text()
    assert "Test: the maps" in page and "opened 2 times" in page


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--stage=3", "--stage is 3; it can be -3 to 2"),
        ("--out={root}/run", "is a run, and its files would be overwritten"),
    ],
)
def test_what_cannot_be(root, flag, said, capsys):
    assert explain(root, flag.format(root=root)) == 1
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_vit_of_rgb_is_explained_by_its_attention(root, tmp_path, monkeypatch):
    """Without masks the page says so; a model that sees none relies on none."""
    tiny = {"patch": 16, "dim": 12, "depths": (1, 1), "heads": 2}
    monkeypatch.setitem(VARIANTS, "small", Variant(32, tiny, VIT))
    run = tmp_path / "rgb"
    options = ["--config.model.name=small", "--config.model.in_channels=3", "--config.data.masks="]
    assert train(root, run, *options) == 0
    place, page = run / "explain" / "validation", run / "report.html"
    assert "attention rollout; 2 × 2 places" in page.read_text()
    for masks in (True, False):
        more = [f"--masks={root}/masks"] if masks else []
        assert launch.main(["explain", f"--workdir={run}", "--count=2", *more]) == 0
        assert not (place / "mask_reliance.csv").exists()
        known = {row["mask_share"] != "" for row in rows_of(place / "explain.csv")}
        assert known == {masks}
        assert ("No masks are known" in page.read_text()) != masks
        assert "The model sees RGB alone" in page.read_text()
        assert "Attention rollout to the end of stage 2 of 2" in page.read_text()
        assert "Grad-CAM" not in page.read_text()
        written = json.loads((place / "explanation.json").read_text())
        assert written["method"] == "attention_rollout"
        assert "attention rollout" in (place / "deletion_insertion.svg").read_text()


def test_mistakes_are_in_the_report_and_can_be_left_out(root, out):
    page = root / "run" / "report.html"
    judged = rows_of(root / "run" / "predictions.csv")
    mistakes = sum(row["label"] != row["predicted"] for row in judged)
    assert mistakes > 3
    pictures = jpegs(page)
    assert len(pictures) > 3 * 3
    for data in pictures:
        assert b"SECRET" not in data and b"Exif" not in data
        assert not Image.open(io.BytesIO(data)).getexif()
    assert f"3 of {mistakes} mistakes" in page.read_text()
    # The same command without them, which trains nothing again.
    assert train(root, root / "run", "--config.report.gallery=0") == 0
    assert jpegs(page) == []
    assert not (root / "run" / "gallery").exists()
    assert "surest mistakes" not in page.read_text()
    assert "Validation: the maps" in page.read_text()
