import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hairjax.data.options import PrepareOptions
from hairjax.data.order import read_batches
from hairjax.data.prepare import pieces, store
from hairjax.data.prepare.load import load_photos
from hairjax.data.prepare.read import prepare, read_photo
from hairjax.data.prepare.stored import Stored
from hairjax.data.sources.photos import Search, find_photos
from hairjax.system.errors import UserError
from tests.data.reading import reading, stored

COUNT = 14
ARGUMENTS = {"side": 6, "fit": "squash", "on_bad": "refuse", "workers": 2, "beam": ""} | {
    "memory": 0.0
}
# A process of its own that writes down every photograph it decodes, and goes on when told to.
SLOW = """
import sys, time
from pathlib import Path
from hairjax.data.options import PrepareOptions
from hairjax.data.prepare import pieces, store
from hairjax.data.sources.photos import Search, find_photos

photos, masks, cache, log, go = sys.argv[1:]
read = pieces.read_photo

def slowly(path, *rest):
    with open(log, "a") as file:
        file.write(f"{path}\\n")
    while not (Path(go).exists() or "level_0" in str(path) and Path(f"{go}_level_0").exists()):
        time.sleep(0.01)
    return read(path, *rest)

pieces.read_photo = slowly
index = find_photos(Search(
    photos=photos, masks=masks, manifest="", subject="", classes=None, need_masks=True
))
options = PrepareOptions(
    side=6, fit="squash", on_bad="refuse", cache=cache, beam="", memory=0.0, workers=2
)
photoset, _ = store.prepare_once(index, options)
print(photoset.images.in_memory().sum())
"""


@pytest.fixture
def folder(tmp_path):
    """Photographs and masks of two classes."""
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        name = f"level_{number % 2}/s{number // 4}_{number}.png"
        for kind, shape in (("photos", (12, 10, 3)), ("masks", (12, 10))):
            path = tmp_path / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)
    return tmp_path


def find(folder, **changes):
    arguments = {
        "photos": str(folder / "photos"),
        "masks": str(folder / "masks"),
        "manifest": "",
        "subject": "",
        "classes": None,
        "need_masks": True,
    }
    return find_photos(Search(**(arguments | changes)))


def prepared(folder, index=None, **changes):
    """Photographs and problems, by way of a prepared set."""
    options = PrepareOptions(**ARGUMENTS | {"cache": str(folder / "cache")} | changes)
    return store.prepare_once(index or find(folder), options)


def sets(folder):
    """The finished sets."""
    return sorted((folder / "cache").glob("*/1.0.0"))


def unfinished(folder):
    return sorted((folder / "cache").glob("*/*incomplete*"))


def no_reading(monkeypatch):
    """Let whatever is decoded from now on fail the test."""

    def fail(path, *_):
        pytest.fail(f"{path} is decoded")

    monkeypatch.setattr(pieces, "read_photo", fail)


def test_prepared_photographs_are_those_read_into_memory(folder, monkeypatch):
    monkeypatch.setattr(pieces, "MOST", 4)
    expected, _ = prepare(find(folder), reading(6), lambda *_: None)
    photoset, problems = prepared(folder)
    assert problems == []
    assert len(list(sets(folder)[0].glob("*.array_record-*-of-00004"))) == 4
    assert photoset.images.shape == expected.images.shape
    np.testing.assert_array_equal(photoset.images.in_memory(), expected.images)
    np.testing.assert_array_equal(photoset.labels, expected.labels)
    for name in ("files", "subjects", "sha256", "classes", "has_masks"):
        assert getattr(photoset, name) == getattr(expected, name)


def test_tensorflow_datasets_opens_a_prepared_set(folder):
    prepared(folder)
    builder = tfds.builder_from_directory(str(sets(folder)[0]))
    source = builder.as_data_source(split="photographs")
    expected, _ = prepare(find(folder), reading(6), lambda *_: None)
    assert len(source) == COUNT
    for record, image, file in zip(source, expected.images, expected.files, strict=True):
        np.testing.assert_array_equal(record["image"], image)
        assert record["file"].decode() == file
    # And by name, from the folder of all sets.
    by_name = tfds.builder(sets(folder)[0].parent.name, data_dir=str(folder / "cache"))
    assert by_name.info.splits["photographs"].num_examples == COUNT


def test_the_second_start_decodes_nothing(folder, monkeypatch, capsys):
    first, _ = prepared(folder)
    assert "photographs prepared: 14" in capsys.readouterr().out
    no_reading(monkeypatch)
    # Neither when other subjects or classes are asked for.
    index = find(folder, subject="/(s[0-9]+)_", classes=("level_1", "level_0"))
    second, _ = prepared(folder, index)
    np.testing.assert_array_equal(second.images.in_memory(), first.images.in_memory())
    assert second.sha256 == first.sha256
    assert set(second.subjects) == {"s0", "s1", "s2", "s3"}
    np.testing.assert_array_equal(second.labels, 1 - first.labels)
    assert capsys.readouterr().out == f"prepared set: {sets(folder)[0]}\n"


