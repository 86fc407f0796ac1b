"""Test-time flips: the mean over a photograph and its mirror image, and always said."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps

import hairjax
import launch
from hairjax.runs.access import read_access
from hairjax.runs.read_predictions import read_run
from hairjax.system.errors import UserError
from tests import finished

pytestmark = pytest.mark.usefixtures("blank_figures", "tiny_swin")

NAMES = [f"probability_level_{i}" for i in range(4)]


@pytest.fixture(scope="module")
def root(finished_run, tmp_path_factory):
    return finished.copy(finished_run, tmp_path_factory.mktemp("flips"))


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def command(*arguments):
    return launch.main([str(argument) for argument in arguments])


def photographs(root, count):
    """Some of the validation photographs with their masks."""
    files = [row["file"] for row in rows_of(root / "run" / "predictions.csv")][:count]
    return [[root / kind / file for file in files] for kind in ("photos", "masks")]


def test_flips_are_the_mean_over_mirrored_files(root, tmp_path):
    given = photographs(root, 6)
    kinds = zip(("photos", "masks"), given, strict=True)
    other = [[tmp_path / kind / file.name for file in files] for kind, files in kinds]
    for files, mirrored in zip(given, other, strict=True):
        for file, target in zip(files, mirrored, strict=True):
            target.parent.mkdir(exist_ok=True)
            with Image.open(file) as image:
                ImageOps.mirror(image).save(target)
    run = hairjax.load_run(root / "run")
    plain, mirror = (run.predict(*one).probabilities for one in (given, other))
    found = run.with_flips().predict(*given).probabilities
    assert abs(plain - mirror).max() > 1e-4
    np.testing.assert_array_equal(found, ((plain.astype(float) + mirror) / 2).astype(np.float32))


@pytest.mark.situation(
    "Results",
    "`evaluate --flips` beside an `evaluate` without",
    "a folder of its own (`validation-flips`), a column `flips`, and its own line in looks.csv",
)
def test_what_is_judged_with_flips_is_kept_apart_and_says_so(root, capsys):
    run = root / "run"
    before = (run / "predictions.csv").read_bytes()
    assert command("evaluate", f"--workdir={run}", "--flips", "--split=test") == 0
    said = capsys.readouterr().out
    assert "with flips: the mean over each photograph and its mirror image" in said
    assert "photographs, with flips" in said
    assert "no temperature: there is no" in said and "--split=validation --flips" in said
    assert not (run / "test").exists()
    assert json.loads((run / "test-flips" / "metrics.json").read_text())["flips"] is True
    assert {row["flips"] for row in rows_of(run / "test-flips" / "predictions.csv")} == {"yes"}
    assert [look.command for look in read_access(run / "looks.csv")] == ["evaluate --flips"]
    report = (run / "report.html").read_text("utf-8")
    assert "evaluate --flips" in report and "results are not in this run" in report
    with pytest.raises(UserError, match=r"there is no .*test/predictions.csv"):
        read_run(run, "test")
    shutil.copytree(run / "test-flips", run / "test")
    with pytest.raises(UserError, match="are means over photographs and their mirror images"):
        read_run(run, "test")
    shutil.rmtree(run / "test")
    assert (run / "predictions.csv").read_bytes() == before


@pytest.mark.situation(
    "Results",
    "`predict --flips` where the temperature was fitted without flips",
    "it is not applied; `evaluate --flips` fits one, by which `predict --flips` calibrates",
)
def test_predict_flips_as_evaluate_does_and_calibrates_by_its_temperature(root, tmp_path, capsys):
    run = root / "run"
    given = ("predict", f"--workdir={run}", root / "photos", f"--masks={root}/masks", "--flips")
    assert command(*given, f"--out={tmp_path}/before.csv") == 0
    said = capsys.readouterr().out
    assert "no calibrated probabilities: there is no" in said and "--flips" in said
    assert list(rows_of(tmp_path / "before.csv")[0])[3:] == [*NAMES, "flips"]

    assert command("evaluate", f"--workdir={run}", "--flips") == 0
    judged = json.loads((run / "validation-flips" / "metrics.json").read_text())
    plain = json.loads((run / "metrics.json").read_text())
    assert judged["temperature"]["value"] != plain["temperature"]["value"]
    capsys.readouterr()
    assert command(*given, f"--out={tmp_path}/after.csv") == 0
    said = capsys.readouterr().out
    assert f"temperature {judged['temperature']['value']:.2f}" in said
    assert "also with flips" in said
    found = {row["file"]: row for row in rows_of(tmp_path / "after.csv")}
    assert list(next(iter(found.values())))[-1] == "flips"
    expected = rows_of(run / "validation-flips" / "predictions.csv")
    assert expected
    for row in expected:
        mine = found[f"{root}/photos/{row['file']}"]
        assert [mine[name] for name in NAMES] == [row[name] for name in NAMES]
        own = np.array([mine[name] for name in NAMES], float) ** (
            1 / judged["temperature"]["value"]
        )
        calibrated = [float(mine[f"calibrated_level_{i}"]) for i in range(4)]
        np.testing.assert_allclose(calibrated, own / own.sum(), atol=1e-6)


@pytest.mark.situation(
    "Results",
    "`evaluate --out` names the folder where a run keeps its own results",
    "refused: results of other photographs, or with flips, would be taken for the run's",
)
@pytest.mark.parametrize("name", ["test", "validation", "test-flips"])
def test_the_runs_own_results_are_not_written_over(root, capsys, name):
    run = root / "run"
    assert command("evaluate", f"--workdir={run}", "--flips", f"--out={run}/{name}") == 1
    assert "holds results of the run" in capsys.readouterr().err


def test_a_run_that_saw_no_mirror_image_says_so(root):
    run = hairjax.load_run(root / "run")
    assert "trained without flips" not in run.with_flips().describe()
    amounts = run.setup.amounts._replace(flip=0.0)
    setup = dataclasses.replace(run.setup, amounts=amounts)
    other = dataclasses.replace(run, setup=setup)
    assert "trained without flips (config.augment.flip is 0)" in other.with_flips().describe()
    assert "with flips" not in other.describe()
