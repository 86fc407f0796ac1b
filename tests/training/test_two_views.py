"""Runs with two streams, through launch.py: frozen, kept, stopped, begun from one another."""

import contextlib
import io
import json

import jax
import numpy as np
import pytest
from flax import nnx

import hairjax
import launch
from hairjax.builders.model import find_model_weights, model_specification, pretrained_model
from hairjax.commands.convert import write
from hairjax.config.load import load_config
from hairjax.data.synthetic import synthesise
from hairjax.models import table as families
from hairjax.models.table import VARIANTS, Variant
from hairjax.runs.load import load_run
from hairjax.weights.paths import dotted
from tests.training.test_end_to_end import rows_of, write_folders

pytestmark = pytest.mark.usefixtures("blank_figures")

SIDE = 32
TINY = {
    "tiny_swin": Variant(
        SIDE, {"dim": 8, "depths": (1, 1), "heads": (1, 2), "window": 4}, families.SWIN
    ),
    "tiny_cnn": Variant(SIDE, {"width": 4, "depths": (1, 1)}, families.OWN),
}
OFF = {"rotation": 0, "flip": 0, "brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}


@pytest.fixture(scope="module", autouse=True)
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        for name, variant in TINY.items():
            patch.setitem(VARIANTS, name, variant)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("two")
    write_folders(synthesise("top", 80, 40, 0, 2, lambda done, total: None), root)
    return root


def train_flags(root, workdir, *more):
    return [
        "--config=configs/top.py:demo",
        f"--workdir={workdir}",
        "--config.data.source=photos",
        f"--config.data.photos={root}/photos",
        f"--config.data.masks={root}/masks",
        "--config.data.subject=/(s[0-9]+)_",
        "--config.data.fractions=0.6,0.3,0.1",
        f"--config.data.image_size={SIDE}",
        "--config.model.name=tiny_swin",
        "--config.model.second=tiny_cnn",
        "--config.model.second_sees=mask",
        "--config.train.epochs=2",
        "--config.train.batch_size=16",
        "--config.optim.warmup_epochs=0",
        "--config.devices.mesh=1",
        "--config.report.gallery=2",
        *more,
    ]


def train(root, workdir, *more):
    return launch.main(train_flags(root, workdir, *more))


@pytest.fixture(scope="module")
def joined(root):
    """A run whose streams are joined after a stage."""
    assert train(root, root / "joined", "--config.model.fuse_after=1") == 0
    return root / "joined"


@pytest.fixture(scope="module")
def files(root):
    """Weights of each stream, by the keys that name them."""
    found = {}
    for key, name, channels in (("source", "tiny_swin", 3), ("second", "tiny_cnn", 1)):
        model = hairjax.create_model(name, in_channels=channels, num_classes=2, seed=7)
        found[key] = root / f"{name}.safetensors"
        write(dotted(jax.device_get(nnx.to_pure_dict(nnx.state(model)))), {}, found[key])
    return found


@pytest.fixture
def unfinished(monkeypatch):
    """Without figures and report."""
    monkeypatch.setattr("hairjax.training.finish.finish_run", lambda *arguments: {})


def flat(params):
    return dotted(jax.device_get(params))


@pytest.mark.slow
def test_a_run_is_judged_reported_and_explained(root, joined, capsys):
    model = json.loads((joined / "config.json").read_text())["model"]
    assert (model["second"], model["second_sees"], model["fuse_after"]) == ("tiny_cnn", "mask", 1)
    ledger = (joined / "groups.txt").read_text()
    assert "stages.1.join.proj.kernel" in ledger and "stages.0.second." in ledger
    assert "stages.1.second." not in ledger
    page = (joined / "report.html").read_text()
    assert "tiny_swin + tiny_cnn" in page
    assert "RGB for the first model and the hair mask for the second" in page
    assert launch.main(["evaluate", f"--workdir={joined}", "--split=validation"]) == 0
    again = rows_of(joined / "validation" / "predictions.csv")
    assert again == rows_of(joined / "predictions.csv")
    out = f"--out={root}/graded.csv"
    photos = [f"{root}/photos", f"--masks={root}/masks"]
    assert launch.main(["predict", f"--workdir={joined}", *photos, out]) == 0
    assert len(rows_of(root / "graded.csv")) == 80
    capsys.readouterr()
    assert launch.main(["explain", f"--workdir={joined}", "--stage=0", "--count=2"]) == 0
    assert "tiny_swin + tiny_cnn" in capsys.readouterr().out


def pretrained(config, classes):
    """The graph and the parameters that training would begin with."""
    model = model_specification(config)
    return pretrained_model(model, classes, find_model_weights(model))


@pytest.mark.slow
def test_a_run_begins_where_another_with_two_streams_ended(joined):
    config = load_config(str(joined / "config.json"))
    config.weights.source = str(joined)
    _, params = pretrained(config, 4)
    theirs = flat(load_run(joined).params)
    for path, leaf in flat(params).items():
        np.testing.assert_array_equal(leaf, theirs[path], err_msg=path)
    # For other classes all but the classifier.
    _, params = pretrained(config, 3)
    differ = {path for path, leaf in flat(params).items() if not np.array_equal(leaf, theirs[path])}
    assert differ == {"head.classifier.kernel", "head.classifier.bias"}


@pytest.mark.slow
def test_frozen_streams_stay_to_the_bit_and_their_maps_are_kept(root, files, unfinished, capsys):
    off = [f"--config.augment.{key}={value}" for key, value in OFF.items()]
    weights = [f"--config.weights.{key}={file}" for key, file in files.items()]
    more = ["--config.optim.finetune=head", "--config.augment.crop_scale=1"]
    assert train(root, root / "frozen", *more, *off, *weights) == 0
    assert "their maps of" in capsys.readouterr().out
    run = load_run(root / "frozen")
    before = flat(pretrained(run.config, 4)[1])
    for path, leaf in flat(run.params).items():
        trained = path.startswith("head.")
        assert np.array_equal(leaf, before[path]) != trained, path


@pytest.mark.slow
def test_a_stream_takes_the_weights_of_a_run_with_one(root, files, unfinished):
    alone = ["--config.model.second=", "--config.model.second_sees=same"]
    alone += ["--config.model.in_channels=1", "--config.model.name=tiny_cnn"]
    assert train(root, root / "alone", *alone, "--config.train.epochs=1") == 0
    config = load_run(root / "alone").config
    theirs = flat(load_run(root / "alone").params)
    config.model.update(name="tiny_swin", second="tiny_cnn", second_sees="mask", in_channels=6)
    config.weights.update(source=str(files["source"]), second=str(root / "alone"))
    params = flat(pretrained(config, 4)[1])
    mine = {path.replace(".second", ""): p for path, p in params.items() if ".second." in path}
    assert mine.keys() == {path for path in theirs if not path.startswith("head.classifier")}
    for path, leaf in mine.items():
        np.testing.assert_array_equal(leaf, theirs[path], err_msg=path)


@pytest.mark.slow
def test_two_streams_are_not_written_as_one_file(root, joined, capsys):
    out = f"--out={root}/x.safetensors"
    assert launch.main(["convert", f"--weights={joined}", "--model=tiny_swin", out]) == 1
    assert "a model with two streams, which convert does not support" in capsys.readouterr().err


# --- two views


@pytest.fixture(scope="module")
def views(root):
    """SIDE of the same people beside TOP, of every third of whom there is none."""
    photos = synthesise("side", 80, 40, 0, 2, lambda done, total: None)
    kept = [i for i, subject in enumerate(photos.subjects) if int(subject[1:]) % 3]
    write_folders(photos.subset(kept), root / "side")
    return [
        "--config.model.second_sees=view",
        f"--config.data.second_photos={root}/side/photos",
        f"--config.data.second_masks={root}/side/masks",
    ]


def train_views(root, views, name, *more):
    whole = [*views, "--config.augment.drop_view=0.3", "--config.keep.best_by=loss", *more]
    assert train(root, root / name, *whole) == 0


@pytest.fixture(scope="module")
def said(root, views):
    """What a run on pairs says."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        train_views(root, views, "views")
    return said.getvalue()


@pytest.mark.slow
def test_a_run_on_two_views_of_which_one_may_be_missing(root, said, capsys):
    assert f"{root}/photos and {root}/side/photos, paired by subject" in said
    assert "the first view is missing in" in said
    rows = rows_of(root / "views" / "split.csv")
    lacking = [row for row in rows if row["file"].endswith(" + none")]
    assert lacking and all(int(row["subject"][1:]) % 3 == 0 for row in lacking)
    assert launch.main(["evaluate", f"--workdir={root}/views", "--split=validation"]) == 0
    again = rows_of(root / "views" / "validation" / "predictions.csv")
    assert again == rows_of(root / "views" / "predictions.csv")
    capsys.readouterr()
    other = [f"--photos={root}/photos", f"--masks={root}/masks"]
    for verb, more, what in (
        (
            "predict",
            [other[0].removeprefix("--photos="), other[1], f"--out={root}/y.csv"],
            "predict",
        ),
        ("evaluate", [*other, "--split=all", f"--out={root}/y"], "--photos"),
        ("explain", [], "explain"),
    ):
        assert launch.main([verb, f"--workdir={root}/views", *more]) == 1
        said = capsys.readouterr().err
        assert f"two views of a subject at once (config.model.second_sees=view), and {what}" in said


@pytest.mark.slow
def test_what_is_made_of_runs_judges_pairs(root, views, said, capsys):
    runs = [str(root / "views"), str(root / "other")]
    one_epoch = ["--config.seed=1", f"--config.data.split={runs[0]}/split.csv"]
    train_views(root, views, "other", "--config.train.epochs=1", *one_epoch)
    split = rows_of(root / "views" / "split.csv")
    wanted = {row["file"] for row in split if row["split"] == "test"}
    judge = ["evaluate", "--split=test"]
    for run in runs:
        assert launch.main([*judge, f"--workdir={run}"]) == 0
    made = {
        "ensemble": [["ensemble", *runs, "--split=test", f"--workdir={root}/ensemble"]],
        "soup": [["soup", *runs, f"--workdir={root}/soup"], [*judge, f"--workdir={root}/soup"]],
        "probe": [["probe", runs[0], "--split=test", f"--workdir={root}/probe"]],
    }
    for name, commands in made.items():
        for command in commands:
            assert launch.main(command) == 0, capsys.readouterr().err
        found = rows_of(root / name / "test" / "predictions.csv")
        assert {row["file"] for row in found} == wanted
    capsys.readouterr()
    assert launch.main(["compare", *runs, "--split=test", f"--out={root}/compared"]) == 0
    assert f"same {len(wanted)} test" in capsys.readouterr().out


@pytest.mark.slow
def test_every_pair_is_judged_once_over_the_folds(root, views):
    folds = ["--config.data.folds=3", "--config.train.epochs=1"]
    command = train_flags(root, root / "folds", *views, *folds)
    assert launch.main(["folds", *command]) == 0
    files = [row["file"] for row in rows_of(root / "folds" / "predictions.csv")]
    whole = [row["file"] for row in rows_of(root / "folds" / "fold_0" / "split.csv")]
    assert sorted(files) == sorted(whole)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--config.data.second_photos=", "give config.data.second_photos=FOLDER"),
        ("--config.data.subject=", "and config.data.subject=EXPRESSION"),
        (
            "--config.data.source=synthetic",
            "is 'FOLDER', but config.data.source=synthetic synthesises",
        ),
        ("--config.data.source=tfds:set", "config.data.source=tfds:set has one view; give folders"),
        ("--config.data.manifest=x.csv", "config.data.manifest=x.csv is of one: give folders"),
        ("--config.model.second_sees=same", "is 'FOLDER', and nothing sees another view"),
    ],
)
def test_views_that_are_not_two_are_refused_in_words(root, views, given, message, capsys):
    assert train(root, root / "refused", *views, given) == 1
    said = capsys.readouterr().err
    assert message.replace("FOLDER'", f"{root}/side/photos'") in said
    assert not (root / "refused").exists()
