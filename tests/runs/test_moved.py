"""Photographs of a run that lie elsewhere than it began with."""

import json
import shutil
from pathlib import Path

import pytest

import launch
from hairjax.builders.setup import resolve
from hairjax.config.load import from_plain, load_config, to_plain
from hairjax.config.places import PLACES, at_places, places_of, read_places
from hairjax.config.schema import flatten
from hairjax.data.split import read_rows, write_rows
from hairjax.runs.folder import RunFolder
from hairjax.runs.moved import move_runs, read_mask_checksums
from hairjax.runs.photographs import read_run_photographs
from hairjax.runs.read_predictions import group_runs, read_run
from hairjax.system.errors import UserError
from tests import finished
from tests.messages import messages

pytestmark = pytest.mark.usefixtures("tiny_swin", "blank_figures")


@pytest.fixture
def moved(finished_run, tmp_path):
    """A run of ``old/photos`` and ``old/masks``, which are in ``new`` now."""
    folder = finished.copy(finished_run, tmp_path)
    for kind in ("photos", "masks"):
        (folder / kind).unlink()
        shutil.copytree(finished_run / kind, folder / "new" / kind)
    begin_at(folder, "old")
    return folder


def begin_at(folder, old):
    """Have the run begun with photographs and masks in a folder."""
    run = RunFolder(folder / "run")
    places = {"data.photos": f"{folder}/{old}/photos", "data.masks": f"{folder}/{old}/masks"}
    run.write_config(at_places(run.read_initial_config(), places))


def tell(folder, *pairs):
    """What is said when a run is told where its photographs are."""
    told = ",".join(f"{folder}/{old}={folder}/{new}" for old, new in pairs)
    with messages() as said:
        move_runs([folder / "run"], told)
    return said


def places(folder):
    return read_places(folder / "run" / "places.json")


@pytest.mark.situation(
    "Runs",
    "photographs and masks of a run in another place",
    "`--moved=OLD=NEW` compares every checksum and keeps the place in `places.json`: told once, "
    "every verb and a resume know it",
)
def test_told_once_every_verb_knows(moved, finished_run, capsys):
    run, config = moved / "run", (moved / "run" / "config.json").read_bytes()
    evaluate = ["evaluate", f"--workdir={run}"]
    assert launch.main(evaluate) == 1
    message = capsys.readouterr().err
    assert f"the photographs of {run} are not where they were" in message
    assert f"--moved={moved}/old=NEW" in message
    assert launch.main([*evaluate, f"--moved={moved}/old={moved}/new"]) == 0
    assert "80 photographs and 80 masks match those of" in capsys.readouterr().out
    assert (run / "config.json").read_bytes() == config
    shutil.rmtree(run / "validation")
    assert launch.main(evaluate) == 0
    one, other = (
        json.loads((place / "metrics.json").read_text()) for place in (run, run / "validation")
    )
    assert one["accuracy"] == other["accuracy"]
    # The command that it began with goes on, and so does its own configuration.
    begun = [f"--config.data.{kind}={moved}/old/{kind}" for kind in ("photos", "masks")]
    capsys.readouterr()
    status, said = finished.train(finished_run, run, *begun)
    assert (status, "has ended" in said) == (0, True)
    assert places(moved) == {f"data.{kind}": f"{moved}/new/{kind}" for kind in ("photos", "masks")}


@pytest.mark.slow
def test_a_resume_takes_the_flag_and_the_keys_and_keeps_both(moved, finished_run):
    begun = [f"--config.data.{kind}={moved}/old/{kind}" for kind in ("photos", "masks")]
    told = f"--moved={moved}/old={moved}/new"
    status, said = finished.train(finished_run, moved / "run", *begun, told)
    assert (status, "has ended" in said) == (0, True)
    (moved / "new").rename(moved / "newer")
    now = [f"--config.data.{kind}={moved}/newer/{kind}" for kind in ("photos", "masks")]
    assert finished.train(finished_run, moved / "run", *now)[0] == 0
    assert places(moved)["data.masks"] == f"{moved}/newer/masks"
    assert finished.train(finished_run, moved / "run", *begun)[0] == 0
    run = moved / "run"
    assert launch.main([f"--config={run}/config.json", f"--workdir={run}"]) == 0
    assert f"{moved}/newer/photos" in (run / "report.html").read_text()
    assert f"data.photos was {moved}/old/photos" in (run / "report.html").read_text()


@pytest.mark.situation(
    "Runs",
    "only the masks of a run have moved",
    "`--moved=OLD_MASKS=NEW_MASKS`; without it the message names what is not there",
)
def test_only_masks_moved(moved):
    begin_at(moved, "new")
    (moved / "new" / "masks").rename(moved / "hair")
    tell(moved, ("new/masks", "hair"))
    assert places(moved) == {"data.masks": f"{moved}/hair"}


def test_photographs_and_masks_moved_apart(moved):
    (moved / "new" / "masks").rename(moved / "hair")
    tell(moved, ("old/photos", "new/photos"), ("old/masks", "hair"))
    now = places_of(flatten(RunFolder(moved / "run").read_config()))
    assert now == {"data.photos": f"{moved}/new/photos", "data.masks": f"{moved}/hair"}


