"""Cross-validation: every photograph once, as scikit-learn counts, and refused where it is not."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

import launch
from hairjax.config.load import to_plain
from hairjax.data.photoset import PhotoSet
from hairjax.data.split import make_folds, write_split
from hairjax.evaluation.predictions import Predictions, write_predictions
from hairjax.studies import folds
from hairjax.studies.compare import compare_runs
from hairjax.studies.folds import read_folds
from hairjax.system.errors import UserError
from tests.runs.written_runs import row, write_folder

pytestmark = pytest.mark.usefixtures("blank_figures")

FOLDS, COUNT = 3, 60
CLASSES = ("level_0", "level_1", "level_2")
COMMAND = ["folds", "--config=configs/top.py:demo", f"--config.data.folds={FOLDS}"]
PHOTOS = PhotoSet(
    images=np.zeros((COUNT, 4, 4, 4), np.uint8),
    labels=np.arange(COUNT, dtype=np.int32) % 3,
    files=tuple(f"level_{i % 3}/{i:03}.png" for i in range(COUNT)),
    subjects=tuple(f"s{i // 2}" for i in range(COUNT)),
    sha256=tuple(f"{i:064x}" for i in range(COUNT)),
    classes=CLASSES,
    has_masks=False,
)


def judge(folder, split, part, seed):
    """Predictions that are right more often than not."""
    chosen = PHOTOS.subset(split == part)
    p = np.random.default_rng(seed).uniform(0, 1, (len(chosen), 3)) + np.eye(3)[chosen.labels] / 2
    p = (p / p.sum(1, keepdims=True)).astype(np.float32)
    predictions = Predictions(chosen.files, chosen.labels, p, chosen.subjects, CLASSES)
    write_predictions(predictions, folder / "predictions.csv")
    (folder / "metrics.json").write_text(json.dumps({"epoch": 1}))


def train_quickly(config, path):
    """What `train` leaves, as far as folds are concerned."""
    path.mkdir(parents=True)
    split = make_folds(PHOTOS, config.data.folds, config.data.fold, config.seed)
    write_split(path / "split.csv", PHOTOS, split)
    (path / "classes.json").write_text(json.dumps(CLASSES))
    (path / "config.json").write_text(json.dumps(to_plain(config)))
    judge(path, split, "validation", config.data.fold)
    (path / "report.html").touch()


def evaluate_quickly(workdir, asked, out):
    """Likewise, of `evaluate_run`."""
    folder, split = Path(workdir), asked.split
    config = json.loads((folder / "config.json").read_text())
    parts = make_folds(PHOTOS, FOLDS, config["data"]["fold"], config["seed"])
    (folder / split).mkdir()
    judge(folder / split, parts, split, 10 + config["data"]["fold"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("cv") / "cv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "train_run", train_quickly)
        patch.setattr(folds, "evaluate_run", evaluate_quickly)
        assert launch.main([*COMMAND, f"--workdir={out}"]) == 0
    return out


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def copied(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "cv")


def test_every_photograph_is_judged_once_by_its_fold(whole):
    rows = rows_of(whole / "predictions.csv")
    assert len({row["file"] for row in rows}) == len(rows) == COUNT
    for fold in range(FOLDS):
        split = {r["file"]: r["split"] for r in rows_of(whole / f"fold_{fold}" / "split.csv")}
        mine = [row for row in rows if row["fold"] == str(fold)]
        assert {row["file"] for row in mine} == {f for f, part in split.items() if part == "test"}
        own = rows_of(whole / f"fold_{fold}" / "test" / "predictions.csv")
        assert own == [{k: v for k, v in row.items() if k != "fold"} for row in mine]


@pytest.mark.situation(
    "Results",
    "a fold whose photographs are all of one class",
    "its kappa, the mean and the spread over folds are undefined; that of all together is given",
)
def test_a_fold_of_one_class_has_no_kappa(copied, capsys):
    place = copied / "fold_1"
    rows = rows_of(place / "test" / "predictions.csv")
    for path in (
        place / "split.csv",
        place / "test" / "predictions.csv",
        *copied.glob("*/split.csv"),
    ):
        own = {row["file"] for row in rows}
        found = [
            row | {"label": CLASSES[0]} if row["file"] in own else row for row in rows_of(path)
        ]
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, found[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
    written = folds.write_folds(read_folds(copied, "test"), copied)
    assert [one["quadratic_kappa"] is None for one in written["folds"]] == [False, True, False]
    assert written["mean"]["quadratic_kappa"] is written["sd"]["quadratic_kappa"] is None
    assert written["pooled"]["quadratic_kappa"] is not None
    assert written["mean"]["accuracy"] is not None
    assert "kappa is undefined where all are of one class: fold 1" in capsys.readouterr().out
    assert "NaN" not in (copied / "metrics.json").read_text()


def test_metrics_are_scikit_learns(whole):
    rows = rows_of(whole / "predictions.csv")
    written = json.loads((whole / "metrics.json").read_text())

    def accuracy(rows):
        return metrics.accuracy_score(*([row[k] for row in rows] for k in ("label", "predicted")))

    each = [accuracy([r for r in rows if r["fold"] == str(fold)]) for fold in range(FOLDS)]
    assert written["pooled"]["accuracy"] == pytest.approx(accuracy(rows))
    assert [fold["accuracy"] for fold in written["folds"]] == pytest.approx(each)
    assert written["mean"]["accuracy"] == pytest.approx(np.mean(each))
    assert written["sd"]["accuracy"] == pytest.approx(np.std(each, ddof=1))
    kappa = metrics.cohen_kappa_score(
        *([row[k] for row in rows] for k in ("label", "predicted")), weights="quadratic"
    )
    assert written["pooled"]["quadratic_kappa"] == pytest.approx(kappa)
    low, high = written["intervals"]["accuracy"]
    assert low <= written["pooled"]["accuracy"] <= high
    assert (whole / "confusion_matrix.png").is_file()


def test_what_is_done_is_not_done_again(copied, monkeypatch, capsys):
    """Put together from what the folds left: no training, no further look."""
    for name in ("train_run", "evaluate_run"):
        monkeypatch.setattr(folds, name, None)
    before = {name: (copied / name).read_bytes() for name in ("predictions.csv", "metrics.json")}
    for name in before:
        (copied / name).unlink()
    capsys.readouterr()
    assert launch.main([*COMMAND, f"--workdir={copied}"]) == 0
    assert {name: (copied / name).read_bytes() for name in before} == before
    out = capsys.readouterr().out
    for said in ("fold 2", "mean", "± sd", "pooled", "95 %"):
        assert re.search(rf"^ *{said} +0\.\d{{3}} .* \d\.\d{{3}} *$", out, re.MULTILINE), said


def test_a_killed_one_goes_on(copied, monkeypatch):
    """Fold 1 was being trained, and fold 2 not judged."""
    trained, judged = [], []
    (copied / "fold_1" / "report.html").unlink()
    shutil.rmtree(copied / "fold_2" / "test")
    monkeypatch.setattr(folds, "train_run", lambda config, path: trained.append((config, path)))
    monkeypatch.setattr(
        folds, "evaluate_run", lambda path, asked, out: judged.append((path, asked.split))
    )
    assert launch.main([*COMMAND, f"--workdir={copied}"]) == 1  # fold 2 is still not judged
    [(config, path)] = trained
    assert (config.data.fold, path) == (1, copied / "fold_1")
    assert judged == [(str(copied / "fold_2"), "test")]


def test_another_configuration_is_refused(copied, capsys):
    assert launch.main([*COMMAND, f"--workdir={copied}", "--config.optim.clip=2.0"]) == 1
    assert "config.optim.clip: 1.0 → 2.0" in capsys.readouterr().err


def refused(out):
    with pytest.raises(UserError) as error:
        read_folds(out, "test")
    return str(error.value)


def test_a_missing_fold_is_named(copied):
    shutil.rmtree(copied / "fold_1")
    assert "there is no run at" in refused(copied)
    assert "fold_1" in refused(copied)


def test_a_fold_of_another_seed_is_refused(copied):
    path = copied / "fold_2" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"seed": 1}))
    assert "fold_2 is not fold 2 of the division" in refused(copied)
    assert "config.seed: 0 → 1" in refused(copied)


def test_a_fold_twice_is_refused(copied):
    shutil.rmtree(copied / "fold_2")
    shutil.copytree(copied / "fold_1", copied / "fold_2")
    assert "config.data.fold: 2 → 1" in refused(copied)


def test_other_photographs_are_refused(copied):
    path = copied / "fold_1" / "split.csv"
    lines = path.read_text().splitlines(keepends=True)
    gone = next(line for line in lines if line.strip().endswith(",train"))
    path.write_text("".join(line for line in lines if line != gone))
    assert "not of the same photographs: " + gone.partition(",")[0] in refused(copied)


def test_photographs_held_out_twice_or_never_are_refused(copied):
    """The folder of fold 1 says that it held out what fold 2 did."""
    for name in ("split.csv", "test/predictions.csv"):
        shutil.copy(copied / "fold_2" / name, copied / "fold_1" / name)
    said = refused(copied)
    assert "the 3 folds must hold out every photograph once" in said
    assert " 0 times" in said or " 2 times" in said


def test_no_division_is_refused(copied):
    path = copied / "fold_0" / "config.json"
    config = json.loads(path.read_text())
    config["data"]["folds"] = 0
    path.write_text(json.dumps(config))
    assert "fold_0 is no cross-validation fold" in refused(copied)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_compare_takes_all_folds_as_a_run(split, whole, copied, tmp_path):
    """The same model twice: no difference, over all photographs."""
    for fold in range(FOLDS):
        path = copied / f"fold_{fold}" / "config.json"
        path.write_text(path.read_text().replace('"clip": 1.0', '"clip": 2.0'))
    out = tmp_path / "compared"
    found = compare_runs([str(whole), str(copied)], split, out=out, thumbnails=False)
    assert len(found.files) == COUNT
    assert [name for ((name, _),) in found.runs] == [str(whole), str(copied)]
    assert found.names == ["optim.clip=1.0", "optim.clip=2.0"]
    assert found.pairs[0].differences["accuracy"] == (0.0, None)


def test_weights_that_know_any_photograph_are_refused_at_the_start(tmp_path, monkeypatch, capsys):
    """Whichever fold it tests in: nothing is trained."""
    monkeypatch.setattr(folds, "train_run", None)
    rows = [row(0, "train", "s0001"), row(1, "test", "s0002")]
    before = write_folder(tmp_path / "before", rows, data__source="synthetic")
    command = [*COMMAND, "--config.data.count=40", "--config.data.image_size=32"]
    command += [f"--config.weights.source={before}", f"--workdir={tmp_path / 'out'}"]
    assert launch.main(command) == 1
    said = capsys.readouterr().err
    assert re.search(r"\d of the 40 test photographs show subjects with other photographs", said)
    assert "(training of before: level_" in said
    assert "every photograph is a test photograph of one fold: use other weights, or" in said
    assert not (tmp_path / "out").exists()