def rewrite(path: Path) -> None:
    """Make the left half black, but change neither the size of the file nor its place."""
    size = path.stat().st_size
    pixels = np.zeros((12, 10, 3) if "photos" in str(path) else (12, 10), np.uint8)
    pixels[:, 5:] = 90 + np.arange(5).reshape(-1, *[1] * (pixels.ndim - 2))
    Image.fromarray(pixels).save(path)
    with path.open("ab") as file:
        file.write(bytes(size - path.stat().st_size))
    assert path.stat().st_size == size


@pytest.mark.parametrize("kind", ["photos", "masks"])
def test_a_changed_file_is_seen(folder, kind):
    before = prepared(folder)[0].images.in_memory()
    rewrite(folder / kind / "level_0/s0_0.png")
    after = prepared(folder)[0].images.in_memory()
    assert len(sets(folder)) == 2
    np.testing.assert_array_equal(after[1:], before[1:])
    channels = slice(0, 3) if kind == "photos" else slice(3, 4)
    assert not after[0, :, :2, channels].any() and before[0, :, :2, channels].any()


@pytest.mark.parametrize("change", ["side", "fit", "preparation", "pillow", "one less", "masks"])
def test_another_preparation_is_another_set(folder, monkeypatch, change):
    prepared(folder)
    index, changes = None, {}
    if change == "preparation":
        monkeypatch.setattr(store, "PREPARATION", 0)
    elif change == "pillow":
        monkeypatch.setattr("PIL.__version__", "0")
    elif change == "one less":
        (folder / "photos/level_0/s0_0.png").unlink()
    elif change == "masks":
        index = find(folder, masks="", need_masks=False)
    else:
        changes = {"side": {"side": 8}, "fit": {"fit": "pad"}}[change]
    options = reading(**{"side": 6, "workers": 1} | changes)
    expected, _ = prepare(index or find(folder), options, print)
    photoset, _ = prepared(folder, index, **changes)
    np.testing.assert_array_equal(photoset.images.in_memory(), expected.images)
    assert len(sets(folder)) == 2


def test_a_new_set_says_what_the_old_ones_take(folder, capsys):
    prepared(folder)
    prepared(folder, side=8)
    assert "prepared sets of other photographs in" in capsys.readouterr().out


def test_problems_are_remembered_until_the_file_is_touched(folder, monkeypatch):
    bad = folder / "photos/level_0/s0_0.png"
    good, times = bad.read_bytes(), bad.stat()
    bad.write_bytes(bytes(len(good)))
    os.utime(bad, ns=(times.st_atime_ns, times.st_mtime_ns))
    photoset, problems = prepared(folder, on_bad="skip")
    assert [problem.path for problem in problems] == [str(bad)]
    assert "level_0/s0_0.png" not in photoset.files and len(photoset) == COUNT - 1
    expected, _ = prepare(find(folder), reading(6, workers=1), lambda *_: None)
    np.testing.assert_array_equal(photoset.images.in_memory(), expected.images)
    assert photoset.sha256 == expected.sha256
    with monkeypatch.context() as patch:
        no_reading(patch)
        again, same = prepared(folder, on_bad="skip")
        assert (again.files, same) == (photoset.files, problems)
    # Its right to be read may be what changed: neither size nor time tells.
    bad.write_bytes(good)
    os.utime(bad, ns=(times.st_atime_ns, times.st_mtime_ns))
    mended, none = prepared(folder, on_bad="skip")
    assert none == [] and len(mended) == len(mended.images.in_memory()) == COUNT
    assert len(sets(folder)) == 1


def test_refused_photographs_leave_nothing(folder):
    (folder / "photos/level_0/s0_0.png").write_bytes(b"")
    with pytest.raises(UserError, match="1 file cannot be used"):
        prepared(folder)
    assert not sets(folder) and not unfinished(folder)


