"""The command line as a person uses it who makes mistakes."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import pytest

import launch
from configs import top
from hairjax.config import flatten, to_plain
from hairjax.loop import DivergedError, StoppedError

ROOT = Path(__file__).parents[1]
TOP = f"--config={ROOT}/configs/top.py"
DEMO = f"{TOP}:demo"
PHOTOS = f"{TOP} --config.data.photos=photos --config.data.masks=masks"
MINI = "swin_mini_patch4_window4_64"
FROM_SCRATCH = f"{PHOTOS} --config.weights.source=none"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders as they should be (photographs are not opened here) and as they should not."""
    root = tmp_path_factory.mktemp("folders")
    for name in ("a.jpg", "b.jpg"):
        for level in ("level_0", "level_1"):
            for file in (root / "photos" / level / name, root / "masks" / level / name):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
    for folder in ("empty", "hole/level_0", "hole/level_1", "single/level_0"):
        (root / folder).mkdir(parents=True)
    for file in ("hole/level_0/a.jpg", "single/level_0/a.jpg", "a.jpg", "weights.h5"):
        (root / file).touch()
    (root / "taken").mkdir()
    (root / "taken" / "thesis.tex").touch()
    (root / "labels.csv").write_text("photo,label\n")
    (root / "my.py").write_text("from configs import top\nget_config = top.get_config\n")
    (root / "old.py").write_text(
        "from configs import top\n"
        "def get_config():\n"
        "    config = top.get_config('demo')\n"
        "    del config.optim.clip\n"
        "    return config\n"
    )
    (root / "broken.py").write_text("def get_config(:\n")
    (root / "broken.json").write_text('{"seed": ')
    run = root / "run"
    run.mkdir()
    (run / "config.json").write_text(json.dumps(to_plain(top.get_config("demo"))))
    plain = to_plain(top.get_config("demo"))
    del plain["optim"]["ema"], plain["log"]
    (root / "earlier" / "checkpoints").mkdir(parents=True)
    (root / "earlier" / "config.json").write_text(json.dumps(plain))
    return root


@pytest.fixture
def nothing_slow(monkeypatch):
    """Whoever decodes or draws photographs, makes weights or restores a run was not stopped."""

    def too_late(*args, **kwargs):
        raise AssertionError("the mistake should have been noticed before")

    slow = ("train.load_data", "train.pretrained_model", "evaluate.load_data", "show.load_data")
    for name in slow:
        monkeypatch.setattr(f"hairjax.{name}", too_late)


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """What would be trained, and where: a list of (configuration, workdir)."""
    calls = []
    monkeypatch.setattr("hairjax.train.train", lambda *args: calls.append(args[:2]))
    monkeypatch.chdir(tmp_path)
    return calls


def refusal(command, capsys):
    """The message with which a command is refused."""
    before = set(Path().rglob("*"))
    status = launch.main(shlex.split(command))
    message = capsys.readouterr().err
    assert status == 1, message
    assert set(Path().rglob("*")) == before, "something was written"
    assert message.startswith("error: ")
    assert message.endswith("\n")
    return message.removeprefix("error: ").removesuffix("\n")