@pytest.mark.situation(
    "Runs",
    "photographs of a run that moved again, or back",
    "told again; the old place of the beginning is known too",
)
def test_moved_twice_and_back(moved):
    tell(moved, ("old", "new"))
    (moved / "new").rename(moved / "newer")
    tell(moved, ("new", "newer"))
    assert places(moved)["data.photos"] == f"{moved}/newer/photos"
    (moved / "newer").rename(moved / "newest")
    tell(moved, ("old", "newest"))
    assert places(moved)["data.photos"] == f"{moved}/newest/photos"
    (moved / "newest").rename(moved / "old")
    tell(moved, ("newest", "old"))
    assert not (moved / "run" / "places.json").exists()
    assert RunFolder(moved / "run").read_config().data.photos == f"{moved}/old/photos"


@pytest.mark.situation(
    "Runs",
    "a photograph or a mask of a run was edited, or is missing, since it began",
    "refused and named, at a new place as at the old one; nothing is kept",
)
@pytest.mark.parametrize("kind", ["photos", "masks"])
@pytest.mark.parametrize("place", ["new", "old"])
def test_edited_since_it_is_refused(moved, kind, place):
    file = sorted((moved / "new" / kind).rglob("*.png"))[7]
    data = file.read_bytes()
    file.write_bytes(data + b"\0")
    name = file.relative_to(moved / "new" / kind).as_posix()
    what = "photographs" if kind == "photos" else "masks"
    if place == "old":
        (moved / "new").rename(moved / "old")
        said = f"the {what} differ from those the run began with: 1 changed(, of)? \\({name}\\)"
        with pytest.raises(UserError, match=said):
            read_photographs(moved)
        return
    with pytest.raises(UserError, match=f"is refused for .*the {what} .*: 1 changed.*{name}"):
        tell(moved, ("old", "new"))
    file.unlink()
    lacking = "1 missing" if kind == "photos" else "no mask"
    with pytest.raises(UserError, match=rf"is refused for (.|\n)*{lacking}"):
        tell(moved, ("old", "new"))
    assert places(moved) == {}


def read_photographs(folder):
    from hairjax.builders.setup import resolve
    from hairjax.runs.photographs import read_run_photographs

    run = RunFolder(folder / "run")
    return read_run_photographs(resolve(run.read_config()), run, run.read_classes())


@pytest.mark.situation(
    "Runs",
    "photographs of a run that were renamed, or changed names with others",
    "refused with the old and the new names, by contents",
)
def test_renamed_since_it_is_refused(moved):
    files = sorted((moved / "new" / "photos").rglob("*.png"))
    for kind in ("photos", "masks"):
        file = moved / "new" / kind / files[3].relative_to(moved / "new" / "photos")
        file.rename(file.with_stem(f"{file.stem}0"))
    name = files[3].relative_to(moved / "new" / "photos")
    said = rf"1 renamed \({name} → {name.with_stem(f'{name.stem}0')}\); restore them"
    with pytest.raises(UserError, match=said):
        tell(moved, ("old", "new"))
    assert places(moved) == {}


@pytest.mark.situation(
    "Runs",
    "a run's directory copied to another machine, its photographs named from another start",
    "the message names the first folder that is not there; `--moved` takes it",
)
def test_a_directory_on_another_machine(moved, monkeypatch, capsys):
    run = RunFolder(moved / "run")
    relative = {"data.photos": "set/one/photos", "data.masks": "set/one/masks"}
    run.write_config(at_places(run.read_initial_config(), relative))
    shutil.copytree(moved / "run", moved / "there" / "copy")
    monkeypatch.chdir(moved / "there")
    assert launch.main(["evaluate", "--workdir=copy"]) == 1
    assert "--moved=set=NEW" in capsys.readouterr().err
    with messages():
        move_runs([Path("copy")], "set/one=../new")
    assert read_places(Path("copy/places.json"))["data.masks"] == f"{moved}/new/masks"


def test_a_manifest_moves_with_them(moved):
    run = RunFolder(moved / "run")
    rows = ["file,label,subject"]
    rows += [f"{row['file']},{row['label']},{row['subject']}" for row in read_rows(run.split)]
    (moved / "new" / "labels.csv").write_text("\n".join(rows))
    config = run.read_initial_config()
    config.data.manifest, config.data.subject = f"{moved}/old/labels.csv", ""
    run.write_config(config)
    tell(moved, ("old", "new"))
    assert run.read_config().data.manifest == f"{moved}/new/labels.csv"


def test_of_a_run_of_before_masks_are_taken_as_they_are_and_it_is_said(moved):
    (moved / "run" / "masks.csv").unlink()
    said = tell(moved, ("old", "new"))
    assert any("80 photographs and no masks (no stored checksums)" in s for s in said)


