"""A set that Apache Beam prepares is the set that threads prepare; needs requirements-beam.txt."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from hairjax.data.options import PrepareOptions
from hairjax.data.prepare import store
from hairjax.data.prepare.read import prepare
from hairjax.data.sources.photos import Search, find_photos
from hairjax.system.errors import UserError
from tests.data.reading import reading

COUNT = 30


def find(folder, bad=False):
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        path = folder / f"photos/level_{number % 2}/{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 10, 3), np.uint8)).save(path)
        if bad and number == 7:
            path.write_bytes(b"")
    place = {"photos": str(folder / "photos"), "masks": "", "manifest": "", "subject": ""}
    return find_photos(Search(**place, classes=None, need_masks=False))


def prepared(folder, index, beam, on_bad="refuse"):
    options = PrepareOptions(
        side=6,
        fit="squash",
        on_bad=on_bad,
        cache=str(folder / "cache"),
        beam=beam,
        memory=0.0,
        workers=2,
    )
    return store.prepare_once(index, options)


# Of protobuf 6, which Beam takes, in tensorflow-datasets.
@pytest.mark.filterwarnings("ignore:label\\(\\) is deprecated:DeprecationWarning")
@pytest.mark.parametrize("bad", [False, True])
def test_beam_writes_what_threads_write(tmp_path, bad):
    pytest.importorskip("apache_beam")
    index = find(tmp_path, bad)
    photoset, problems = prepared(tmp_path, index, "--runner=DirectRunner", "skip")
    expected, expected_problems = prepare(index, reading(6), lambda *_: None)
    assert problems == expected_problems and len(problems) == bad
    np.testing.assert_array_equal(photoset.images.in_memory(), expected.images)
    np.testing.assert_array_equal(photoset.labels, expected.labels)
    assert (photoset.files, photoset.sha256) == (expected.files, expected.sha256)
    again, same = prepared(tmp_path, index, "", "skip")  # found, and not made anew
    assert (again.files, same) == (photoset.files, problems)
    assert len([*(tmp_path / "cache").glob("*/*")]) == 3  # the set and two locks
    assert "tensorflow" not in sys.modules


def test_without_the_package_the_command_says_what_to_install(tmp_path):
    find(tmp_path)
    program = (
        "import sys; sys.modules['apache_beam'] = None; sys.path.insert(0, 'tests/data');"
        "from pathlib import Path; from test_beam import *;"
        "prepared(Path(sys.argv[1]), find(Path(sys.argv[1])), '--runner=DirectRunner')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True
    )
    assert "pip install -r requirements-beam.txt" in done.stderr
    assert UserError.__name__ in done.stderr
    assert not [*(tmp_path / "cache").glob("*/1.0.0*")]