MISTAKES = [
    # Verbs and flags.
    ("trian", ["no verb 'trian'", "did you mean train?"]),
    ("sweep --workdir=x", ["no verb 'sweep'", "the known ones are train, "]),
    ("configs/top.py:demo", ["no verb", "did you mean --config=configs/top.py:demo?"]),
    ("train", ["train needs --config", "configs/top.py:demo"]),
    ("--workdir=x", ["train needs --config"]),
    ("--config=", ["train needs --config"]),
    ("--config", ["--config has no value", "--config=VALUE"]),
    ("--config --workdir=x", ["--config has no value"]),
    (f"{DEMO} --workdir", ["--workdir has no value"]),
    ("--confg=x", ["unknown flag --confg", "did you mean --config?"]),
    (f"{DEMO} --wrkdir=x", ["unknown flag --wrkdir", "did you mean --workdir?"]),
    (f"{DEMO} --batch_size=8", ["--batch_size", "did you mean --config.train.batch_size?"]),
    (f"{DEMO} --nonsense", ["unknown flag --nonsense", "--config, --workdir and --config.KEY"]),
    (f"{DEMO} --flagfile=x", ["unknown flag --flagfile"]),
    (f"{DEMO} ---config.seed=3", ["unknown flag ---config.seed", "did you mean --config.seed?"]),
    (f"{DEMO} config.seed=3", ["unexpected argument 'config.seed=3'", "--config.seed?"]),
    (f"{DEMO} --config.seed 3 4", ["unexpected argument '4'"]),
    (f"{DEMO} --config.model.remat false", ["unexpected argument 'false'"]),
    (f"{DEMO} --", ["unknown flag --;"]),
    # Keys.
    (f"{DEMO} --config.modle.name=x", ["config.modle.name", "did you mean config.model.name?"]),
    (f"{DEMO} --config.name=x", ["config.name", "did you mean config.model.name?"]),
    (f"{DEMO} --config.Seed=3", ["config.Seed", "did you mean config.seed?"]),
    (f"{DEMO} --config.model=3", ["config.model is a section", "config.model.name"]),
    (f"{DEMO} --config.model", ["config.model is a section"]),
    (f"{DEMO} --config.optim.peak=3", ["is a section", "config.optim.peak.late"]),
    (f"{DEMO} --config.model.size=3", ["unknown key config.model.size", "config.model.name"]),
    (f"{DEMO} --config.nonsense=3", ["unknown key config.nonsense", "model, optim", "top.py"]),
    (f"{DEMO} --config.=3", ["unknown key config.;"]),
    # Values that are not of the type.
    (f"{DEMO} --config.seed", ["--config.seed has no value"]),
    (f"{DEMO} --config.seed=", ["config.seed cannot be ''", "a whole number"]),
    (f"{DEMO} --config.seed=x", ["config.seed cannot be 'x'", "a whole number"]),
    (f"{DEMO} --config.seed=1.5", ["config.seed cannot be '1.5'", "a whole number"]),
    (f"{DEMO} --config.seed=1e3", ["config.seed cannot be '1e3'", "a whole number"]),
    (f"{DEMO} --config.seed=true", ["config.seed cannot be 'true'", "a whole number"]),
    (f"{DEMO} --config.seed==3", ["config.seed cannot be '=3'"]),
    (f"{DEMO} --config.model.dropout=", ["config.model.dropout cannot be ''", "number"]),
    (f"{DEMO} --config.model.dropout=0,5", ["config.model.dropout cannot be '0,5'", "number"]),
    (f"{DEMO} --config.model.dropout=true", ["cannot be 'true'", "number"]),
    (f"{DEMO} --config.model.dropout=nan", ["config.model.dropout is nan", "finite"]),
    (f"{DEMO} --config.optim.clip=inf", ["config.optim.clip is inf", "finite"]),
    (f"{DEMO} --config.model.remat=maybe", ["config.model.remat cannot be 'maybe'", "true or"]),
    (f"{DEMO} --config.model.remat=", ["config.model.remat cannot be ''", "true or false"]),
    (f"{DEMO} --config.model.hidden=abc", ["config.model.hidden is ('abc',)", "256,128"]),
    (f"{DEMO} --config.model.hidden=True", ["config.model.hidden is (True,)", "256,128"]),
    (f"{DEMO} --config.model.hidden=1,,2", ["config.model.hidden", "256,128"]),
    (f"{DEMO} --config.data.fractions=", ["config.data.fractions is", "0.8,0.1,0.1"]),
    (f"{DEMO} --config.data.fractions=a,b,c", ["config.data.fractions is", "0.8,0.1,0.1"]),
    # Values that are not allowed.
    (f"{DEMO} --config.seed=-1", ["config.seed is -1", "between 0 and"]),
    (f"{DEMO} --config.seed -1", ["config.seed is -1", "between 0 and"]),
    (f"--config.seed=-1 {DEMO}", ["config.seed is -1", "between 0 and"]),
    (f"{DEMO} --config.optim.peak.late=-1", ["config.optim.peak.late is -1.0", "at least 0"]),
    (f"{DEMO} --config.model.dropout=1.5", ["config.model.dropout is 1.5", "between 0 and 0.99"]),
    (f"{DEMO} --config.data.image_size=-4", ["config.data.image_size is -4", "between 0 and"]),
    (f"{DEMO} --config.train.batch_size=0", ["config.train.batch_size is 0", "at least 1"]),
    (f"{DEMO} --config.model.name swin", ["config.model.name is 'swin'", "swin_tiny_patch4"]),
    (f"{DEMO} --config.model.in_channels=4", ["config.model.in_channels is 4", "3, 6"]),
    (f"{DEMO} --config.data.view=", ["config.data.view is ''", "top, side"]),
    (f"{DEMO} --config.data.source=tfds", ["config.data.source is 'tfds'", "photos, synthetic"]),
    (f"{DEMO} --config.weights.stem=x", ["config.weights.stem is 'x'", "copy, zero"]),
    (f"{DEMO} --config.keep.best_by=acc", ["config.keep.best_by is 'acc'", "quadratic_kappa"]),
    (f"{DEMO} --config.model.hidden=-3", ["config.model.hidden is (-3,)", "positive whole"]),
    (f"{DEMO} --config.model.hidden=2.5", ["config.model.hidden is (2.5,)", "positive whole"]),
    (f"{DEMO} --config.data.fractions=0.6,0.2", ["config.data.fractions is (0.6, 0.2)"]),
    (f"{DEMO} --config.data.fractions=0.6,0.2,0.3", ["0.6, 0.2, 0.3", "add up to 1"]),
    (f"{DEMO} --config.data.fractions=1,-0.1,0.1", ["(1, -0.1, 0.1)", "add up to 1"]),
    (f"{DEMO} --config.data.fractions=1,0,0", ["(1, 0, 0)", "only the last may be 0"]),
    # Values that do not go together.
    (
        f"{DEMO} --config.train.epochs=1",
        ["config.optim.warmup_epochs is 2", "config.train.epochs=1", "or be 0"],
    ),
    (
        f"{DEMO} --config.optim.accumulate=5",
        ["config.train.batch_size=32", "config.optim.accumulate=5", "1, 2, 4, 8, 16, 32"],
    ),
    (
        f"{DEMO} --config.optim.peak.early=0 --config.optim.peak.middle=0 "
        "--config.optim.peak.late=0",
        ["every config.optim.peak is 0"],
    ),
    (
        f"{PHOTOS} --config.weights.stem=zero --config.optim.peak.early=0",
        ["config.weights.stem=zero", "config.optim.peak.early=0", "copy or mean"],
    ),
    (
        f"{PHOTOS} --config.weights.stem=zero --config.optim.finetune=last:1",
        ["config.weights.stem=zero", "config.optim.finetune=last:1 freezes it", "copy or mean"],
    ),
    (
        f"{DEMO} --config.optim.finetune=head:1,stages.3:2",
        ["'head:1,stages.3:2'", "gradual", "stages.2, head, early"],
    ),
    (f"{DEMO} --config.optim.finetune=gradual --config.optim.gradual=0", ["gradual is (0,)"]),
    (
        f"{PHOTOS} --config.model.name=swin_base_patch4_window7_224 "
        "--config.weights.source=hf://timm/swin_tiny_patch4_window7_224.ms_in22k",
        ["holds the weights of a swin_tiny", "config.model.name=swin_base_patch4_window7_224"],
    ),
    (
        f"{DEMO} --config.data.photos=photos",
        ["config.data.photos is 'photos'", "config.data.source=photos"],
    ),
    (f"{DEMO} --config.data.stored_size=3", ["3 pixels", "32 to 1024", "config.data.stored_size"]),
    (f"{DEMO} --config.data.image_size=1000", ["1143 pixels", "config.data.image_size"]),
    # What the computer or the model cannot do.
    (f"{DEMO} --config.devices.mesh=64", ["config.devices.mesh is 64", "there are 8 devices"]),
    (
        f"{DEMO} --config.train.batch_size=12 --config.devices.mesh=8",
        ["config.train.batch_size=12", "8 devices", "multiple of"],
    ),
    (f"{DEMO} --config.data.image_size=66", ["multiples of 4", "66"]),
    (f"{FROM_SCRATCH} --config.data.image_size=225", ["multiples of 4", "225"]),
    # Configurations.
    ("--config=nothere.py", ["no configuration file 'nothere.py'", ".py file"]),
    ("--config=mi.py", ["no configuration file 'mi.py'", "did you mean my.py?"]),
    ("--config=photos", ["no configuration file 'photos'"]),
    ("--config=run", ["no configuration file 'run'", "did you mean run/config.json?"]),
    ("--config=labels.csv", [".py or .json file", "labels.csv"]),
    ("--config=old.py", ["lacks", "config.optim.clip=1.0"]),
    ("--config=old.py --config.optim.clip=3", ["lacks", "config.optim.clip=1.0"]),
    ("--config=broken.py", ["broken.py", "SyntaxError", "line 1"]),
    ("--config=broken.json", ["broken.json is not JSON"]),
    ("--config=run/config.json:demo", ["run/config.json has no variants such as 'demo'"]),
    (f"{TOP}:demmo", ["top.py: there is no variant 'demmo'", "demo"]),
    ("--config=my.py:demmo", ["my.py: there is no variant 'demmo'", "demo"]),
    # Photographs, masks, splits.
    (TOP, ["where are the photographs?", "--config.data.photos=FOLDER", "top.py:demo"]),
    (f"{TOP} --config.data.photos=photos", ["--config.data.masks", "in_channels=3"]),
    (f"{TOP} --config.data.photos=fotos", ["config.data.photos: there is no folder 'fotos'"]),
    (f"{TOP} --config.data.photos=a.jpg", ["config.data.photos: there is no folder 'a.jpg'"]),
    (f"{PHOTOS} --config.data.masks=msks", ["config.data.masks: there is no folder 'msks'"]),
    (f"{PHOTOS} --config.data.masks=empty", ["no photograph has a mask below 'empty'"]),
    (f"{PHOTOS} --config.data.photos=empty", ["'empty' holds no folders", "level_0"]),
    (f"{PHOTOS} --config.data.photos=hole", ["'hole/level_1' holds no photograph"]),
    (f"{PHOTOS} --config.data.photos=single", ["'single' holds 1 class", "at least two"]),
    (f"{PHOTOS} --config.data.manifest=x.csv", ["config.data.manifest: there is no file 'x.csv'"]),
    (f"{PHOTOS} --config.data.manifest=labels.csv", ["'labels.csv' lacks file"]),
    (f"{PHOTOS} '--config.data.subject=('", ["config.data.subject '('", "regular expression"]),
    (f"{PHOTOS} --config.data.split=x.csv", ["config.data.split: there is no file 'x.csv'"]),
    (f"{DEMO} --config.data.split=x.csv", ["config.data.split: there is no file 'x.csv'"]),
    # Weights.
    (f"{PHOTOS} --config.weights.source=", ["config.weights.source is ''", "hf://owner/name"]),
    (f"{PHOTOS} --config.weights.source=hf://x", ["is 'hf://x'", "hf://owner/name, or none"]),
    (f"{PHOTOS} --config.weights.source=x.npz", ["x.npz", "--config.weights.source=none"]),
    (f"{PHOTOS} --config.weights.source=weights.h5", ["weights.h5", "'.h5'", ".safetensors"]),
    (f"{PHOTOS} --config.weights.source=empty", ["the folder empty", "found: none"]),
    # The run's directory.
    (f"{DEMO} --workdir=a.jpg", ["a.jpg is a file", "give another --workdir"]),
    (f"{DEMO} --workdir=a.jpg/run", ["a.jpg is a file", "give another --workdir"]),
    (f"{DEMO} --workdir=taken", ["--workdir=taken is neither empty nor a run"]),
    # A run of an earlier hairjax, which had fewer keys.
    *(
        (command, ["earlier/config.json: ", "config.log.tensorboard=False, config.optim.ema=0.0"])
        for command in (
            f"{DEMO} --workdir=earlier",
            f"{DEMO} --config.weights.source=earlier",
            "evaluate --workdir=earlier",
            "predict --workdir=earlier photos --masks=masks",
            f"convert --weights=earlier --model={MINI} --out=out.safetensors",
        )
    ),
    # Pictures before training.
    ("show", ["show needs --config", "configs/top.py:demo"]),
    (f"show {DEMO} --workdir=x", ["unknown flag --workdir", "--config, --out and --config.KEY"]),
    (f"show {DEMO} --out=a.jpg", ["a.jpg is a file", "give another --out"]),
    (f"show {DEMO} --config.seed=-1", ["config.seed is -1", "between 0 and"]),
    (f"show {DEMO} --config.data.image_size=66", ["multiples of 4", "66"]),
    (f"show {TOP}", ["where are the photographs?", "top.py:demo"]),
    # Cross-validation.
    ("folds", ["folds needs --config"]),
    (f"folds {DEMO}", ["folds needs how many", "--config.data.folds=5"]),
    (f"folds {DEMO} --config.data.folds=2", ["config.data.folds=2", "3 folds or more"]),
    (f"folds {DEMO} --config.data.folds=5 --workdir=run", ["--workdir=run is a run"]),
    (f"folds {DEMO} --config.data.folds=5 --workdir=a.jpg", ["a.jpg is a file"]),
    (
        f"folds {DEMO} --config.data.folds=5 --config.devices.processes=2 "
        "--config.devices.process=0 --config.devices.coordinator=localhost:7733",
        ["folds trains in one process", "--config.data.fold=0 --workdir=DIR/fold_0"],
    ),
    (f"{PHOTOS} --config.data.on_leak=ignore", ["config.data.on_leak", "refuse, allow"]),
    # A set looked through.
    ("check", ["check needs --photos"]),
    ("check photos", ["unexpected argument 'photos'"]),
    ("check --photos=fotos", ["--photos: there is no folder 'fotos'"]),
    ("check --photos=photos --masks=msks", ["--masks: there is no folder 'msks'"]),
    ("check --photos=photos --manifest=x.csv", ["--manifest: there is no file 'x.csv'"]),
    ("check --photos=photos --split=x.csv", ["--split: there is no file 'x.csv'"]),
    ("check --photos=photos --config=x.py", ["unknown flag --config", "--photos, --masks"]),
    ("check --photos=photos --out=a.jpg", ["a.jpg is a file", "give another --out"]),
    # Evaluation.
    ("evaluate", ["evaluate needs --workdir"]),
    ("evaluate run", ["unexpected argument 'run'"]),
    ("evaluate --workdir=nothere", ["no run at nothere"]),
    ("evaluate --workdir=taken", ["no run at taken"]),
    ("evaluate --workdir=a.jpg", ["no run at a.jpg"]),
    ("evaluate --workdir=~nobody_here/run", ["a path begins with ~"]),
    (f"{DEMO} --workdir=~nobody_here/run", ["a path begins with ~"]),
    ("evaluate --worddir=run", ["unknown flag --worddir", "did you mean --workdir?"]),
    ("evaluate --workdir=run --config.seed=3", ["unknown flag --config.seed", "--split"]),
    ("evaluate --workdir=run --split=tst", ["--split is 'tst'", "validation, test, train"]),
    ("evaluate --workdir=run --split=all", ["--split is 'all'", "give --photos"]),
    ("evaluate --workdir=run --photos=photos --split=test", ["--split is 'test'", "can be all"]),
    ("evaluate --workdir=run --photos=fotos", ["--photos: there is no folder 'fotos'"]),
    ("evaluate --workdir=run --masks=msks", ["--masks: there is no folder 'msks'"]),
    ("evaluate --workdir=run --manifest=labels.csv", ["--manifest needs --photos"]),
    (
        "evaluate --workdir=run --photos=photos --manifest=x.csv",
        ["--manifest: there is no file 'x.csv'"],
    ),
    ("evaluate --workdir=run --out=a.jpg", ["a.jpg is a file", "give another --out"]),
    # Explanations.
    ("explain", ["explain needs --workdir"]),
    ("explain --workdir=nothere", ["no run at nothere"]),
    ("explain --workdir=run --split=tst", ["--split is 'tst'", "validation, test, train"]),
    ("explain --workdir=run --photos=photos --split=train", ["'train'", "can be all"]),
    ("explain --workdir=run --count=0", ["--count is 0", "at least 1"]),
    ("explain --workdir=run --count=few", ["--count is 'few'", "a whole number"]),
    ("explain --workdir=run --stage=last", ["--stage is 'last'", "a whole number"]),
    ("explain --workdir=run --masks=msks", ["--masks: there is no folder 'msks'"]),
    ("explain --workdir=run --manifest=labels.csv", ["--manifest needs --photos"]),
    ("explain --workdir=run --mask=3", ["unknown flag --mask", "did you mean --masks?"]),
]


