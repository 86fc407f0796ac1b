"""Test photographs are judged by ``evaluate --split=test`` alone, and every time leaves a line."""

import csv
import hashlib
import json
import re

import jax
import numpy as np
import pytest
from PIL import Image

import hairjax.training.train
import launch
from hairjax.commands import evaluate
from hairjax.runs.access import read_access
from hairjax.runs.load import load_run
from tests import finished

pytestmark = pytest.mark.usefixtures("blank_figures", "tiny_swin")


@pytest.fixture(scope="module")
def clean(finished_run, tmp_path_factory):
    """A run, and what was shown of it."""
    folder = finished.copy(finished_run, tmp_path_factory.mktemp("runs"))
    return folder / "run", (finished_run / "said.txt").read_text()


@pytest.fixture
def run(clean):
    """Without a look so far."""
    (clean[0] / "looks.csv").unlink(missing_ok=True)
    return clean[0]


def judge(run, *more):
    return launch.main(["evaluate", f"--workdir={run}", *more])


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def poison(photos, split):
    """Every test photograph is noise, and has the label of another."""
    test = np.flatnonzero(split == "test")
    rng = np.random.default_rng(0)
    photos.images[test] = rng.integers(0, 256, photos.images[test].shape, np.uint8)
    labels = photos.labels[test].copy()
    photos.labels[test] = np.roll(labels, 1)
    assert (photos.labels[test] != labels).any()


def shown(text):
    """What a run shows, but for times, paths and how much memory is free."""
    kept = [
        re.sub(r"of [\d.]+ GiB", "", line)
        for line in text.splitlines()
        if not re.search("images/s|runs|/run|photographs synthesised", line)
    ]
    assert any("nearest" in line for line in kept)
    return kept


def files_of(workdir):
    """All but the list of photographs with their labels, and what holds times."""
    names = {"split.csv", "timing.jsonl", "environment.jsonl", "report.html", "looks.csv"}
    files = (path for path in workdir.iterdir() if path.is_file() and path.name not in names)
    return {path.name: path.read_bytes() for path in files}


def test_training_does_not_depend_on_test_photographs(clean, tmp_path, monkeypatch):
    real = hairjax.training.train._photographs

    def poisoned(*given):
        photos, split, *others = real(*given)
        poison(photos, split)
        return photos, split, *others

    monkeypatch.setattr(hairjax.training.train, "_photographs", poisoned)
    workdir = tmp_path / "run"
    status, text = finished.train(clean[0].parent, workdir)
    assert status == 0
    assert shown(text) == shown(clean[1])
    assert {"metrics.json", "metrics.jsonl", "predictions.csv"} < files_of(workdir).keys()
    assert files_of(workdir) == files_of(clean[0])
    assert not (workdir / "looks.csv").exists()
    params = [load_run(folder).params for folder in (workdir, clean[0])]
    jax.tree.map(np.testing.assert_array_equal, *params)


def test_no_test_photograph_is_among_a_runs_predictions(run):
    test = {row["file"] for row in rows_of(run / "split.csv") if row["split"] == "test"}
    assert test
    assert test.isdisjoint(row["file"] for row in rows_of(run / "predictions.csv"))
    assert not (run / "test").exists()


def test_every_look_is_a_line(run, capsys):
    assert judge(run, "--split=validation") == judge(run, "--split=train") == 0
    assert not (run / "looks.csv").exists()
    assert "test split opened" not in capsys.readouterr().out
    for times in ("once", "2 times"):
        assert judge(run, "--split=test") == 0
        assert f"test split opened {times}; see {run}/looks.csv" in capsys.readouterr().out
    first, second = read_access(run / "looks.csv")
    written = json.loads((run / "test" / "metrics.json").read_text())
    assert first.accuracy == second.accuracy == written["accuracy"]
    assert first.photographs == len(rows_of(run / "test" / "predictions.csv"))
    assert (first.split, first.command) == ("test", "evaluate")
    assert first.time <= second.time


def test_the_record_outlives_a_resume(run):
    assert judge(run, "--split=test") == 0
    before = (run / "looks.csv").read_bytes()
    assert finished.train(run.parent, run)[0] == 0
    assert (run / "looks.csv").read_bytes() == before


def test_results_of_another_epoch_or_an_earlier_version_are_left_out_of_the_report(run):
    assert judge(run, "--split=test") == 0
    assert "<h3>Test" in (run / "report.html").read_text("utf-8")
    metrics, baselines = (run / "test" / name for name in ("metrics.json", "baselines.json"))
    written = metrics.read_text()
    metrics.write_text(json.dumps(json.loads(written) | {"epoch": 7}))
    for _ in range(2):
        assert launch.main(["report", f"--workdir={run}"]) == 0
        page = (run / "report.html").read_text("utf-8")
        assert "<h3>Test" not in page
        assert "are of another epoch or an earlier hairjax" in page
        metrics.write_text(written)
        baselines.unlink(missing_ok=True)


def test_a_look_is_written_before_anything_is_shown(run, tmp_path, monkeypatch):
    def killed(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "write_results", killed)
    out = tmp_path / "out"
    assert judge(run, "--split=test", f"--out={out}") == 130
    assert not list(out.iterdir())
    assert len(read_access(run / "looks.csv")) == 1


def test_without_a_record_nothing_is_shown(run, tmp_path, capsys):
    (run / "looks.csv").write_text("mine,only\n")
    out = tmp_path / "out"
    assert judge(run, "--split=test", f"--out={out}") == 1
    printed = capsys.readouterr()
    assert "looks.csv is not a valid record of test-set accesses" in printed.err
    assert "accuracy" not in printed.out
    assert not list(out.iterdir())
    (run / "looks.csv").unlink()


def test_a_copy_of_the_folder_counts(tmp_path, run, capsys):
    """Photographs given with --photos are known by their contents."""
    contents = write_photos(tmp_path)
    for split, expected, known in (
        ("test", 1, ""),
        ("train", 0, "1 of its training photographs"),
        ("validation", 0, "1 of its validation photographs"),
    ):
        (run / "looks.csv").unlink(missing_ok=True)
        original = (run / "split.csv").read_text()
        marked = re.sub(
            f"(?m)^(level_0/[^,]*,[^,]*,[^,]*,)[^,]*,{split}$",
            rf"\g<1>{contents},{split}",
            original,
            count=1,
        )
        assert marked != original
        (run / "split.csv").write_text(marked)
        try:
            assert (
                judge(
                    run,
                    f"--photos={tmp_path}/photos",
                    f"--masks={tmp_path}/masks",
                    f"--out={tmp_path}/out",
                )
                == 0
            )
        finally:
            (run / "split.csv").write_text(original)
        looks = read_access(run / "looks.csv")
        assert [(look.split, look.photographs) for look in looks] == [("all", 2)] * expected
        told = re.findall(
            "of the 2 photographs given the run knows (.*): the results", capsys.readouterr().out
        )
        assert told == [known] * bool(known)


def write_photos(root):
    """A folder of two photographs, and their masks; returns what tells the first one's contents."""
    digests = []
    for level, value in (("level_0", 50), ("level_1", 200)):
        path, mask = (root / kind / level / "a.png" for kind in ("photos", "masks"))
        for file, grey in ((path, value), (mask, 255)):
            file.parent.mkdir(parents=True)
            pixels = np.full((40, 40, 3), grey, np.uint8)
            pixels[:20] //= 2
            Image.fromarray(pixels).save(file)
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return digests[0]
