"""The shipped configuration, shrunk: from folders of photographs to report, through launch.py."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import launch
from hairjax.data.photoset import PhotoSet
from hairjax.data.synthetic import synthesise
from hairjax.runs.load import load_run
from tests import finished

pytestmark = pytest.mark.usefixtures("tiny_swin")

GPS = 0x8825


def write_folders(photos: PhotoSet, root):
    """Photographs as JPEGs with a position in their EXIF, masks as PNGs."""
    exif = Image.Exif()
    exif.get_ifd(GPS)[1] = "N"
    exif[0x010F] = "SECRET CAMERA"
    for image, file in zip(photos.images, photos.files, strict=True):
        photo = (root / "photos" / file).with_suffix(".jpg")
        mask = (root / "masks" / file).with_suffix(".png")
        photo.parent.mkdir(parents=True, exist_ok=True)
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., :3]).save(photo, exif=exif, quality=95)
        Image.fromarray(image[..., 3]).save(mask)


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    write_folders(synthesise("top", 100, 48, 0, 2, lambda done, total: None), root)
    return root


def train(root, workdir, *more):
    return launch.main(
        [
            "--config=configs/top.py",
            f"--workdir={workdir}",
            f"--config.data.photos={root}/photos",
            f"--config.data.masks={root}/masks",
            "--config.data.subject=/(s[0-9]+)_",
            f"--config.data.cache={root}/cache",
            "--config.data.image_size=32",
            "--config.model.name=tiny",
            "--config.weights.source=none",
            "--config.train.epochs=2",
            "--config.train.batch_size=16",
            "--config.optim.warmup_epochs=1",
            "--config.devices.mesh=2",
            "--config.log.tensorboard",
            *more,
        ]
    )


@pytest.fixture(scope="module")
def run(root):
    assert train(root, root / "run") == 0
    return root / "run"


def test_everything_is_written(run):
    names = {path.name for path in run.iterdir()}
    assert names == {
        "ancestry.json",
        "baselines.json",
        "checkpoints",
        "classes.json",
        "config.json",
        "confusion_matrix.png",
        "confusion_matrix.svg",
        "environment.jsonl",
        "gallery",
        "groups.csv",
        "groups.txt",
        "learning_curves.png",
        "learning_curves.svg",
        "masks.csv",
        "masks.json",
        "metrics.json",
        "metrics.jsonl",
        "predictions.csv",
        "reliability.png",
        "reliability.svg",
        "report.html",
        "risk_coverage.png",
        "risk_coverage.svg",
        "split.csv",
        "tensorboard",
        "timing.jsonl",
    }
    assert json.loads((run / "classes.json").read_text()) == [f"level_{i}" for i in range(4)]


def test_the_page_on_runs_names_what_is_written(run):
    page = (Path(__file__).parents[2] / "docs" / "runs.md").read_text("utf-8")
    named = {line.split()[0].rstrip("/") for line in page.split("```")[1].splitlines() if line}
    written = {path.name for path in run.iterdir() if path.suffix not in (".png", ".svg")}
    assert written <= named


def test_subjects_are_not_parted(run):
    rows = rows_of(run / "split.csv")
    assert len(rows) == 100
    of_subject = {}
    for row in rows:
        assert row["subject"].startswith("s")
        assert of_subject.setdefault(row["subject"], row["split"]) == row["split"]


def test_metrics_are_those_of_the_predictions(run):
    """scikit-learn on ``predictions.csv`` gives ``metrics.json``."""
    rows = rows_of(run / "predictions.csv")
    classes = json.loads((run / "classes.json").read_text())
    labels = [classes.index(row["label"]) for row in rows]
    predicted = [classes.index(row["predicted"]) for row in rows]
    probabilities = np.array(
        [[float(row[f"probability_{name}"]) for name in classes] for row in rows]
    )
    assert (probabilities.argmax(axis=1) == predicted).all()
    written = json.loads((run / "metrics.json").read_text())
    assert written["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert written["mean_absolute_error"] == pytest.approx(
        np.abs(np.subtract(labels, predicted)).mean()
    )
    assert written["quadratic_kappa"] == pytest.approx(
        metrics.cohen_kappa_score(labels, predicted, weights="quadratic", labels=range(4))
    )
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert written["log_loss"] == pytest.approx(
        metrics.log_loss(labels, probabilities, labels=range(4)), rel=1e-6
    )


def test_nothing_written_carries_exif(run):
    for path in run.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"SECRET CAMERA" not in data, path
            assert b"Exif\x00\x00" not in data, path


def test_every_rate_is_in_the_history(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    # The last step's rate: just above floor × peak, each group at its own peak.
    rates = rows[-1]["rate"]
    assert rates["late"] / rates["early"] == pytest.approx(100)
    assert rates["late"] / rates["middle"] == pytest.approx(20)


def test_every_number_of_the_history_is_an_event(run):
    history, timing = (
        [json.loads(line) for line in (run / name).read_text().splitlines()]
        for name in ("metrics.jsonl", "timing.jsonl")
    )
    numbers = {
        f"{part}/{name}": [(row["epoch"], pytest.approx(row[part][name])) for row in history]
        for part in ("train", "validation", "rate")
        for name in history[0][part]
    } | {
        f"timing/{name}": [(row["epoch"], pytest.approx(row[name])) for row in timing]
        for name in timing[0]
        if name != "epoch"
    }
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    assert {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    } == numbers


def test_photographs_read_while_training_give_the_same_bits(run, root, capsys):
    """From the disk and the prepared set, from memory without it: nothing but time differs."""
    workdir = root / "streamed"
    with finished.blank_figures():
        assert train(root, workdir, "--config.data.memory=1e-6") == 0
    output = capsys.readouterr().out
    assert "100, read while training" in output and "photographs prepared" not in output
    assert launch.main(["evaluate", f"--workdir={workdir}", "--split=test"]) == 0
    names = ["metrics.jsonl", "metrics.json", "predictions.csv", "split.csv"]
    for name in names:
        assert (workdir / name).read_bytes() == (run / name).read_bytes(), name


def test_evaluate_gives_the_same_predictions(run):
    assert launch.main(["evaluate", f"--workdir={run}"]) == 0
    again = run / "validation" / "predictions.csv"
    assert again.read_bytes() == (run / "predictions.csv").read_bytes()


def test_the_report_is_made_of_the_files_of_the_run(run, tmp_path, capsys):
    """Written again from a copy without it, it is the same to the byte.

    Nothing else is needed: not the photographs, and not the checkpoints.
    """
    written = [*run.glob("*.png"), *run.glob("*.svg"), run / "report.html"]
    assert len(written) == 9
    shutil.copytree(run, tmp_path / run.name, ignore=lambda *_: [path.name for path in written])
    shutil.rmtree(tmp_path / run.name / "checkpoints")
    assert launch.main(["report", f"--workdir={tmp_path}/{run.name}"]) == 0
    for path in written:
        assert (tmp_path / run.name / path.name).read_bytes() == path.read_bytes(), path.name
    (tmp_path / run.name / "metrics.json").unlink()
    capsys.readouterr()
    assert launch.main(["report", f"--workdir={tmp_path}/{run.name}"]) == 1
    assert "has not finished, or an earlier version trained it (no metrics.json)" in (
        capsys.readouterr().err
    )
    assert launch.main(["report", f"--workdir={tmp_path}/nothing"]) == 1
    assert "there is no run at" in capsys.readouterr().err


def test_evaluate_the_test_split(run):
    assert "never accessed" in (run / "report.html").read_text("utf-8")
    assert launch.main(["evaluate", f"--workdir={run}", "--split=test"]) == 0
    page = (run / "report.html").read_text("utf-8")
    assert "never accessed" not in page
    accuracy = json.loads((run / "test" / "metrics.json").read_text())["accuracy"]
    assert page.index("<h3>Validation") < page.index("<h3>Test")
    assert f'<div class="value">{accuracy:.3f}</div>' in page[page.index("<h3>Test") :]
    rows = rows_of(run / "split.csv")
    test = {row["file"] for row in rows if row["split"] == "test"}
    assert {row["file"] for row in rows_of(run / "test" / "predictions.csv")} == test


def test_evaluate_another_folder(run, root, tmp_path):
    write_folders(synthesise("top", 20, 48, 1, 2, lambda done, total: None), tmp_path)
    out = tmp_path / "out"
    arguments = [f"--photos={tmp_path}/photos", f"--masks={tmp_path}/masks", f"--out={out}"]
    files = sorted(p.relative_to(tmp_path / "photos") for p in tmp_path.rglob("photos/*/*"))
    rows = [f"{file},{file.parent},{'BC'[i % 2]}" for i, file in enumerate(files)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label,site", *rows]))
    arguments.append(f"--manifest={tmp_path}/labels.csv")
    assert launch.main(["evaluate", f"--workdir={run}", *arguments]) == 0
    assert len((out / "predictions.csv").read_text().splitlines()) == 21
    written = json.loads((out / "metrics.json").read_text())
    sites = [(part["value"], part["photographs"]) for part in written["slices"]["tables"]["site"]]
    assert sites == [("B", 10), ("C", 10)]
    # Fitted on the run's validation photographs, and judged on these.
    fitted = json.loads((run / "metrics.json").read_text())
    assert written["no_temperature"] == fitted["no_temperature"]
    values = [found["temperature"] and found["temperature"]["value"] for found in (written, fitted)]
    assert values[0] == values[1]
    for name in written["intervals"]:
        low, high = written["intervals"][name]
        assert low - 1e-12 <= written[name] <= high + 1e-12


def test_changed_photographs_are_refused(run, root, tmp_path, capsys):
    photo = next((root / "photos").rglob("*.jpg"))
    before = photo.read_bytes()
    with Image.open(photo) as image:
        image.convert("L").save(photo)
    try:
        assert launch.main(["evaluate", f"--workdir={run}"]) == 1
    finally:
        photo.write_bytes(before)
    assert "1 changed" in capsys.readouterr().err


def test_a_run_read_back_predicts(run, root):
    read = load_run(run)
    photos = synthesise("top", 5, 37, 0, 1, lambda done, total: None)
    predictions = read.predictor(read.params, photos)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_resume_does_not_look_for_copies_again(run, root, monkeypatch, capsys):
    monkeypatch.setattr("hairjax.data.quality.copies.find_copies", None)
    with finished.blank_figures():
        assert train(root, run) == 0
    assert "copies of training photographs" not in capsys.readouterr().out


def test_a_loss_that_is_not_finite_stops_the_run(root, tmp_path, capsys):
    """A rate beyond reason: the run ends naming the step, and keeps what was good."""
    status = launch.main(
        [
            "--config=configs/top.py:demo",
            f"--workdir={tmp_path}/run",
            "--config.model.name=tiny",
            "--config.data.count=100",
            "--config.data.image_size=32",
            "--config.devices.mesh=1",
            "--config.train.epochs=3",
            "--config.train.batch_size=16",
            "--config.optim.warmup_epochs=1",
            "--config.optim.peak.late=1e30",
            "--config.optim.clip=0",
        ]
    )
    assert status == 1
    message = capsys.readouterr().err
    assert "the loss of step" in message
    assert "nan" in message or "inf" in message