@pytest.mark.usefixtures("nothing_slow")
@pytest.mark.parametrize(("command", "fragments"), MISTAKES)
def test_a_mistake_ends_in_one_sentence(command, fragments, folders, monkeypatch, capsys):
    monkeypatch.chdir(folders)
    message = refusal(command, capsys)
    for fragment in fragments:
        assert fragment in message
    assert "\n" not in message


def test_a_path_is_looked_for_where_the_person_is(folders, monkeypatch, capsys):
    monkeypatch.chdir(folders)
    assert f"file 'nothere.py' in {folders};" in refusal("--config=nothere.py", capsys)
    photos = f"{TOP} --config.data.photos="
    assert refusal(f"{photos}fotos", capsys).endswith(f"no folder 'fotos' in {folders}")
    assert refusal(f"{photos}/nowhere", capsys).endswith("no folder '/nowhere'")


@pytest.mark.usefixtures("nothing_slow")
def test_another_configuration_than_the_workdirs(folders, monkeypatch, capsys):
    monkeypatch.chdir(folders)
    message = refusal(f"{DEMO} --workdir=run --config.seed=4 --config.model.hidden=16,", capsys)
    first, *changes = message.splitlines()
    assert "run holds a run of another configuration; give another --workdir" in first
    assert changes == ["  config.model.hidden: () → (16,)", "  config.seed: 0 → 4"]


