"""What a start does once: folders are walked, a manifest is read, weights are looked for."""

import shutil
from collections import Counter
from itertools import groupby

import jax
import numpy as np
import pytest
from PIL import Image

import hairjax.training.train
import launch
from hairjax.builders.model import abstract_model, model_specification
from hairjax.cli.configuration import read_configuration
from hairjax.cli.flags import parse
from hairjax.commands.convert import write
from hairjax.config.recipe import default_config
from hairjax.data.synthetic import synthesise
from hairjax.parallel.lock import exclusive_lock
from hairjax.runs.folder import RunFolder
from hairjax.training.stopping import StoppedError
from hairjax.weights.paths import dotted
from tests.small_disk import small_disk

STOPPED = 143  # the status
pytestmark = pytest.mark.usefixtures("tiny_swin", "blank_figures")


@pytest.fixture
def counted(monkeypatch):
    """How often photographs, masks and weights are looked for."""
    calls = Counter()
    places = (
        "hairjax.data.sources.photos.walk_classes",
        "hairjax.data.sources.manifest.read_table",
        "hairjax.builders.model.find_weights",
        "hairjax.models.factory.find_weights",
        "hairjax.commands.convert.find_weights",
    )

    def counting(name, function):
        def call(*given, **named):
            calls[name.rpartition(".")[2]] += 1
            return function(*given, **named)

        return call

    for place in places:
        module, _, name = place.rpartition(".")
        function = getattr(__import__(module, fromlist=[name]), name)
        monkeypatch.setattr(place, counting(place, function))
    return calls


@pytest.fixture(autouse=True)
def saved_and_stopped():
    """Nothing is trained: a run is stopped before its first step, once it has a checkpoint."""

    def run_epochs(plan, state, best):
        if plan.checkpoints.last_step() is None:
            plan.checkpoints.save(int(state.step), state.evaluated, state.rest(), best)
        raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hairjax.training.train, "run_epochs", run_epochs)
        yield


@pytest.fixture
def folders(tmp_path):
    """Photographs of four classes with masks, and weights of the model."""
    photos = synthesise("top", 60, 36, 0, 2, lambda done, total: None)
    for i, image in enumerate(photos.images):
        name = f"{photos.classes[photos.labels[i]]}/{photos.subjects[i]}_{i}.png"
        for folder, pixels in (("photos", image[..., :3]), ("masks", image[..., 3])):
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / name)
    config = default_config()
    config.model.name, config.data.image_size = "tiny", 32
    _, shapes = abstract_model(model_specification(config), 4)
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    write(dotted(zeros), {}, tmp_path / "weights.safetensors")
    return tmp_path


def flags(folders):
    return [
        "--config=configs/top.py:demo",
        f"--workdir={folders / 'run'}",
        "--config.model.name=tiny",
        "--config.data.source=photos",
        f"--config.data.photos={folders / 'photos'}",
        f"--config.data.masks={folders / 'masks'}",
        "--config.data.subject=/([a-z0-9]+)_",
        f"--config.data.cache={folders / 'cache'}",
        "--config.data.image_size=32",
        f"--config.weights.source={folders / 'weights.safetensors'}",
        "--config.train.epochs=1",
        "--config.optim.warmup_epochs=0",
        "--config.train.batch_size=8",
        "--config.report.gallery=0",
        "--config.train.log_every=1",
    ]


def test_folders_are_walked_and_weights_looked_for_once(folders, counted):
    command = flags(folders)
    assert launch.main(command) == STOPPED
    assert counted == {"walk_classes": 1, "find_weights": 1}
    # The run has its parameters in a checkpoint: weights are not asked for again.
    assert launch.main(command) == STOPPED
    assert counted == {"walk_classes": 2, "find_weights": 1}


def test_a_manifest_is_read_once(folders, counted):
    files = sorted(file.relative_to(folders / "photos") for file in folders.glob("photos/*/*"))
    parts = {}
    for folder, group in groupby(files, lambda file: file.parent):
        owners = dict.fromkeys(file.name.partition("_")[0] for file in group)
        parts |= {(folder, owner): ("train", "val")[i % 2] for i, owner in enumerate(owners)}
    rows = [f"{f},{f.parent},{parts[f.parent, f.name.partition('_')[0]]},x" for f in files]
    (folders / "list.csv").write_text("\n".join(["file,label,split,site", *rows]))
    command = [*flags(folders), f"--config.data.manifest={folders / 'list.csv'}"]
    assert launch.main(command) == STOPPED
    assert counted == {"read_table": 1, "find_weights": 1}


