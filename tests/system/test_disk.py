"""A full disk is recognised in whatever is raised, said in a sentence, and spoils nothing."""

import contextlib
import errno
import os
import resource
import signal

import pytest

from hairjax.runs.access import AccessRecord, add_access, read_access
from hairjax.runs.folder import RunFolder
from hairjax.system.disk import FullDisk, FullDiskError, free, full_disk, sentence
from hairjax.system.errors import UserError
from hairjax.system.files import append, replacing, write_csv

ORBAX = (
    'RESOURCE_EXHAUSTED: Error writing "a/0" in OCDBT database at local file "/w/c/": Failed '
    'writing: "/w/c/d/52": Failed to write 379593 bytes to file 24: No space left on device '
    "[os_error_code='28']"
)


@contextlib.contextmanager
def files_of_at_most(size):
    """The kernel lets no file grow further, as where a disk is full: writing is cut short."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_cannot_be_added_whole_is_not_added(tmp_path):
    """A line cut short would be joined with the next one that is added."""
    folder = RunFolder(tmp_path)
    folder.append_line(folder.environment, {"first": 1})
    with files_of_at_most(40), pytest.raises(OSError, match="too large") as raised:
        folder.append_line(folder.environment, {"second": "x" * 100})
    assert raised.value.filename == str(folder.environment)
    folder.append_line(folder.environment, {"third": 3})
    assert folder.read_lines(folder.environment) == [{"first": 1}, {"third": 3}]


def test_a_look_that_cannot_be_recorded_spoils_no_record(tmp_path):
    record = AccessRecord("2026-03-01T10:00:00+00:00", "", "0", "test", 3, 0.5, "evaluate")
    path = tmp_path / "looks.csv"
    add_access(path, record)
    with files_of_at_most(path.stat().st_size + 10), pytest.raises(OSError, match="too large"):
        add_access(path, record)
    assert add_access(path, record) == 2
    assert read_access(path) == [record, record]


@pytest.mark.parametrize("write", ["text", "csv"])
def test_what_cannot_be_written_leaves_what_was_there(tmp_path, write):
    path = tmp_path / "file"
    path.write_text("before")
    with files_of_at_most(3), pytest.raises(OSError, match="too large") as raised:
        if write == "csv":
            write_csv(path, ["name"], [["x" * 100]])
        with replacing(path) as unfinished:
            unfinished.write_text("x" * 100)
    assert os.fspath(path) in sentence(raised.value)
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"file": "before"}


def caused(error, by):
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (OSError(errno.ENOSPC, "x", "/a"), FullDisk(errno.ENOSPC, "/a")),
        (OSError(errno.EDQUOT, "x"), FullDisk(errno.EDQUOT, "")),
        (ValueError(ORBAX), FullDisk(errno.ENOSPC, "/w/c/d/52")),
        (RuntimeError("write: Disk quota exceeded"), FullDisk(errno.EDQUOT, "")),
        (caused(UserError("x"), by=OSError(errno.ENOSPC, "x", "/a")), FullDisk(errno.ENOSPC, "/a")),
        (
            caused(OSError(errno.ENOSPC, "x"), by=OSError(errno.ENOSPC, "x", "/b")),
            FullDisk(errno.ENOSPC, "/b"),
        ),
        (ExceptionGroup("x", [OSError(errno.ENOSPC, "x", "/a")]), FullDisk(errno.ENOSPC, "/a")),
        (OSError(errno.EACCES, "x", "/a"), None),
        (UserError("No space left on device"), None),
        (ValueError("RESOURCE_EXHAUSTED: Out of memory"), None),
    ],
)
def test_it_is_recognised(error, found):
    assert full_disk(error) == found


def test_an_error_that_leads_to_itself_ends():
    error = ValueError("x")
    assert full_disk(caused(error, by=error)) is None


def test_it_is_said_in_a_sentence(tmp_path):
    path = tmp_path / "not" / "yet"
    assert free(path) == pytest.approx(free(tmp_path), rel=0.1)
    said = sentence(OSError(errno.ENOSPC, "x", str(path)))
    assert said.startswith(f"the disk is full: {path} could not be written (")
    assert said.endswith("earlier files are intact: make room and repeat the command")
    assert sentence(OSError(errno.ENOSPC, "x")).startswith("the disk is full; earlier files")
    assert sentence(FullDiskError("as it is")) == "as it is"
    assert sentence(OSError(errno.EACCES, "no", "/a")) == "[Errno 13] no: '/a'"


def test_append_adds_bytes_in_any_language(tmp_path):
    append(tmp_path / "new", "정상\n")
    append(tmp_path / "new", "b\n")
    assert (tmp_path / "new").read_text(encoding="utf-8") == "정상\nb\n"