@pytest.mark.usefixtures("nothing_slow")
def test_an_unreachable_hub(folders, monkeypatch, capsys):
    def no_route(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", no_route)
    monkeypatch.chdir(folders)
    message = refusal(PHOTOS, capsys)
    for fragment in (
        "https://huggingface.co/timm/swin_tiny_patch4_window7_224.ms_in22k/resolve/main/"
        "model.safetensors",
        "--config.weights.source=FILE",
        "--config.weights.source=none",
        "configs/top.py:demo",
    ):
        assert fragment in message


def test_a_batch_larger_than_the_training_set(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = "--config.data.count=40 --config.data.image_size=32 --config.train.batch_size=64"
    message = refusal(f"{DEMO} {small}", capsys)
    assert re.search("config.train.batch_size is 64, but only [1-3][0-9] photographs", message)


def test_a_folder_that_cannot_be_written_to(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "locked")
    (tmp_path / "locked").mkdir()
    assert "locked cannot be written to" in refusal(f"{DEMO} --workdir=locked/a/b", capsys)
    assert not trained
    assert launch.main([DEMO, "--workdir=open/a/b"]) == 0


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DivergedError("the loss of step 3 is nan"), 1, "error: the loss of step 3 is nan\n"),
        (StoppedError("stopped after step 3"), 143, "stopped after step 3\n"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C\n"),
        (OSError(28, "No space left on device", "x"), 1, "error: [Errno 28] No space left on "),
        (MemoryError("Unable to allocate 4 TiB"), 1, "error: Unable to allocate 4 TiB\n"),
    ],
)
def test_how_a_run_may_end(error, status, message, tmp_path, monkeypatch, capsys):
    def train(*args):
        raise error

    monkeypatch.setattr("hairjax.train.train", train)
    monkeypatch.chdir(tmp_path)
    assert launch.main([DEMO]) == status
    assert capsys.readouterr().err.startswith(message)


