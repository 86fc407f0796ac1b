"""Photographs held out that trained the weights are found, whatever lies between."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hairjax.training.train
import launch
from hairjax.builders.model import find_model_weights
from hairjax.commands.convert import convert_weights, write
from hairjax.data.sources.manifest import Manifest
from hairjax.data.split import read_rows
from hairjax.report.run_report import report_run
from hairjax.runs.ancestry import (
    Ancestry,
    ancestors,
    ancestry_metadata,
    joined,
    read_ancestry,
    run_ancestry,
    source_ancestry,
    subject_digest,
    weights_ancestry,
    write_ancestry,
)
from hairjax.runs.folder import RunFolder
from hairjax.runs.load import load_run
from hairjax.runs.overlap import find_overlap, require_no_leakage
from hairjax.runs.photographs import read_selected_photographs
from hairjax.system.errors import UserError
from hairjax.training.stopping import StoppedError
from hairjax.weights.contents import read_metadata
from tests import finished
from tests.messages import messages
from tests.runs.written_runs import row, setup_of, write_folder

SPLITS = ("train", "validation", "test")


def begin(path):
    """Write what a start of the run at `path` writes."""
    model = setup_of(path).model
    write_ancestry(RunFolder(path), weights_ancestry(model, find_model_weights(model)))


def overlap_of(path):
    """Of a run's own split with the weights that it is configured to begin with."""
    setup = setup_of(path)
    found = weights_ancestry(setup.model, find_model_weights(setup.model))
    return find_overlap(found, read_rows(path / "split.csv"), setup.source)


# --- chains


@st.composite
def chains(draw):
    """Runs, each with its splits of eight photographs (or without one) and those it began with."""
    runs = []
    for number in range(draw(st.integers(2, 4))):
        splits = draw(st.lists(st.sampled_from((*SPLITS, "")), min_size=8, max_size=8))
        before = st.one_of(st.none(), st.integers(0, number - 1)) if number else st.none()
        runs.append((splits, draw(before), draw(before), draw(st.booleans())))
    people = draw(st.lists(st.sampled_from(("", "ann", "ben", "eve")), min_size=8, max_size=8))
    return runs, people


@given(chains())
@pytest.mark.situation(
    "Splits and leaks",
    "weights of a run that itself began with another run's, or two models' weights",
    "every ancestor's photographs count",
)
def test_every_photograph_and_subject_of_every_ancestor_is_found(chain):
    runs, people = chain
    trained, behind = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, (splits, first, second, stored) in enumerate(runs):
            path = Path(folder) / f"run{number}"
            rows = [row(i, split, people[i]) for i, split in enumerate(splits) if split]
            sources = [f"{folder}/run{i}" if i is not None else "none" for i in (first, second)]
            write_folder(
                path,
                rows,
                sources[0],
                model__second="swin_mini_patch4_window4_64",
                weights__second=sources[1],
            )
            if stored:
                begin(path)
            trained.append({i for i, split in enumerate(splits) if split == "train"})
            mine = {i for i in (first, second) if i is not None}
            behind.append(mine.union(*(behind[i] for i in mine)))
        found = overlap_of(path)
        assert read_ancestry(RunFolder(path)) is None or found == find_overlap(
            ancestors(RunFolder(path)), rows, setup_of(path).source
        )
    known = set().union(*(trained[i] for i in behind[-1]))
    # A subject is of a photograph, in whichever run that trained.
    names = {people[i] for i in known} - {""}
    held = {name: {i for i, s in enumerate(runs[-1][0]) if s == name} for name in SPLITS[1:]}
    for name, those in held.items():
        assert found.held[name] == len(those)
        assert found.contents[name] == len(those & known)
        assert found.subjects[name] == sum(people[i] in names for i in those - known)
    chosen = {i for run in behind[-1] for i, s in enumerate(runs[run][0]) if s == "validation"}
    unlearnt = {i for i in held["test"] - known if people[i] not in names}
    assert found.selected == len(unlearnt & chosen)
    assert found.leaks == bool(found.files)
    assert set(found.runs) <= {f"run{i}" for i in behind[-1]}


def test_folders_may_be_gone_once_it_is_stored(tmp_path):
    """Of the grandparent the first photograph is the test photograph; its folder is removed."""
    oldest = write_folder(tmp_path / "oldest", [row(0, "train"), row(1, "validation")])
    middle = write_folder(tmp_path / "middle", [row(2, "train")], oldest)
    begin(middle)
    shutil.rmtree(oldest)
    shutil.move(middle, tmp_path / "moved")
    last = write_folder(
        tmp_path / "last", [row(0, "test"), row(1, "test"), row(2, "train")], tmp_path / "moved"
    )
    found = overlap_of(last)
    assert (found.contents["test"], found.selected, found.runs) == (1, 1, ("oldest",))
    assert "1 of the 2 test photographs have trained these weights" in found.describe()
    assert "(training of oldest: level_0/0.png (test))" in found.describe()


