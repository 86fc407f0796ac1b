"""``launch.py predict`` and ``load_run(…).predict`` on photographs without labels."""

import csv
import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps
from rich.console import Console
from scipy import special

import hairjax
import launch
from hairjax.commands.predict import show_predictions
from hairjax.evaluation.predictions import Predictions
from hairjax.runs.folder import RunFolder
from hairjax.runs.photographs import read_selected_photographs
from hairjax.system.console import shown_on
from hairjax.system.errors import UserError
from tests import finished

pytestmark = pytest.mark.usefixtures("tiny_swin")


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def shares(row):
    return [row[f"probability_level_{i}"] for i in range(4)]


@pytest.fixture(scope="module")
def root(finished_run, tmp_path_factory):
    return finished.copy(finished_run, tmp_path_factory.mktemp("predict"))


def predict(root, *arguments):
    return launch.main(["predict", f"--workdir={root}/run", *map(str, arguments)])


def test_probabilities_are_evaluations_to_the_byte(root, tmp_path):
    out = tmp_path / "all.csv"
    assert predict(root, root / "photos", f"--masks={root}/masks", f"--out={out}") == 0
    found = {row["file"]: row for row in rows_of(out)}
    assert len(found) == 80
    expected = rows_of(root / "run" / "predictions.csv")
    assert expected
    for row in expected:
        mine = found[f"{root}/photos/{row['file']}"]
        assert shares(mine) == shares(row)
        assert mine["predicted"] == row["predicted"]
        assert mine["label"] == ""


def test_one_photograph_with_its_mask_or_a_folder_of_masks(root, tmp_path):
    row = rows_of(root / "run" / "predictions.csv")[-1]
    photo, mask = root / "photos" / row["file"], root / "masks" / row["file"]
    for masks in (mask, mask.parent):
        out = tmp_path / "one.csv"
        assert predict(root, photo, f"--masks={masks}", f"--out={out}", "--overwrite") == 0
        (found,) = rows_of(out)
        assert found["file"] == str(photo)
        assert shares(found) == shares(row)


@pytest.mark.situation(
    "Results",
    "probabilities that are to be taken at their word",
    "`predict` writes calibrated ones beside the model's own, by the temperature from validation",
)
def test_calibrated_probabilities_stand_beside_the_models_own(root, tmp_path, capsys):
    out, some = tmp_path / "some.csv", root / "photos" / "level_1"
    assert predict(root, some, f"--masks={root}/masks/level_1", f"--out={out}") == 0
    told = json.loads((root / "run" / "metrics.json").read_text())["temperature"]
    assert f"temperature {told['value']:.2f}, fitted on the" in capsys.readouterr().out
    rows = rows_of(out)
    names = [f"calibrated_level_{i}" for i in range(4)]
    assert list(rows[0])[-4:] == names
    own = np.array([shares(row) for row in rows], np.float64)
    found = np.array([[row[name] for name in names] for row in rows], np.float64)
    expected = special.softmax(np.log(own) / told["value"], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found.argmax(1) == own.argmax(1)).all()
    assert abs(found - own).max() > 1e-3