def test_a_mistake_of_the_program_is_not_hidden(tmp_path, monkeypatch):
    def train(*args):
        raise ValueError("shapes (3,) (4,) could not be aligned")

    monkeypatch.setattr("hairjax.train.train", train)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="aligned"):
        launch.main([DEMO])


@pytest.mark.parametrize(
    ("command", "workdir"),
    [
        (DEMO, "runs/top-demo"),
        (f"train {DEMO}", "runs/top-demo"),
        (DEMO.replace("=", " "), "runs/top-demo"),
        (f"--config.seed=0 {DEMO}", "runs/top-demo"),
        (f"-config {ROOT}/configs/top.py:demo", "runs/top-demo"),
        (f"{DEMO} --workdir=here", "here"),
        (f"{DEMO} --workdir here", "here"),
        (f"{DEMO} --workdir=~/there", "~/there"),
        (f"--config={ROOT}/configs/side.py:demo --config.data.view=top", "runs/side-demo"),
        ("--config=elsewhere/my.py:demo", "runs/my-demo"),
        ("--config=first/config.json", "runs/first-again"),
    ],
)
def test_commands_that_train_the_demo(command, workdir, trained):
    Path("elsewhere").mkdir()
    Path("elsewhere/my.py").write_text("from configs import top\nget_config = top.get_config\n")
    Path("first").mkdir()
    Path("first/config.json").write_text(json.dumps(to_plain(top.get_config("demo"))))
    assert launch.main(shlex.split(command)) == 0
    [(config, where)] = trained
    assert where == Path(workdir).expanduser()
    assert list(flatten(config)) == list(flatten(top.get_config("demo")))


