"""The command line as a person uses it who makes mistakes."""

import os
import re
import shlex
from pathlib import Path

import pytest

import launch
from tests.cli.commands import DEMO, FROM_SCRATCH, MINI, PHOTOS, TOP


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
    ("top:demo", ["no verb 'top:demo'", "did you mean --config=top:demo?"]),
    ("train", ["train needs --config", "configs/top.py:demo"]),
    ("--workdir=x", ["train needs --config"]),
    ("--config=", ["train needs --config"]),
    ("--config", ["--config has no value", "--config=VALUE"]),
    ("--config --workdir=x", ["--config has no value"]),
    (f"{DEMO} --workdir", ["--workdir has no value"]),
    ("--confg=x", ["unknown flag --confg", "did you mean --config?"]),
    (f"{DEMO} --wrkdir=x", ["unknown flag --wrkdir", "did you mean --workdir?"]),
    (f"{DEMO} --batch_size=8", ["--batch_size", "did you mean --config.train.batch_size?"]),
    (
        f"{DEMO} --nonsense",
        ["unknown flag --nonsense", "--config, --workdir, --moved and --config.KEY"],
    ),
    (f"{DEMO} --flagfile=x", ["unknown flag --flagfile"]),
    (f"{DEMO} ---config.seed=3", ["unknown flag ---config.seed", "did you mean --config.seed?"]),
    (f"{DEMO} config.seed=3", ["unexpected argument 'config.seed=3'", "--config.seed?"]),
    (f"{DEMO} --config.seed 3 4", ["unexpected argument '4'"]),
    (f"{DEMO} --config.model.remat false", ["unexpected argument 'false'"]),
    (f"{DEMO} --", ["unknown flag --;"]),
    # Keys.
    (f"{DEMO} --config.modle.name=x", ["config.modle.name", "did you mean config.model.name?"]),
    (f"{DEMO} --config.name=x", ["config.name", "did you mean config.model.name?"]),
    (f"{DEMO} --config.optim.lr=1", ["config.optim.lr; the keys there", "config.optim.peak.late"]),
    (f"{DEMO} --config.Seed=3", ["config.Seed", "did you mean config.seed?"]),
    (f"{DEMO} --config.model=3", ["config.model is a section", "config.model.name"]),
    (f"{DEMO} --config.model", ["config.model is a section"]),
    (f"{DEMO} --config.optim.peak=3", ["is a section", "config.optim.peak.late"]),
    (f"{DEMO} --config.model.size=3", ["unknown key config.model.size", "config.model.name"]),
    (
        f"{DEMO} --config.nonsense=3",
        ["unknown key config.nonsense", "seed, model, weights, data", "top.py"],
    ),
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
        f"{DEMO} --config.train.batch_size=1 --config.augment.cutmix=1",
        ["config.augment.cutmix=1.0", "config.train.batch_size=1 has no other"],
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
        ["holds the weights of swin_tiny", "config.model.name=swin_base_patch4_window7_224"],
    ),
    (
        f"{DEMO} --config.model.name=efficientnet_b0 "
        "--config.weights.source=hf://timm/tf_efficientnet_b0.ns_jft_in1k",
        ["holds the weights of tf_efficientnet", "config.model.name=efficientnet_b0"],
    ),
    (
        f"{DEMO} --config.model.name=tf_efficientnet_b0 "
        "--config.weights.source=hf://timm/efficientnet_b0.ra_in1k",
        ["holds the weights of efficientnet", "config.model.name=tf_efficientnet_b0"],
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
    ("--config=photos", ["no configuration file 'photos'", "own: cifar10, side, tomato, top"]),
    ("--config=:demo", ["no configuration file"]),
    ("--config=configs/top.py:demo", ["no configuration file", "did you mean top:demo?"]),
    ("--config=topp", ["no configuration file 'topp'", "did you mean top?"]),
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
    (f"{FROM_SCRATCH} --config.weights.which=ema", ["weights.which is 'ema'", "source=none reads"]),
    (f"{PHOTOS} --config.weights.source=x.npz", ["x.npz", "--config.weights.source=none"]),
    (f"{PHOTOS} --config.weights.source=weights.h5", ["weights.h5 is empty", "download"]),
    (f"{PHOTOS} --config.weights.source=empty", ["the folder empty", "found: none"]),
    # The run's directory.
    (f"{DEMO} --workdir=a.jpg", ["a.jpg is a file", "give another --workdir"]),
    (f"{DEMO} --workdir=a.jpg/run", ["a.jpg is a file", "give another --workdir"]),
    (f"{DEMO} --workdir=taken", ["--workdir=taken is neither empty nor a run"]),
    # A run of a later hairjax, which has more keys.
    *(
        (command, ["later/config.json: ", "unknown key config.optim.sam"])
        for command in (
            f"{DEMO} --workdir=later",
            f"{DEMO} --config.weights.source=later",
            "evaluate --workdir=later",
            "predict --workdir=later photos --masks=masks",
            f"convert --weights=later --model={MINI} --out=out.safetensors",
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
    ("evaluate run", ["unexpected argument 'run'", "did you mean --workdir=run?"]),
    ("evaluate photos", ["unexpected argument 'photos'", "--photos?"]),
    ("evaluate --workdir=nothere", ["no run at nothere (no config.json)"]),
    ("evaluate --workdir=rn", ["no run at rn (no config.json); did you mean run?"]),
    ("report --workdir=.", ["no run at . (no config.json); the runs in it are later, run"]),
    ("predict --workdir=ruin photos", ["no run at ruin", "did you mean run?"]),
    ("evaluate --workdir=taken", ["no run at taken"]),
    ("evaluate --workdir=a.jpg", ["no run at a.jpg"]),
    ("evaluate --workdir=~nobody_here/run", ["is not known in --workdir=~nobody_here/run"]),
    (f"{DEMO} --workdir=~nobody_here/run", ["whose home is meant", "--workdir=~nobody_here/run"]),
    ("evaluate --worddir=run", ["unknown flag --worddir", "did you mean --workdir?"]),
    ("evaluate --workdir=run --config.seed=3", ["unknown flag --config.seed", "--split"]),
    ("evaluate --workdir=run --split=tst", ["--split is 'tst'", "validation, test, train"]),
    ("evaluate --workdir=run --split=all", ["--split is 'all'", "give --photos"]),
    (
        "evaluate --workdir=run --photos=photos --split=test",
        ["--split is 'test'", "leave --split out"],
    ),
    ("evaluate --workdir=run --photos=fotos", ["--photos: there is no folder 'fotos'"]),
    ("evaluate --workdir=run --masks=msks", ["--masks: there is no folder 'msks'"]),
    ("evaluate --workdir=run --manifest=labels.csv", ["--manifest needs --photos"]),
    (
        "evaluate --workdir=run --photos=photos --manifest=x.csv",
        ["--manifest: there is no file 'x.csv'"],
    ),
    ("evaluate --workdir=run --subject=/(s[0-9]+)_", ["--subject needs --photos", "split.csv"]),
    (
        "evaluate --workdir=run --photos=photos --subject=(",
        ["'(' is not a regular expression", "its first group is the subject"],
    ),
    ("evaluate --workdir=run --out=a.jpg", ["a.jpg is a file", "give another --out"]),
    # Runs given by position.
    ("predict --workdir=run", ["predict needs photographs or folders of them", "new/"]),
    ("predict photos", ["predict needs --workdir", "new/"]),
    ("predict --flips=maybe --workdir=run x", ["--flips is 'maybe'; it can be false or true"]),
    ("soup -- --moved", ["soup needs two different runs or more, not --moved"]),
    ("probe", ["probe needs one run, or --config, not nothing"]),
    ("probe run later", ["probe needs one run, or --config, not run, later"]),
    (f"probe {DEMO} run", ["probe needs one run, or --config", "demo, run"]),
    (f"probe {DEMO} --moved=/a=/b", ["--moved is of a run"]),
    ("probe run --config.seed=3", ["--config.seed=3 needs --config"]),
    ("compare run later --by=subject", ["unknown flag --by", "--split, --moved, --out"]),
    # Explanations.
    ("explain", ["explain needs --workdir"]),
    ("explain --workdir=nothere", ["no run at nothere"]),
    ("explain --workdir=run --split=tst", ["--split is 'tst'", "validation, test, train"]),
    ("explain --workdir=run --photos=photos --split=train", ["'train'", "leave --split out"]),
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
    said = refusal(f"{photos}fotos", capsys)
    assert said.endswith(f"no folder 'fotos' in {folders}; did you mean photos?")
    assert refusal(f"{photos}/nowhere", capsys).endswith("no folder '/nowhere'")
    home = str(Path.home() / "nowhere")
    assert refusal(f"{photos}~/nowhere", capsys).endswith(f"'~/nowhere', which is {home!r}")


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