@pytest.mark.situation(
    "Results",
    "`predict` by a run without predictions for its validation photographs",
    "the model's own probabilities alone; it is said why and what writes them",
)
def test_without_validation_there_are_no_calibrated_probabilities(root, tmp_path, capsys):
    run = shutil.copytree(root / "run", tmp_path / "run")
    (run / "predictions.csv").unlink()
    out, some = tmp_path / "some.csv", next((root / "photos" / "level_1").iterdir())
    flags = (f"--workdir={run}", f"--masks={root}/masks/level_1/{some.name}", f"--out={out}")
    assert launch.main(["predict", *flags, str(some)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "no calibrated probabilities: there is no" in said
    assert "write it with: python launch.py --config=" in said
    assert [name for name in rows_of(out)[0] if name.startswith("calibrated")] == []


@pytest.mark.situation(
    "Results",
    "`predict --out` names a file that is there, or `--pictures` a folder with pages",
    "refused before anything is read; `--overwrite` replaces them",
)
def test_nothing_that_is_there_is_replaced_unless_told(root, tmp_path, monkeypatch, capsys):
    out, pages = tmp_path / "my.csv", tmp_path / "pages"
    some, masks = root / "photos" / "level_1", f"--masks={root}/masks/level_1"
    out.write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr("hairjax.commands.predict.load_run", lambda workdir: pytest.fail("loaded"))
        assert predict(root, some, masks, f"--out={out}") == 1
        assert f"{out} is there already; give another --out, or --overwrite" in (
            capsys.readouterr().err
        )
        pages.mkdir()
        for name in ("page_003.png", "page_mine.png"):
            (pages / name).write_text("mine")
        other = f"--out={tmp_path}/other.csv"
        assert predict(root, some, masks, other, f"--pictures={pages}") == 1
        assert "page_003.png is there already; give another --pictures" in capsys.readouterr().err
    assert out.read_text() == (pages / "page_003.png").read_text() == "mine"
    flags = (masks, f"--out={out}", f"--pictures={pages}", "--overwrite")
    assert predict(root, some, *flags) == 0
    assert len(rows_of(out)) > 16
    assert sorted(page.name for page in pages.iterdir()) == [
        "page_001.png",
        "page_002.png",
        "page_mine.png",
    ]


def test_a_switch_is_true_or_false(root, tmp_path, capsys):
    assert predict(root, root / "photos", "--flips=maybe") == 1
    assert "--flips is 'maybe'; it can be false or true" in capsys.readouterr().err


def test_from_python(root):
    rows = rows_of(root / "run" / "predictions.csv")[:3]
    run = hairjax.load_run(root / "run")
    predictions = run.predict(
        [root / "photos" / row["file"] for row in rows],
        masks=[str(root / "masks" / row["file"]) for row in rows],
    )
    assert [list(map(str, row)) for row in predictions.probabilities] == list(map(shares, rows))
    assert [run.classes[i] for i in predictions.predicted] == [row["predicted"] for row in rows]
    assert (predictions.labels == -1).all()
    with pytest.raises(ValueError, match="needs hair masks: give masks="):
        run.predict([root / "photos" / rows[0]["file"]])
    with pytest.raises(ValueError, match="1 photograph and 2 masks"):
        run.predict(["a.png"], masks=["a.png", "b.png"])
    with pytest.raises(ValueError, match=r"absent.png") as error:
        run.predict([root / "absent.png"], masks=[root / "absent.png"])
    assert "config" not in str(error.value), "there is no configuration to change"


def test_a_run_that_has_not_ended_says_so(root, tmp_path):
    stopped = shutil.copytree(root / "run", tmp_path / "stopped")
    assert hairjax.load_run(stopped).describe() == f"model: tiny, epoch 1 of {stopped}"
    (stopped / "metrics.json").unlink()
    said = f"model: tiny, epoch 1 of {stopped}, the best so far: it has not ended"
    assert hairjax.load_run(stopped).describe() == said


def test_many_photographs_are_read_a_part_at_a_time(root, monkeypatch):
    files = sorted((root / "photos").rglob("*.png"))[:10]
    masks = [root / "masks" / file.relative_to(root / "photos") for file in files]
    run = hairjax.load_run(root / "run")
    together = run.predict(files, masks=masks)
    monkeypatch.setattr("hairjax.runs.run.PREDICTED_AT_ONCE", 3)
    parts = run.predict(files, masks=masks)
    np.testing.assert_array_equal(parts.probabilities, together.probabilities)
    assert parts.files == together.files == tuple(map(str, files))


def test_a_run_keeps_the_coding_of_its_masks_and_the_white_of_its_greys(root):
    assert json.loads((root / "run" / "masks.json").read_text()) == {
        "name": "{name}",
        "category": "",
        "coding": "soft 255",
        "white": 0,
    }


def test_greys_are_read_by_the_white_of_the_run_in_every_part(root, tmp_path, monkeypatch):
    """Alone each of the dark ones would be as bright as any."""
    shutil.copytree(root / "run", tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    folder.masks.write_text('{"coding": "soft 255", "white": 4095}')
    files, masks = [], sorted((root / "masks").rglob("*.png"))[:3]
    ramp = np.linspace(0, 255, 32 * 32).astype(np.uint16).reshape(32, 32)
    for i, picture in enumerate([ramp // 16, ramp // 20, ramp]):
        for name, pixels in (("8", picture.astype(np.uint8)), ("16", picture * 16)):
            Image.fromarray(pixels).save(tmp_path / f"{i}_{name}.png")
        files.append(tmp_path / f"{i}_16.png")
    monkeypatch.setattr("hairjax.runs.run.PREDICTED_AT_ONCE", 1)
    run = hairjax.load_run(folder.path)
    found = run.predict(files, masks=masks).probabilities
    eight = [file.with_name(file.name.replace("_16", "_8")) for file in files]
    expected = run.predict(eight, masks=masks).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-3)
    folder.masks.write_text('{"coding": "soft 255"}')  # as a run of before has it
    before = hairjax.load_run(folder.path)
    assert before.setup.prepare.white == 0
    with pytest.raises(UserError, match=r"2_16\.png: above 1023 of 16 bits, and white is 255"):
        before.predict(files, masks=masks)
    alone = before.predict(files[:1], masks=masks[:1]).probabilities
    assert np.abs(alone - expected[:1]).max() > 0.01


def test_what_cannot_be_used_is_named_and_the_rest_predicted(root, tmp_path, capsys):
    shutil.copytree(root / "photos" / "level_1", tmp_path / "new")
    first, second, third, *_ = sorted((tmp_path / "new").iterdir())
    first.write_bytes(first.read_bytes()[:50])
    second.rename(second.with_name("without mask.png"))
    third.rename(third.with_suffix(".jxl"))
    out = tmp_path / "new.csv"
    assert predict(root, tmp_path / "new", f"--masks={root}/masks/level_1", f"--out={out}") == 1
    message = capsys.readouterr().err
    for name in (first.name, "without mask.png", third.stem + ".jxl"):
        assert name in message
    assert "3 of" in message
    count = len(list((tmp_path / "new").iterdir()))
    assert len(rows_of(out)) == count - 3


@pytest.mark.situation(
    "Masks",
    "masks with black hair for `predict`, `evaluate --photos` or `explain --photos`",
    "said, as far as the corners show it, with the flag that turns them",
)
def test_black_hair_is_told(root, tmp_path, capsys):
    for file in sorted((root / "masks" / "level_1").iterdir())[:4]:
        (tmp_path / "masks").mkdir(exist_ok=True)
        with Image.open(file) as mask:
            ImageOps.invert(mask.convert("L")).save(tmp_path / "masks" / file.name)
        (tmp_path / "new").mkdir(exist_ok=True)
        shutil.copy(root / "photos" / "level_1" / file.name, tmp_path / "new")
    given = (tmp_path / "new", f"--masks={tmp_path}/masks")
    assert predict(root, *given, f"--out={tmp_path}/a.csv") == 0
    assert "--mask_value=inverted" in capsys.readouterr().out
    assert predict(root, *given, "--mask_value=inverted", f"--out={tmp_path}/b.csv") == 0
    assert "rather look inverted" not in capsys.readouterr().out
    right = (tmp_path / "new", f"--masks={root}/masks/level_1", f"--out={tmp_path}/c.csv")
    assert predict(root, *right) == 0
    assert "rather look inverted" not in capsys.readouterr().out
    assert (tmp_path / "b.csv").read_text() == (tmp_path / "c.csv").read_text()


def test_black_hair_is_told_of_other_masks_for_the_runs_own_photographs(root, tmp_path, capsys):
    """As `explain --masks` takes them."""
    for file in (root / "masks").rglob("*.png"):
        path = tmp_path / file.relative_to(root / "masks")
        path.parent.mkdir(exist_ok=True)
        with Image.open(file) as mask:
            ImageOps.invert(mask.convert("L")).save(path)
    run = hairjax.load_run(root / "run")
    for masks, told in ((root / "masks", False), (tmp_path, True)):
        source = run.setup.source
        view = replace(source.views[0], masks=str(masks))
        setup = replace(run.setup, source=replace(source, views=(view,)))
        read_selected_photographs(replace(run, setup=setup), "validation")
        assert ("rather look inverted" in capsys.readouterr().out) == told


def test_masks_given_for_photographs_are_told_and_nothing_is_written(root, tmp_path, capsys):
    swapped = (root / "masks", f"--masks={root}/photos", f"--pictures={tmp_path}/pages")
    assert predict(root, *swapped, f"--out={tmp_path}/new.csv") == 1
    message = capsys.readouterr().err
    assert "none of 80 photographs can be used, and nothing is written" in message
    assert "its mask in many colours: are they swapped? (80)" in message
    assert not list(tmp_path.iterdir())


def test_one_mask_for_two_photographs_is_named(root, tmp_path, capsys):
    first, second = sorted((root / "photos" / "level_1").iterdir())[:2]
    (tmp_path / "other").mkdir()
    shutil.copy(second, tmp_path / "other" / first.name)
    out = tmp_path / "new.csv"
    paths = (first, tmp_path / "other", f"--masks={root}/masks/level_1", f"--out={out}")
    assert predict(root, *paths) == 1
    assert f"is the mask of {first} too" in capsys.readouterr().err
    assert [row["file"] for row in rows_of(out)] == [str(first)]


def test_pages_show_every_photograph(root, tmp_path):
    arguments = (
        f"--masks={root}/masks/level_1",
        f"--out={tmp_path}/all.csv",
        f"--pictures={tmp_path}/p",
    )
    assert predict(root, root / "photos" / "level_1", *arguments) == 0
    pages = sorted((tmp_path / "p").iterdir())
    assert [page.name for page in pages] == [f"page_{i:03}.png" for i in (1, 2)]  # 16 on each
    for page in pages:
        with Image.open(page) as image:
            assert image.width > 1000
            assert not image.getexif()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "predict needs photographs or folders"),
        (["{photos}"], "needs hair masks: give --masks=FOLDER"),
        (["nowhere", "--masks={masks}"], "no photograph or folder 'nowhere'"),
        (["{photos}", "--masks=nowhere"], "--masks=nowhere is not the folder of the masks"),
        (["{empty}", "--masks={masks}"], "holds no photograph"),
        (["{photos}", "--masks={masks}", "--out={empty}"], "must be a file that ends in .csv"),
        (["{photos}", "--masks={masks}", "--out={run}/a.csv"], "is in a run"),
        (["{photos}", "--masks={masks}", "--out={run}/test/new/a.csv"], "is in a run"),
        (
            ["{photos}", "--masks={masks}", "--out={run}/predictions.csv", "--overwrite"],
            "is in a run",
        ),
        (["{photos}", "--mask_value=inverted"], "--mask_value needs --masks"),
        (["{photos}", "--mask_name={{name}}_m"], "--mask_name needs --masks"),
        (["{photos}", "--mask_category=hair"], "--mask_category needs --masks"),
        (["--", "-5.jpg", "--masks={masks}"], "needs hair masks: give --masks=FOLDER"),
        (["--mask=a"], "did you mean --masks?"),
    ],
)
def test_mistakes_end_in_a_sentence(root, tmp_path, capsys, arguments, message):
    places = {"photos": root / "photos", "masks": root / "masks", "run": root / "run"}
    given = [argument.format(empty=tmp_path, **places) for argument in arguments]
    assert predict(root, *given) == 1
    assert message in capsys.readouterr().err
    assert json.loads((root / "run" / "config.json").read_text())["seed"] == 0


@pytest.mark.parametrize("classes", [2, 4, 12])
def test_what_is_shown_fits_a_terminal(classes):
    names = tuple(f"a rather long name of class {k}" for k in range(classes))
    files = tuple(f"/a/folder/of/photographs/with/a/long/name/{i}.jpg" for i in range(3))
    p = np.full((3, classes), 0.25 / (classes - 1), np.float32)
    p[:, -1] = 0.75
    labels = np.full(3, -1)
    text = io.StringIO()
    with shown_on(Console(file=text, width=80, soft_wrap=True)):
        show_predictions(Predictions(files, labels, p, ("",) * 3, names))
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    shown = [line for line in lines if line.endswith("0.750")]
    assert len(shown) == 3
    assert all(f"class {classes - 1}"[-4:] in line for line in shown)
    columns = [len(re.findall(r" 0\.\d{3}", line)) for line in shown]
    assert columns == 3 * [classes if classes <= 4 else 1]
