"""A disk that fills up while a run trains, is reported, or its photographs are prepared."""

import gc
import json
import shutil

import jax
import numpy as np
import pytest

import launch
from hairjax.builders.setup import resolve
from hairjax.data.prepare import store
from hairjax.runs.folder import RunFolder
from hairjax.runs.load import load_run
from hairjax.runs.photographs import read_run_photographs
from hairjax.system.disk import FullDiskError
from hairjax.training.events import epoch_events
from hairjax.weights import checkpoint
from hairjax.weights.checkpoint import Checkpoints, state_bytes
from tests import finished
from tests.small_disk import fill, small_disk

pytestmark = pytest.mark.usefixtures("tiny_swin", "blank_figures")
FILES = 200_000  # bytes of a run besides its checkpoints
ARRAYS = {str(i): np.random.default_rng(i).normal(size=5000).astype(np.float32) for i in range(40)}


def size_of(folder):
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*"))


@pytest.fixture(scope="module")
def saved(finished_run):
    """Bytes of a checkpoint of the run on the disk."""
    [step] = (finished_run / "run" / "checkpoints").glob("[0-9]*")
    return size_of(step)


@pytest.mark.situation(
    "Runs",
    "no room on the disk for a checkpoint when training begins",
    "refused before the first step, with what a checkpoint takes and what is free",
)
def test_a_start_sees_that_no_checkpoint_fits(finished_run, tmp_path, saved, capsys):
    with small_disk(tmp_path / "disk", saved // 2):
        run = tmp_path / "disk" / "run"
        assert finished.train(finished_run, run)[0] == 1
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        assert "error: a checkpoint of this run takes" in message
        assert "make room, or give another --workdir" in message
        assert not [*run.glob("checkpoints/*")]


@pytest.mark.slow
@pytest.mark.situation(
    "Runs",
    "a disk (or a quota) that fills up while a run trains",
    "one sentence; the last checkpoint and the best are whole, and the same command goes on",
)
def test_full_in_the_second_epoch_it_goes_on_from_the_first(finished_run, tmp_path, saved, capsys):
    longer = "--config.train.epochs=2"
    with small_disk(tmp_path / "disk", int(1.5 * saved) + FILES) as enlarge:
        run = tmp_path / "disk" / "run"
        status, said = finished.train(finished_run, run, longer)
        message = capsys.readouterr().err
        assert (status, message.count("\n")) == (1, 1)
        assert "training may end early" in said
        [step] = (int(path.name) for path in run.glob("checkpoints/*"))
        assert f"error: the disk is full: {run}/checkpoints could not be written (" in message
        assert f"the state after step {step} and the best before it are saved" in message
        assert load_run(run).best["epoch"] == 1
        enlarge(4 * saved + 10 * FILES)
        status, said = finished.train(finished_run, run, longer)
        assert (status, f"resuming {run} after step {step}" in said) == (0, True)
        folder = RunFolder(run)
        assert [row["epoch"] for row in folder.read_lines(folder.history)] == [1, 2]


def test_orbax_that_finds_no_room_leaves_the_checkpoint_before(tmp_path, monkeypatch, capfd):
    """As where others fill the disk meanwhile, or a quota that the system does not tell."""
    monkeypatch.setattr(checkpoint, "_LEAST", 0)
    best = {"epoch": 1, "step": 1, "value": 0.5, "loss": 1.0}
    with small_disk(tmp_path / "disk", int(1.5 * state_bytes(ARRAYS))):
        folder = tmp_path / "disk" / "checkpoints"
        checkpoints = Checkpoints(folder)
        arrays = jax.tree.map(jax.numpy.asarray, ARRAYS)
        checkpoints.save(1, arrays, {"x": np.int32(1)}, best)
        checkpoints.wait()
        checkpoints.save(2, arrays, {"x": np.int32(2)}, best)
        with pytest.raises(OSError, match="No space left") as raised:
            checkpoints.wait()
        assert raised.value.filename == str(folder)
        checkpoints.close()
        assert [path.name for path in folder.iterdir()] == ["1"]
        again = Checkpoints(folder)
        found, _, _ = again.restore_last(arrays, {"x": jax.numpy.int32(0)})
        again.close()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
    assert "Event loop is closed" not in capfd.readouterr().err


def test_what_checkpoints_take_is_foretold(tmp_path):
    """Of arrays that cannot be compressed, nine tenths of their bytes and all of them."""
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    arrays, best = jax.tree.map(jax.numpy.asarray, ARRAYS), {"step": 1}
    size = state_bytes(ARRAYS)
    one = checkpoints.expected_bytes(size, 1)
    assert checkpoints.expected_bytes(size, 9) == 3 * one
    for step in (1, 2):
        checkpoints.save(step, arrays, {"x": np.int32(step)}, best)
    checkpoints.close()
    again = Checkpoints(tmp_path / "checkpoints")
    assert again.expected_bytes(size, 9) == one
    taken = size_of(tmp_path / "checkpoints") / 2
    assert again.least_bytes(size) <= taken
    assert taken <= one
    again.close()


@pytest.mark.situation(
    "Runs",
    "a disk that is full when results or a report are written",
    "one sentence that names the file; the one before stays as it was",
)
def test_a_report_that_cannot_be_written_leaves_the_one_before(finished_run, tmp_path, capsys):
    run = tmp_path / "disk" / "run"
    with small_disk(tmp_path / "disk", 60_000_000):
        shutil.copytree(finished_run / "run", run)
        before = (run / "report.html").read_bytes()
        filling = fill(tmp_path / "disk")
        assert launch.main(["report", f"--workdir={run}"]) == 1
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        assert f"error: the disk is full: {run}/" in message
        assert "earlier files are intact" in message
        assert (run / "report.html").read_bytes() == before
        filling.unlink()
        assert launch.main(["report", f"--workdir={run}"]) == 0


@pytest.mark.situation(
    "Runs",
    "a disk that fills up while photographs are prepared (`data.cache`)",
    "one sentence that names the folder and the key; what is finished is gone on from",
)
def test_full_while_photographs_are_prepared(finished_run, tmp_path, monkeypatch):
    run = RunFolder(finished_run / "run")
    config = run.read_config()
    config.data.cache = str(tmp_path / "disk" / "cache")
    monkeypatch.setattr(store, "require_room", lambda cache, size: cache.mkdir(exist_ok=True))
    with small_disk(tmp_path / "disk", 200_000) as enlarge:
        with pytest.raises(FullDiskError) as raised:
            read_run_photographs(resolve(config), run, run.read_classes())
        said = str(raised.value)
        assert said.startswith(f"the disk is full: {tmp_path}/disk/cache/photos_")
        assert "make room, give another folder with --config.data.cache=FOLDER" in said
        enlarge(20_000_000)
        photos, _ = read_run_photographs(resolve(config), run, run.read_classes())
        assert len(photos) == 80
        assert json.loads(next((tmp_path / "disk").rglob("photographs.json")).read_text())


def test_events_that_cannot_be_written_end_with_the_disk_named(tmp_path, capfd):
    """Without a word of the writer's own, then or when Python ends."""
    row = {"epoch": 1, "train": {"loss": 1.0}}
    with small_disk(tmp_path / "disk", 400_000):
        folder = RunFolder(tmp_path / "disk")
        full = pytest.raises(OSError, match="No space left")
        with full as raised, epoch_events(folder, on=True) as add:
            fill(tmp_path / "disk")
            add(row, {"epoch": 1})
        assert raised.value.filename == str(folder.tensorboard)
        writers = [one for one in gc.get_objects() if type(one).__name__ == "EventFileWriter"]
        for writer in writers:
            writer.close()  # as at Python's end: nothing is left to be tried
    assert "Traceback" not in capfd.readouterr().err