def test_a_source_of_a_run_of_before_that_is_gone_is_said(tmp_path):
    middle = write_folder(tmp_path / "middle", [row(2, "train")], tmp_path / "oldest")
    assert ancestors(RunFolder(middle)).untraced == (
        "middle began with oldest, which does not exist",
    )
    found, source = run_ancestry(middle), setup_of(middle).source
    with messages() as said:
        require_no_leakage(found, [row(0, "test")], source, "refuse", "")
    assert said == [
        "the weights cannot be traced further: middle began with oldest, which does not exist; "
        "their earlier training photographs are not compared with validation and test"
    ]


def test_a_folder_that_was_trained_anew_from_its_own_heir_ends(tmp_path):
    one = write_folder(tmp_path / "one", [row(0, "train")], tmp_path / "two")
    two = write_folder(tmp_path / "two", [row(1, "train")], one)
    assert {learnt.run for learnt in run_ancestry(two).learnt} == {"one", "two"}


def test_nothing_but_runs_files_are_followed(tmp_path):
    """Without a split.csv, or with one that is no CSV file, a run says so."""
    lacking = write_folder(tmp_path / "lacking", [])
    (lacking / "split.csv").unlink()
    damaged = write_folder(tmp_path / "damaged", [])
    (damaged / "ancestry.json").write_text('{"learnt": 3}')
    assert run_ancestry(lacking).untraced == ("the split.csv of lacking cannot be read",)
    [said] = run_ancestry(damaged).untraced
    assert said == "the config.json or ancestry.json of damaged cannot be read"
    with pytest.raises(UserError, match=r"ancestry\.json is damaged"):
        read_ancestry(RunFolder(damaged))


@pytest.mark.situation(
    "Splits and leaks",
    "a soup of runs of several splits",
    "what trained any member counts",
)
def test_a_soup_has_what_its_members_have(tmp_path):
    old = write_folder(tmp_path / "old", [row(0, "train")])
    write_folder(tmp_path / "one", [row(1, "train")], old)
    write_folder(tmp_path / "two", [row(2, "train")])
    soup = write_folder(tmp_path / "soup", [row(1, "train"), row(2, "train")])
    config = json.loads((soup / "config.json").read_text())
    made = {"by": "soup", "runs": ["../one", "../two", "../gone"]}
    (soup / "config.json").write_text(json.dumps(config | {"made": made}))
    found = run_ancestry(soup)
    assert {learnt.run for learnt in found.learnt} == {"soup", "one", "old", "two"}
    assert found.untraced == ("soup derives from gone, which does not exist",)
    assert overlap_of(write_folder(tmp_path / "last", [row(0, "test")], soup)).contents["test"] == 1


def test_names_of_drawn_people_are_theirs_of_one_seed_only(tmp_path):
    def drawn(name, seed, split):
        rows = [row(seed, split, "s0001")]
        return write_folder(tmp_path / name, rows, data__source="synthetic", seed=seed)

    first, other, same = drawn("a", 1, "train"), drawn("b", 2, "test"), drawn("c", 1, "test")
    source = setup_of(first).source
    assert subject_digest("s", source) == subject_digest("s", setup_of(same).source)
    for path, alike in ((other, 0), (same, 1)):
        rows, own = read_rows(path / "split.csv"), setup_of(path).source
        rows = [one | {"sha256": "f" * 64} for one in rows]
        assert find_overlap(run_ancestry(first), rows, own).subjects["test"] == alike


def test_a_name_in_two_unicode_forms_is_one_subject(tmp_path):
    first = write_folder(tmp_path / "a", [row(0, "train", "Zo\u00eb")])
    found = find_overlap(run_ancestry(first), [row(1, "test", "Zoe\u0308")], setup_of(first).source)
    assert found.subjects["test"] == 1


# --- refused, told


LEAK = [row(0, "train"), row(1, "validation"), row(2, "test"), row(3, "test", "p9"), row(4, "test")]


@pytest.fixture
def source_run(tmp_path):
    """It has trained on photographs 1 and 2, and on the subject of 3; and chosen by 4."""
    return write_folder(
        tmp_path / "top",
        [row(1, "train"), row(2, "train"), row(9, "train", "p9"), row(4, "validation")],
    )


