"""The record of accesses: nothing lost, nothing taken back, and the commit as git has it."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

from hairjax.runs.access import AccessRecord, add_access, new_access, read_access
from hairjax.system import git as module
from hairjax.system.errors import UserError
from hairjax.system.git import code_commit

RECORD = AccessRecord(
    time="2026-11-21T04:05:06+00:00",
    commit="",
    configuration="0123456789ab",
    split="test",
    photographs=320,
    accuracy=0.8125,
    command="evaluate",
)


def add_many(path, command):
    for count in range(25):
        add_access(path, replace(RECORD, command=command, photographs=count))


def test_what_is_added_is_read(tmp_path):
    path = tmp_path / "looks.csv"
    assert read_access(path) == []
    second = replace(RECORD, commit="abc-dirty", accuracy=1 / 3)
    assert [add_access(path, RECORD), add_access(path, second)] == [1, 2]
    assert read_access(path) == [RECORD, second]
    header, *lines = path.read_text().splitlines()
    assert header == "time,commit,configuration,split,photographs,accuracy,command"
    assert lines[0] == "2026-11-21T04:05:06+00:00,,0123456789ab,test,320,0.8125,evaluate"


def test_two_at_once_lose_no_line(tmp_path):
    path = tmp_path / "looks.csv"
    spawn = get_context("spawn")
    others = [spawn.Process(target=add_many, args=(path, f"process {i}")) for i in range(2)]
    for process in others:
        process.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_many, [path] * 4, [f"thread {i}" for i in range(4)]))
    for process in others:
        process.join()
        assert process.exitcode == 0
    found = [(one.command, one.photographs) for one in read_access(path)]
    names = [f"process {i}" for i in range(2)] + [f"thread {i}" for i in range(4)]
    assert sorted(found) == sorted((name, count) for name in names for count in range(25))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("time,accuracy\n", "its columns are time,accuracy, not time,commit,"),
        ("{header}2026,,c,test,3\n", "5 values"),
        ("{header}2026,,c,test,3,0.5,evaluate,more\n", "8 values"),
        ("{header}2026,,c,test,three,0.5,evaluate\n", "three"),
    ],
)
def test_what_is_no_record_is_refused_and_left(text, reason, tmp_path):
    path = tmp_path / "looks.csv"
    text = text.format(header="time,commit,configuration,split,photographs,accuracy,command\n")
    path.write_text(text)
    for use in (read_access, lambda path: add_access(path, RECORD)):
        with pytest.raises(UserError, match=r"looks.csv is not a valid record") as refused:
            use(path)
        assert reason in str(refused.value)
    assert path.read_text() == text


def test_a_record_says_when_and_of_what(tmp_path):
    config = tmp_path / "config.json"
    config.write_text('{"seed": 0}\n')
    record = new_access(config, split="test", photographs=3, accuracy=0.5, command="evaluate")
    assert datetime.now(UTC) - datetime.fromisoformat(record.time) < timedelta(minutes=5)
    # printf '{"seed": 0}\n' | sha256sum
    assert record.configuration == "28cd07538882"
    config.write_text('{"seed": 1}\n')
    other = new_access(config, split="test", photographs=3, accuracy=0.5, command="evaluate")
    assert other.configuration != record.configuration


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository with a copy of the module, which takes itself to be there."""

    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", *who, *arguments]
        run = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return run.stdout.strip()

    git("init")
    file = tmp_path / "hairjax" / "looks.py"
    file.parent.mkdir()
    file.write_text("# code\n")
    monkeypatch.setattr(module, "__file__", str(file))
    return git, file


def test_the_commit_is_gits(repository):
    git, file = repository
    assert code_commit() == ""  # not among the repository's own files
    git("add", ".")
    git("commit", "--message=first")
    git("tag", "v1")
    head = git("rev-parse", "HEAD")
    assert code_commit() == head
    file.with_name("notes.txt").write_text("of no weight")
    assert code_commit() == head
    file.write_text("# changed\n")
    assert code_commit() == f"{head}-dirty"


def test_no_git_and_no_repository(repository, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "looks.py"
    monkeypatch.setattr(module, "__file__", str(elsewhere))
    assert code_commit() == ""
    monkeypatch.setenv("PATH", str(Path(elsewhere).parent))
    assert code_commit() == ""