def test_a_runs_configuration_with_overrides(trained):
    Path("config.json").write_text(json.dumps(to_plain(top.get_config("demo"))))
    flags = "--config.model.hidden=64,32 --config.data.fractions=0.6,0.2,0.2 --config.seed=7"
    assert launch.main(shlex.split(f"--config=config.json {flags}")) == 0
    [(config, _)] = trained
    assert config.model.hidden == (64, 32)
    assert config.data.fractions == (0.6, 0.2, 0.2)
    assert config.seed == 7


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"], ["evaluate", "--help"]])
def test_help(arguments, capsys):
    assert launch.main(arguments) == 0
    assert capsys.readouterr().out == launch.HELP


def test_help_is_right(folders, trained, monkeypatch, capsys):
    """Its examples are understood, and it has every flag of every verb."""
    evaluated, converted, shown, predicted, compared, checked, divided = ([] for _ in range(7))
    reported, mixed, cooked, probed, swept, explained = ([] for _ in range(6))
    monkeypatch.setattr(
        "hairjax.ensemble.ensemble_runs", lambda *given, **named: mixed.append((given, named))
    )
    monkeypatch.setattr("hairjax.soup.make_soup", lambda *given, **named: cooked.append(named))
    monkeypatch.setattr("hairjax.probe.probe_run", lambda run, **named: probed.append(named))
    monkeypatch.setattr(
        "hairjax.probe.probe_configuration", lambda config, **named: probed.append(named)
    )
    monkeypatch.setattr("hairjax.explain.explain_run", lambda **given: explained.append(given))
    monkeypatch.setattr("hairjax.report_run.report_run", lambda folder: reported.append(folder))
    monkeypatch.setattr("hairjax.folds.cross_validate", lambda *given: divided.append(given[:2]))
    monkeypatch.setattr("hairjax.examine.examine", lambda *given: checked.append(given[:2]))
    monkeypatch.setattr("hairjax.show.show", lambda *given: shown.append(given[:2]))
    monkeypatch.setattr("hairjax.rates.find_rates", lambda *given: swept.append(given[:2]))
    monkeypatch.setattr(
        "hairjax.weights.convert.convert", lambda *given: converted.append(given) or {}
    )
    monkeypatch.setattr("hairjax.evaluate.evaluate_run", lambda **given: evaluated.append(given))
    monkeypatch.setattr(
        "hairjax.predict.predict_files", lambda *given, **named: predicted.append((given, named))
    )
    monkeypatch.setattr(
        "hairjax.compare.compare_runs", lambda *given, **named: compared.append((given, named))
    )
    for name in ("photos", "masks"):
        (Path.cwd() / name.upper()).symlink_to(folders / name)
    (Path.cwd() / "configs").symlink_to(ROOT / "configs")
    Path("labels.csv").touch()
    Path("runs/top").mkdir(parents=True)
    Path("runs/top/split.csv").touch()
    Path("runs/top/config.json").write_text(json.dumps(to_plain(top.get_config("demo"))))

    commands = re.findall(r"^  python launch.py (.*[^\]\n])$", launch.HELP, re.MULTILINE)
    assert len(commands) == 19  # among them report's usage, which has nothing that may be left out
    (
        _,
        of_train,
        of_check,
        of_show,
        of_rates,
        of_evaluate,
        of_report,
        of_folds,
        of_predict,
        of_compare,
        of_ensemble,
        of_soup,
        of_probe,
        of_explain,
        of_convert,
    ) = re.split(
        r"^train |^check|^show|^rates|^evaluate|^report|^folds|^predict|^compare"
        r"|^ensemble|^soup|^probe|^explain|^convert",
        launch.HELP,
        flags=re.MULTILINE,
    )
    for flag in re.findall(r"^  (--\S+)", of_train, re.MULTILINE):
        commands.append(f"--config=configs/top.py:demo {flag}")
    flags_of_check = re.findall(r"^  (--\S+)", of_check, re.MULTILINE)
    for flag in flags_of_check:
        commands.append(f"check --photos=PHOTOS {flag}")
    for flag in re.findall(r"^  (--\S+)", of_rates, re.MULTILINE):
        commands.append(f"rates --config=configs/top.py:demo {flag}")
    for flag in re.findall(r"^  (--\S+)", of_show, re.MULTILINE):
        commands.append(f"show --config=configs/top.py:demo {flag}")
    for flag in re.findall(r"^  (--\S+)", of_evaluate, re.MULTILINE):
        photos = "--photos=PHOTOS" if flag.startswith(("--masks", "--manifest")) else ""
        commands.append(f"evaluate --workdir=runs/top {photos} {flag}")
    for flag in re.findall(r"^  (--\S+)", of_report, re.MULTILINE):
        commands.append(f"report {flag}")
    for flag in re.findall(r"^  (--\S+)", of_folds, re.MULTILINE):
        commands.append(f"folds --config=configs/top.py:demo --config.data.folds=5 {flag}")
    for flag in re.findall(r"^  (--\S+)", of_predict, re.MULTILINE):
        commands.append(f"predict --workdir=runs/top photo.jpg {flag}")
    for flag in re.findall(r"^  (--\S+)", of_compare, re.MULTILINE):
        commands.append(f"compare runs/top runs/rgb {flag}")
    for verb, text in (
        ("ensemble runs/top runs/rgb", of_ensemble),
        ("soup runs/top runs/rgb", of_soup),
        ("probe runs/top", of_probe),
    ):
        for flag in re.findall(r"^  (--\S+)", text, re.MULTILINE):
            commands.append(f"{verb} {flag}")
    for flag in re.findall(r"^  (--\S+)", of_explain, re.MULTILINE):
        photos = "--photos=PHOTOS" if flag.startswith("--manifest") else ""
        commands.append(f"explain --workdir=runs/top {photos} {flag}")
    flags_of_convert = re.findall(r"^  (--\S+)", of_convert, re.MULTILINE)
    for flag in flags_of_convert:
        commands.append(f"convert --weights=SOURCE --model=NAME --out=FILE.safetensors {flag}")
    for command in commands:
        assert launch.main(shlex.split(command)) == 0, capsys.readouterr().err
    assert len(trained) == 2 + 4
    assert len(checked) == 1 + len(flags_of_check) == 1 + 6
    assert {str(out) for _, out in checked} == {"runs/check-PHOTOS", "checked"}
    given = [config.data for config, _ in checked]
    assert {data.split for data in given} == {"", "runs/top/split.csv"}
    assert {data.subject for data in given} == {"", "/([a-z]+)_"}
    assert [str(out) for _, out in shown] == [*["runs/top-demo-show"] * 2, "pictures"]
    assert [str(out) for _, out in swept] == [*["runs/top-demo-rates"] * 2, "rates"]
    assert [str(out) for _, out in divided] == [*["runs/top-demo-folds"] * 2, "runs/cv"]
    assert {config.data.folds for config, _ in divided} == {5}
    assert len(converted) == 1 + len(flags_of_convert) == 1 + 4
    assert [str(folder.path) for folder in reported] == ["DIR", "runs/top", "runs/top"]
    assert predicted[0] == (
        ("runs/top", ["new/", "other/anna.jpg"]),
        {"masks": "new_masks", "out": Path("predictions.csv"), "pictures": "", "display": ANY},
    )
    assert len(predicted) == 1 + 4
    assert compared[0] == (
        (["runs/top", "runs/rgb", "runs/again"], "test"),
        {"out": Path("runs/compare-top-rgb-again"), "thumbnails": True, "display": ANY},
    )
    assert len(compared) == 1 + 3
    assert mixed[1] == (
        (["runs/top", "runs/side"],),
        {
            "weights": "0.6,0.4",
            "by": "subject",
            "split": "validation",
            "out": Path("runs/ensemble-top-side"),
            "display": ANY,
        },
    )
    assert len(mixed) == 2 + 4
    assert [str(call["out"]) for call in cooked] == ["runs/soup-top-again", "mixed"]
    assert {str(call["out"]) for call in probed} == {
        "runs/probe-top",
        "runs/probe-top-demo",
        "probed",
    }
    assert {call["split"] for call in probed} == {"validation", "test"}
    assert explained[0] == {
        **dict.fromkeys(("photos", "masks", "manifest", "out"), ""),
        **{"workdir": "runs/top", "split": "validation", "count": 32, "stage": -1},
        "display": ANY,
    }
    assert len(explained) == 1 + 8
    given = {name for call in explained for name, value in call.items() if value}
    assert given == set(explained[0])
    given = {name for call in evaluated for name, value in call.items() if value}
    assert given == set(evaluated[0])


def run(arguments, **options):
    return subprocess.run(
        [sys.executable, ROOT / "launch.py", *arguments],
        env={**os.environ, "XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=nothere.py"], "no configuration file 'nothere.py'"),
        (["--config=my.py:demo", "--config.modle.name=x"], "did you mean config.model.name?"),
        (["--config=my.py:demo", "--config.data.image_size=66"], "multiples of 4"),
    ],
)
def test_as_a_program_from_another_folder(arguments, message, tmp_path):
    (tmp_path / "my.py").write_text("from configs import top\nget_config = top.get_config\n")
    ended = run(arguments, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["my.py"]


def test_a_mistyped_flag_is_answered_without_what_is_slow_to_start():
    code = (
        "import sys, launch; launch.main(['--config=x.py', '--confg=y']); "
        "print([m for m in ('jax', 'sklearn', 'matplotlib', 'orbax', 'scipy') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stderr == "error: unknown flag --confg; did you mean --config?\n"
    assert ended.stdout == "[]\n"