def test_what_was_made_of_runs_knows_their_masks(moved):
    made = RunFolder(moved / "made")
    config = from_plain(to_plain(RunFolder(moved / "run").read_initial_config()))
    config.made = {"by": "soup", "runs": ("../run",)}
    made.path.mkdir()
    made.write_config(config)
    for name in ("split.csv", "classes.json"):
        shutil.copy(moved / "run" / name, made.path)
    assert len(read_mask_checksums(made)) == 80
    with messages() as said:
        move_runs([made.path, moved / "run"], f"{moved}/old={moved}/new")
    assert sum("80 photographs and 80 masks" in line for line in said) == 2
    assert load_config(str(made.config)).data.photos == f"{moved}/new/photos"


def test_a_fold_of_what_a_split_of_ones_own_leaves(moved):
    run, own = RunFolder(moved / "run"), moved / "own.csv"
    shutil.copy(run.split, own)
    write_rows(run.split, [row for row in read_rows(own) if row["split"] != "test"])
    config = run.read_initial_config()
    config.data.folds, config.data.split = 3, str(own)
    run.write_config(config)
    told = tell(moved, ("old", "new"))
    assert f"moved: {len(read_rows(run.split))} photographs" in told[-1]
    assert places(moved)["data.photos"] == f"{moved}/new/photos"
    # The split may have moved too.
    own.rename(moved / "new" / "own.csv")
    setup = resolve(run.read_config())
    with pytest.raises(UserError, match=r"no .*own\.csv.*--moved="):
        read_run_photographs(setup, run, run.read_classes())
    tell(moved, ("own.csv", "new/own.csv"))
    assert places(moved)["data.split"] == f"{moved}/new/own.csv"
    assert places(moved)["data.photos"] == f"{moved}/new/photos"
    photos, _ = read_run_photographs(resolve(run.read_config()), run, run.read_classes())
    assert len(photos) == len(read_rows(run.split))


def test_masks_are_looked_for_as_the_run_found_its_own(moved):
    for mask in (moved / "new" / "masks").rglob("*.png"):
        shutil.copy(mask, mask.with_name(f"{mask.stem}_hair.png"))
        mask.rename(mask.with_name(f"{mask.stem}_skin.png"))
    run = RunFolder(moved / "run")
    run.masks.write_text(json.dumps(json.loads(run.masks.read_text()) | {"name": "{name}_hair"}))
    tell(moved, ("old", "new"))
    assert places(moved)["data.masks"] == f"{moved}/new/masks"


def test_runs_of_one_configuration_stay_so_where_one_has_moved(moved):
    shutil.copytree(moved / "run", moved / "other")
    run = RunFolder(moved / "other")
    config = run.read_initial_config()
    config.seed = 1
    run.write_config(config)
    tell(moved, ("old", "new"))
    runs = [read_run(moved / name, "validation") for name in ("run", "other")]
    assert runs[0].config.data.masks != runs[1].config.data.masks
    assert [group.name for group in group_runs(runs)] == ["seed=0", "seed=1"]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("new", "give OLD=NEW"),
        ("=new", "give OLD=NEW"),
        ("old=", "give OLD=NEW"),
        ("elsewhere=new", "the start of the run's paths"),
        (
            "{folder}/old={folder}/nowhere",
            "{folder}/nowhere/photos, the new config.data.photos, does",
        ),
    ],
)
def test_what_cannot_be_told_is_refused(moved, told, said):
    with pytest.raises(UserError) as refused:
        move_runs([moved / "run"], told.format(folder=moved))
    assert said.format(folder=moved) in str(refused.value)
    assert places(moved) == {}


@pytest.mark.situation(
    "Runs",
    "a new run by the configuration of one whose photographs have moved",
    "told with `--moved`, which that run keeps, or refused with this flag",
)
def test_a_new_run_by_the_configuration_of_one_that_moved(moved, monkeypatch, capsys):
    begun = []
    monkeypatch.setattr(
        "hairjax.training.train.train_run", lambda config, workdir: begun.append(config.data)
    )
    command = ["train", f"--config={moved}/run/config.json", f"--workdir={moved}/again"]
    assert launch.main(command) == 1
    assert f"the photographs of {moved}/run are not where they were" in capsys.readouterr().err
    assert launch.main([*command, f"--moved={moved}/old={moved}/new"]) == 0
    assert launch.main(command) == 0
    assert [data.photos for data in begun] == 2 * [f"{moved}/new/photos"]
    other = [f"--config.data.{kind}={moved}/new/{kind}" for kind in ("photos", "masks")]
    (moved / "run" / "places.json").unlink()
    assert launch.main([*command, *other]) == 0
    capsys.readouterr()
    assert launch.main(["--config=configs/top.py:demo", "--moved=a=b", f"--workdir={moved}/x"]) == 1
    assert "give their places (--config.data.photos" in capsys.readouterr().err


def test_damaged_places_are_named(moved):
    for text in ("{", '{"model.name": "x"}', "[]"):
        (moved / "run" / "places.json").write_text(text)
        with pytest.raises(UserError, match=r"places.json"):
            RunFolder(moved / "run").read_config()


def test_places_are_keys_that_may_differ_on_resume():
    from hairjax.config.resume import free_by_process

    assert {*PLACES} <= {*free_by_process()}