def test_identical_files_in_two_classes_stop_a_start_and_no_later_one(folders, capsys):
    file = next((folders / "photos" / "level_0").iterdir())
    for kind in ("photos", "masks"):
        shutil.copy(folders / kind / "level_0" / file.name, folders / kind / "level_2" / file.name)
    command = flags(folders)
    assert launch.main(command) == 1
    refused = capsys.readouterr().err
    said = f"2 photographs are identical files in different classes: level_0/{file.name} (level_0)"
    assert f"{said} = level_2/{file.name} (level_2); correct the labels" in refused
    assert not (folders / "run").exists()
    assert launch.main([*command, "--config.data.on_conflict=allow"]) != 0  # stopped, see above
    found = capsys.readouterr()
    assert f"{said} = level_2/{file.name} (level_2); training continues" in found.out
    # A file of weights that says nothing of its photographs.
    assert "further: weights.safetensors does not record its training photographs" in found.out
    assert launch.main(command) != 0
    found = capsys.readouterr()
    assert "resuming" in found.out
    assert "identical files" not in found.out + found.err


@pytest.mark.situation(
    "Subjects",
    "a training on photographs of which nothing tells whose they are",
    "said: photographs of one person may be on both sides, and what tells whose they are",
)
def test_a_start_that_does_not_know_the_people_says_so(folders, capsys):
    said = "subjects are not known: photographs of one person may train and judge the model too"
    assert launch.main(flags(folders)) == STOPPED
    assert said not in capsys.readouterr().out
    more = ["--config.data.subject=", f"--workdir={folders}/nobody"]
    assert launch.main([*flags(folders), *more]) == STOPPED
    assert said in capsys.readouterr().out


@pytest.mark.situation(
    "Runs",
    "two commands that begin in one new directory at the same moment",
    "one trains; the other is refused, and writes nothing there",
)
@pytest.mark.parametrize("begun_before", [False, True], ids=["new", "without a checkpoint"])
def test_a_start_that_another_overtakes_writes_nothing(folders, monkeypatch, capsys, begun_before):
    """Both wrote ``config.json``, each of another seed."""
    run, prepare = RunFolder(folders / "run"), hairjax.training.train._prepare
    if begun_before:
        assert launch.main(flags(folders)) == STOPPED
        shutil.rmtree(run.checkpoints)
    left = []

    def overtaken(config, folder):
        prepared = prepare(config, folder)
        monkeypatch.undo()
        assert launch.main(flags(folders)) == STOPPED
        left.append([run.config.read_bytes(), run.environment.read_bytes()])
        return prepared

    monkeypatch.setattr(hairjax.training.train, "_prepare", overtaken)
    assert launch.main([*flags(folders), *([] if begun_before else ["--config.seed=7"])]) == 1
    assert "another command has trained in" in capsys.readouterr().err
    assert left == [[run.config.read_bytes(), run.environment.read_bytes()]]


def test_a_start_waits_for_none_that_is_just_beginning(folders, capsys):
    """It holds the lock, and ``config.json`` is not there yet."""
    with exclusive_lock(RunFolder(folders / "run").environment):
        assert launch.main(flags(folders)) == 1
    assert f"error: another command trains in {folders}/run now" in capsys.readouterr().err
    assert not (folders / "run" / "config.json").exists()


@pytest.mark.situation(
    "Runs",
    "a disk too full for the first small files of a run, or a kill while these are written",
    "the same command starts over",
)
def test_what_could_not_be_begun_is_begun_by_the_same_command(folders, capsys):
    with small_disk(folders / "disk", 12_000) as enlarge:
        command = [*flags(folders), f"--workdir={folders}/disk/run"]
        assert launch.main(command) == 1
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        assert message.endswith(
            "free); nothing was saved before: make room, and the same command starts over\n"
        )
        assert [file.name for file in (folders / "disk" / "run").iterdir()]
        enlarge(20_000_000)
        assert launch.main(command) == STOPPED
        assert RunFolder(folders / "disk" / "run").read_classes()


@pytest.mark.parametrize("spelling", ["apart", "merge", "refuse"])
def test_a_run_goes_on_with_the_names_that_it_began_with(tmp_path, monkeypatch, spelling):
    """As one of before, which took every spelling for another person."""
    config = read_configuration(parse("train", flags(tmp_path)))
    config.data.spelling = spelling
    # One of before knew the columns of a manifest by their names alone, and so the masks.
    config.data.columns = "exact" if spelling == "apart" else ""
    config.data.mask_name = "{name}" if spelling == "apart" else ""
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.write_json(run.classes, ["level_0", "level_1"])
    run.write_config(config)
    asked = []

    def find_data(source, classes):
        names = source.manifest.columns, source.views[0].mask_rule.name
        asked.append((source.spelling, *names, classes))
        raise StoppedError

    monkeypatch.setattr(hairjax.training.train, "find_data", find_data)
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    assert launch.main(flags(tmp_path)) == STOPPED
    names = config.data.columns, config.data.mask_name
    assert asked == [(spelling, *names, ("level_0", "level_1"))]