@pytest.mark.situation(
    "Splits and leaks",
    "weights of an own run under another split",
    "refused with the photographs and people that trained them, until `data.on_leak=allow`",
)
def test_a_leak_is_refused_in_words(source_run):
    found, source = run_ancestry(source_run), setup_of(source_run).source
    with messages() as said, pytest.raises(UserError) as error:
        require_no_leakage(found, LEAK, source, "refuse", "take others")
    assert str(error.value) == (
        "the split leaks through the weights: 1 of the 1 validation and 1 of the 3 test "
        "photographs have trained these weights, 1 of the 3 test photographs show subjects with "
        "other photographs that trained these weights (training of top: level_0/1.png "
        "(validation), level_0/2.png (test), level_0/3.png (test)); take others"
    )
    assert said == [
        "1 of the 3 test photographs have selected the epoch of these weights: a small "
        "optimistic bias"
    ]


def test_allowed_by_name_it_is_told(source_run):
    found, source = run_ancestry(source_run), setup_of(source_run).source
    with messages() as said:
        require_no_leakage(found, LEAK, source, "allow", "take others")
    assert said[-1].startswith("1 of the 1 validation and 1 of the 3 test photographs have trained")
    assert said[-1].endswith("continues: config.data.on_leak=allow")


def test_of_several_processes_all_refuse(source_run, monkeypatch):
    monkeypatch.setattr("hairjax.runs.overlap.largest", lambda mine: 1)
    source = setup_of(source_run).source
    with pytest.raises(UserError, match="process 0 names"):
        require_no_leakage(Ancestry(), LEAK, source, "refuse", "")


# --- files


@pytest.mark.situation(
    "Splits and leaks",
    "weights that do not say what trained them",
    "said, and stands in the report",
)
def test_a_file_carries_it_and_names_nobody(tmp_path, source_run):
    arrays = {"stem.proj.kernel": np.zeros(3, np.float32)}
    file, silent = tmp_path / "top.safetensors", tmp_path / "silent.safetensors"
    write(arrays, ancestry_metadata(run_ancestry(source_run)), file)
    write(arrays, {}, silent)
    assert source_ancestry(str(file), file) == run_ancestry(source_run)
    assert "p9" not in str(read_metadata(file)) and "level_0" not in str(read_metadata(file))
    unknown = ("silent.safetensors does not record its training photographs",)
    assert source_ancestry(str(silent), silent).untraced == unknown
    assert source_ancestry("hf://timm/swin", silent) == Ancestry()
    fetched = tmp_path / "fetched.safetensors"
    write(arrays, {"source": "hf://timm/swin"}, fetched)
    assert source_ancestry(str(fetched), fetched) == Ancestry()
    for name, text in (("other", "ImageNet"), ("list", "[1]"), ("half", '{"learnt": []}')):
        write(arrays, {"ancestry": text}, tmp_path / f"{name}.safetensors")
        [said] = source_ancestry("", tmp_path / f"{name}.safetensors").untraced
        assert said == f"{name}.safetensors has metadata that cannot be read"
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    assert source_ancestry("", tmp_path / "bad.safetensors").untraced
    # A run that began with it, and one of before that did.
    began = write_folder(tmp_path / "began", [row(2, "test")], file)
    assert overlap_of(began).contents["test"] == 1
    assert ancestors(RunFolder(began)) == run_ancestry(source_run)


def test_what_two_share_is_once():
    one, two = Ancestry((), ("a", "b")), Ancestry((), ("b",))
    assert joined([one, two, one]).untraced == ("a", "b")


# --- a finished run


@pytest.fixture(scope="module")
def copied(finished_run, tmp_path_factory):
    return finished.copy(finished_run, tmp_path_factory.mktemp("ancestry"))


def parts(path):
    return {
        name: {r["sha256"] for r in read_rows(path / "split.csv") if r["split"] == name}
        for name in SPLITS
    }


def people(path):
    return {r["sha256"]: r["subject"] for r in read_rows(path / "split.csv")}