def test_a_set_is_for_its_owner_alone(folder):
    prepared(folder)
    for path in (folder / "cache", *sets(folder), sets(folder)[0].parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def start_slowly(folder, name):
    """A process whose output and decoded photographs are in the files NAME.out and NAME.log."""
    names = [str(folder / n) for n in ("photos", "masks", "cache", f"{name}.log", "go")]
    with (folder / f"{name}.out").open("w") as out:
        return subprocess.Popen(
            [sys.executable, "-c", SLOW, *names],
            cwd=Path(__file__).parents[2],
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def wait_for_lines(process, path):
    for _ in range(3000):
        if lines(path):
            return
        assert process.poll() is None, process.args
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"nothing came to {path}")


def test_a_killed_preparation_leaves_nothing_that_looks_finished(folder):
    process = start_slowly(folder, "first")
    wait_for_lines(process, folder / "first.log")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not sets(folder) and len(unfinished(folder)) == 1
    # Another set is prepared, and what the killed process left is gone.
    prepared(folder, side=8)
    assert len(sets(folder)) == 1 and not unfinished(folder)
    expected, _ = prepare(find(folder), reading(6), lambda *_: None)
    photoset, _ = prepared(folder)
    np.testing.assert_array_equal(photoset.images.in_memory(), expected.images)


def test_what_a_killed_preparation_finished_is_not_done_again(folder, monkeypatch):
    (folder / "go_level_0").touch()  # photographs of the other class are waited for
    process = start_slowly(folder, "first")
    pieces_done = folder / "cache"
    for _ in range(3000):
        if len(list(pieces_done.glob("*/*/work/*.json"))) == COUNT // 2:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    decoded = []
    read = pieces.read_photo
    monkeypatch.setattr(
        pieces, "read_photo", lambda path, *rest: decoded.append(str(path)) or read(path, *rest)
    )
    photoset, _ = prepared(folder)
    monkeypatch.undo()
    assert len(decoded) == COUNT // 2 and all("level_1" in path for path in decoded)
    expected, _ = prepare(find(folder), reading(6), lambda *_: None)
    np.testing.assert_array_equal(photoset.images.in_memory(), expected.images)
    assert photoset.sha256 == expected.sha256
    assert not unfinished(folder) and not list(sets(folder)[0].glob("work"))


def test_two_processes_share_the_work(folder):
    first = start_slowly(folder, "first")
    wait_for_lines(first, folder / "first.log")
    second = start_slowly(folder, "second")
    wait_for_lines(second, folder / "second.log")
    # What other processes are writing is not a leftover.
    prepared(folder, side=8)
    (folder / "go").touch()
    assert (first.wait(60), second.wait(60)) == (0, 0)
    decoded = [lines(folder / f"{name}.log") for name in ("first", "second")]
    assert len(decoded[0]) >= 2 and len(decoded[1]) >= 2
    assert sorted(decoded[0] + decoded[1]) == sorted(str(e.path) for e in find(folder).entries)
    expected, _ = prepare(find(folder), reading(6), lambda *_: None)
    said, *others = lines(folder / "second.out")
    assert "another process prepares the same photographs" in said
    assert others[-2:] == lines(folder / "first.out")[-2:]
    assert others[-1] == str(expected.images.sum())
    assert len(sets(folder)) == 2 and not unfinished(folder)


def test_the_pieces_of_a_process_that_dies_are_another_s(folder):
    first = start_slowly(folder, "first")
    wait_for_lines(first, folder / "first.log")
    second = start_slowly(folder, "second")
    wait_for_lines(second, folder / "second.log")
    first.kill()
    first.wait()
    (folder / "go").touch()
    assert second.wait(60) == 0
    expected, _ = prepare(find(folder), reading(6), lambda *_: None)
    assert lines(folder / "second.out")[-1] == str(expected.images.sum())
    assert len(lines(folder / "second.log")) == COUNT


def test_both_of_two_processes_refuse_and_nothing_is_left(folder):
    (folder / "photos/level_0/s0_0.png").write_bytes(b"")
    both = [start_slowly(folder, name) for name in ("first", "second")]
    for process, name in zip(both, ("first", "second"), strict=True):
        wait_for_lines(process, folder / f"{name}.log")
    (folder / "go").touch()
    assert [process.wait(60) for process in both] == [1, 1]
    for name in ("first", "second"):
        assert "1 file cannot be used" in (folder / f"{name}.out").read_text()
    assert not sets(folder) and not unfinished(folder)


@given(st.integers(1, 10**6))
def test_pieces_hold_every_photograph_once(total):
    parts = pieces.cut(total)
    assert len(parts) <= pieces.MOST
    assert parts[0].start == 0 and parts[-1].stop == total and all(parts)
    assert all(a.stop == b.start for a, b in pairwise(parts))
    assert len({len(part) for part in parts[:-1]}) <= 1


def test_an_interruption_leaves_nothing(folder, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pieces, "read_photo", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepared(folder)
    assert not sets(folder) and not unfinished(folder)


def test_a_disk_that_fills_up_is_named(folder):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(
            UserError, match=r"not become that large here: .*photos_.*make room, give"
        ):
            prepared(folder, side=64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not sets(folder) and not unfinished(folder)


def test_a_cache_without_room_is_refused_before_decoding(folder, monkeypatch):
    no_reading(monkeypatch)
    full = shutil._ntuple_diskusage(10**9, 10**9, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(UserError, match=r"0 B free; make room, .*--config\.data\.cache="):
        prepared(folder)


def test_a_cache_that_cannot_be_written_is_refused_before_decoding(folder, monkeypatch):
    no_reading(monkeypatch)
    with pytest.raises(
        UserError, match=r"config\.data\.cache=.* cannot be created: .*give another"
    ):
        prepared(folder, cache=folder / "photos/level_0/s0_0.png" / "cache")
    (folder / "cache").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: path != folder / "cache")
    with pytest.raises(UserError, match=r"config\.data\.cache=.* cannot be written to"):
        prepared(folder)


def test_a_damaged_set_is_named(folder):
    prepared(folder)
    records = next(sets(folder)[0].glob("*.array_record-*"))
    whole = records.read_bytes()
    records.write_bytes(whole[:-1])
    with pytest.raises(UserError, match=r"is damaged \(a file is cut short\): delete it"):
        prepared(folder)
    records.unlink()
    with pytest.raises(UserError, match=r"is damaged \(.*No such file.*\): delete it"):
        prepared(folder)


def test_pixels_that_are_damaged_are_named_when_they_are_read(folder):
    """The size tells nothing; what tells is the checksum of the record."""
    prepared(folder)
    records = next(sets(folder)[0].glob("*.array_record-*"))
    whole = bytearray(records.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(64)
    records.write_bytes(whole)
    photoset, _ = prepared(folder)
    with pytest.raises(UserError, match=r"the prepared set .* is damaged .*: delete it"):
        photoset.images.in_memory()
    with pytest.raises(UserError, match=r"the prepared set .* is damaged .*: delete it"):
        list(read_batches(photoset, 2, slice(0, 2)))  # read ahead by threads


class Listed(list):
    """Records in memory, read as those of tensorflow-datasets are."""

    def __getitems__(self, keys):
        return [{"image": self[key]} for key in keys]


@given(st.data())
def test_stored_photographs_are_indexed_like_an_array(data):
    pixels = np.arange(9 * 2 * 2 * 4, dtype=np.uint8).reshape(9, 2, 2, 4)
    chosen = np.array(data.draw(st.lists(st.integers(0, 8))), int)
    whole = stored(Listed(pixels), 9, 2)
    part_of_it, array = whole.subset(chosen), pixels[chosen]
    assert (part_of_it.shape, part_of_it.nbytes, len(part_of_it)) == (
        array.shape,
        array.nbytes,
        len(array),
    )
    some = st.lists(st.integers(-len(array), len(array) - 1)) if len(array) else st.just([])
    rows = np.array(data.draw(some), int)
    np.testing.assert_array_equal(part_of_it[rows], array[rows])
    part = slice(data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9)))
    np.testing.assert_array_equal(part_of_it[part], array[part])
    np.testing.assert_array_equal(part_of_it.in_memory(), array)


def load(folder, cache, memory):
    options = PrepareOptions(**ARGUMENTS | {"side": 64, "cache": cache, "memory": memory})
    return load_photos(find(folder), options, range(2))


def test_photographs_stay_on_disk_where_memory_is_short(folder, capsys):
    size = COUNT * 64 * 64 * 4 / 2**30
    streamed = load(folder, str(folder / "cache"), size * 0.99)
    assert "14, read while training: 0.00 of 0.00 GiB" in capsys.readouterr().out
    assert isinstance(streamed.images, Stored)
    resident = load(folder, str(folder / "cache"), size)
    assert "14, in memory" in capsys.readouterr().out
    assert isinstance(resident.images, np.ndarray)
    np.testing.assert_array_equal(streamed.images.in_memory(), resident.images)


def test_short_memory_without_a_cache_is_refused_before_decoding(folder, monkeypatch):
    monkeypatch.setattr("hairjax.data.prepare.read.read_photo", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UserError, match=r"config\.data\.memory.*--config\.data\.cache=FOLDER"):
        load(folder, "", 1e-9)


def test_without_a_cache_nothing_is_written_and_tensorflow_datasets_not_imported(folder):
    before = sorted(folder.rglob("*"))
    program = (
        "import sys; sys.path.insert(0, 'tests/data'); import hairjax.builders.data_set;"
        "assert not {'tensorflow_datasets', 'grain', 'tensorflow'} & {*sys.modules}"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], cwd=root, check=True)
    load(folder, "", 1.0)
    assert sorted(folder.rglob("*")) == before


def test_read_photo_is_what_is_stored():
    """The store decodes by the one way there is."""
    assert pieces.read_photo is read_photo