@pytest.mark.usefixtures("tiny_swin", "blank_figures")
def test_a_run_from_a_run_under_another_split(copied, tmp_path, monkeypatch, capsys):
    """Refused with the counts that their split.csv have; allowed it begins, and stores them."""

    def stop(prepared):
        raise StoppedError

    monkeypatch.setattr(hairjax.training.train, "_plan", stop)  # all before it is done
    source = copied / "run"
    more = [f"--config.weights.source={source}", "--config.seed=1", "--config.train.epochs=1"]
    command = [*finished.flags(copied), *more, f"--workdir={tmp_path / 'run'}"]
    assert launch.main(command) == 1
    refused = capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert launch.main([*command, "--config.data.on_leak=allow"]) != 0  # stopped
    told = capsys.readouterr().out
    own, before = parts(tmp_path / "run"), parts(source)
    trained = {people(source)[one] for one in before["train"]}
    counts = {name: len(own[name] & before["train"]) for name in SPLITS[1:]}
    whose = {
        name: sum(people(source)[one] in trained for one in own[name] - before["train"])
        for name in SPLITS[1:]
    }
    assert min(counts.values()) > 0 and sum(whose.values()) == 0  # subjects are never parted
    said = " and ".join(f"{counts[name]} of the {len(own[name])} {name}" for name in SPLITS[1:])
    assert f"{said} photographs have trained these weights (training of run: " in refused
    assert f"--config.data.split={source / 'split.csv'}" in refused
    assert f"{said} photographs have trained these weights" in told
    stored = read_ancestry(RunFolder(tmp_path / "run"))
    assert [one.photographs for one in stored.learnt] == [before["train"]]
    assert [one.selected for one in stored.learnt] == [before["validation"]]
    # Begun anew before its first checkpoint, it is asked again.
    assert launch.main(command) == 1
    assert f"{said} photographs have trained these weights" in capsys.readouterr().err
    # By the split of its source nothing leaks.
    given = [f"--config.data.split={source / 'split.csv'}", f"--workdir={tmp_path / 'same'}"]
    assert launch.main([*command, *given]) != 0
    found = capsys.readouterr()
    assert "that trained the weights (run): none, by contents and by subject" in found.out
    assert "leak" not in found.err


@pytest.mark.usefixtures("tiny_swin")
@pytest.mark.situation(
    "Splits and leaks",
    "a run that was converted to a file",
    "the file carries checksums of its photographs, without names",
)
def test_a_converted_run_is_known_by_its_file(copied, tmp_path):
    for source, out in ((copied / "run", "a"), (tmp_path / "a.safetensors", "b")):
        convert_weights(str(source), "tiny", tmp_path / f"{out}.safetensors", "")
    [learnt] = source_ancestry("", tmp_path / "b.safetensors").learnt
    assert learnt.photographs == parts(copied / "run")["train"]
    assert learnt.run == "run"
    assert len(learnt.subjects) == len(
        {r["subject"] for r in read_rows(copied / "run" / "split.csv") if r["split"] == "train"}
    )


def leaky(copied, folder):
    """The run, as if its weights had trained on two of its test photographs."""
    shutil.copytree(copied / "run", folder)
    tests = [r for r in read_rows(folder / "split.csv") if r["split"] == "test"][:2]
    rows = [one | {"split": "train", "subject": ""} for one in tests]
    before = write_folder(folder.with_name("before"), rows)
    write_ancestry(RunFolder(folder), run_ancestry(before))
    return folder, tests


@pytest.mark.usefixtures("tiny_swin")
@pytest.mark.situation(
    "Splits and leaks",
    "`evaluate` on photographs that trained a run's ancestors",
    "told with their number",
)
def test_evaluation_tells_of_them(copied, tmp_path):
    folder, tests = leaky(copied, tmp_path / "run")
    run = load_run(folder)
    with messages() as said:
        read_selected_photographs(run, "test")
    count = len(parts(folder)["test"])
    assert said[-1] == (
        f"2 of the {count} test photographs have trained these weights (training of before: "
        f"{tests[0]['file']} (test), {tests[1]['file']} (test)): the results are optimistic"
    )
    other = run.with_photographs(
        photos=str(copied / "photos"),
        masks=str(copied / "masks"),
        manifest=Manifest(""),
        subject="",
        spelling="",
    )
    with messages() as said:
        read_selected_photographs(other, "all")
    assert re.search(r"and 2 of its weights' training photographs", said[-1])


def page(folder):
    report_run(RunFolder(folder))
    text = (folder / "report.html").read_text()
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", "", text))


@pytest.mark.usefixtures("tiny_swin", "blank_figures")
def test_the_report_answers_by_it(copied, tmp_path):
    folder, _ = leaky(copied, tmp_path / "run")
    text = page(folder)
    said = f"2 of the {len(parts(folder)['test'])} test photographs have trained these weights"
    assert text.count(said) == 2  # with the photographs, and in the checklist
    before = run_ancestry(tmp_path / "before")
    rows = [one | {"sha256": "0" * 64} for one in read_rows(tmp_path / "before" / "split.csv")]
    clean = write_folder(tmp_path / "clean", rows)
    write_ancestry(RunFolder(folder), joined([run_ancestry(clean), Ancestry((), ("it is gone",))]))
    text = page(folder)
    assert before != run_ancestry(clean)
    assert "leaks" not in text
    assert "No validation or test photograph had trained the weights (clean), by checksums" in text
    assert "What the weights had learnt from before was not compared: it is gone." in text
