import hashlib
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from safetensors import safe_open

import hairjax
import launch
from hairjax.commands.convert import abstract_shapes, convert_weights, parameters_sha256
from hairjax.config.load import load_config
from hairjax.models.factory import load_model, read_weights
from hairjax.models.table import SWIN, VARIANTS, Variant
from hairjax.runs.folder import RunFolder
from hairjax.system.errors import UserError
from hairjax.weights import WeightsError
from hairjax.weights.checkpoint import Checkpoints
from hairjax.weights.paths import dotted, nested
from tests.messages import messages
from tests.models.example import options

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference"
SMALL = {"dim": 8, "depths": (2, 2, 2), "heads": (1, 2, 4), "window": 4}
FILES = ["swin.safetensors", "swin_microsoft.pth", "swin_transformers.safetensors"]


@pytest.fixture(autouse=True)
def small_variant(monkeypatch):
    monkeypatch.setitem(VARIANTS, "small", Variant(64, SMALL, SWIN))
    monkeypatch.setitem(VARIANTS, "wide", Variant(64, SMALL | {"dim": 16}, SWIN))


def metadata(path):
    with safe_open(path, framework="numpy") as file:
        return file.metadata()


def model_and_notes(weights, **changes):
    checkpoint = read_weights("small", weights)
    model, notes = load_model("small", options(**changes), checkpoint, stem="copy", seed=0)
    return dotted(nnx.to_pure_dict(nnx.state(model))), notes


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    for path in ours:
        np.testing.assert_array_equal(ours[path], theirs[path])


# --- files


@pytest.mark.parametrize("name", FILES)
def test_a_converted_file_is_the_source_under_our_names(name, tmp_path):
    out = tmp_path / "new" / "folder" / "small.safetensors"
    convert_weights(str(REFERENCE / name), "small", out, "")
    written = safetensors.numpy.load_file(out)
    assert {array.dtype for array in written.values()} == {np.dtype(np.float32)}
    parameters, notes = model_and_notes(out)
    assert notes == []
    assert_equal(written, {path: np.asarray(array) for path, array in parameters.items()})
    assert_equal(written, model_and_notes(REFERENCE / name)[0])
    assert [file.name for file in out.parent.iterdir()] == ["small.safetensors"]


def test_the_file_tells_where_it_comes_from(tmp_path):
    source, out = REFERENCE / "swin_microsoft.pth", tmp_path / "a.safetensors"
    assert convert_weights(str(source), "small", out, "MIT, Microsoft") == metadata(out)
    assert metadata(out) == {
        "model": "small",
        "source": "swin_microsoft.pth",
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "naming": "Microsoft",
        "mask_shifted": "true",
        "licence": "MIT, Microsoft",
        "hairjax": hairjax.__version__,
    }


def test_which_parameters_were_taken_is_said_and_written(tmp_path):
    arrays = safetensors.numpy.load_file(REFERENCE / "swin.safetensors")
    averaged = {f"ema.{name}": 2 * array for name, array in arrays.items()}
    source = tmp_path / "both.ckpt"
    safetensors.numpy.save_file(arrays | averaged, source)
    for which, factor in (("auto", 1), ("ema", 2)):
        out = tmp_path / f"{which}.safetensors"
        with messages() as said:
            written = convert_weights(str(source), "small", out, "", which)
        kind = "raw" if which == "auto" else "averaged"
        assert said[0].startswith(f"taking {kind} parameters")
        assert written.get("which", "auto") == which
        np.testing.assert_array_equal(
            safetensors.numpy.load_file(out)["head.norm.scale"], factor * arrays["norm.weight"]
        )


def test_a_head_of_other_names_is_left_out_and_said(tmp_path):
    arrays = safetensors.numpy.load_file(REFERENCE / "swin.safetensors")
    for leaf in ("weight", "bias"):
        arrays[f"fc.{leaf}"] = arrays.pop(f"head.fc.{leaf}")
    safetensors.numpy.save_file(arrays, tmp_path / "own.pth")
    with messages() as said:
        convert_weights(str(tmp_path / "own.pth"), "small", tmp_path / "a.safetensors", "")
    assert said == ["a foreign head, not taken: fc.bias, fc.weight"]
    _, notes = model_and_notes(tmp_path / "own.pth")
    assert notes == [
        *said,
        "head: initialised for 10 classes; the checkpoint's has no known classifier",
    ]


def test_the_version_is_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == hairjax.__version__


def test_a_licence_is_carried_from_file_to_file(tmp_path):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    convert_weights(str(REFERENCE / "swin.safetensors"), "small", first, "")
    assert "licence" not in metadata(first)
    first.unlink()
    convert_weights(str(REFERENCE / "swin.safetensors"), "small", first, "MIT")
    convert_weights(str(first), "small", second, "")
    assert metadata(second)["licence"] == "MIT"
    assert metadata(second)["naming"] == "hairjax"
    assert_equal(safetensors.numpy.load_file(first), safetensors.numpy.load_file(second))


@pytest.mark.parametrize("card", ["mit", None, OSError("offline"), TimeoutError("no answer")])
def test_the_hubs_card_tells_the_licence(card, monkeypatch, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"---\nlicense: {card}\n---\n" if card else "none")

    def fetch(name, file):
        assert name == "owner/swin"
        if file == "model.safetensors":
            return REFERENCE / "swin.safetensors"
        assert file == "README.md"
        if isinstance(card, OSError):
            raise card
        return readme

    monkeypatch.setattr("hairjax.weights.load.fetch_from_hub", fetch)
    monkeypatch.setattr("hairjax.commands.convert.fetch_from_hub", fetch)
    written = convert_weights("hf://owner/swin", "small", tmp_path / "a.safetensors", "")
    assert written["source"] == "hf://owner/swin"
    assert written.get("licence") == (card if isinstance(card, str) else None)


def test_the_original_classifier_keeps_its_head_and_its_missing_mask(tmp_path):
    out = tmp_path / "original.safetensors"
    assert (
        convert_weights(str(REFERENCE / "swin_original.pth"), "small", out, "")["mask_shifted"]
        == "false"
    )
    own = {"in_channels": 6, "num_classes": 4, "hidden": (6,)}
    assert model_and_notes(out, **own, mask_shifted=False)[1] == []
    assert model_and_notes(out, **own)[1] == [
        "shifted windows: these weights were trained with model.mask_shifted=False, the model has "
        "True"
    ]


def test_a_body_without_a_head_stays_one(tmp_path):
    arrays = safetensors.numpy.load_file(REFERENCE / "swin.safetensors")
    body = {name: array for name, array in arrays.items() if "head" not in name}
    safetensors.numpy.save_file(body, tmp_path / "body.safetensors")
    convert_weights(str(tmp_path / "body.safetensors"), "small", tmp_path / "out.safetensors", "")
    _, notes = model_and_notes(tmp_path / "out.safetensors")
    assert notes == ["head: initialised for 10 classes; the checkpoint's has no known classifier"]


# --- refusals


def test_what_does_not_fit_is_told_and_nothing_is_written(tmp_path):
    arrays = safetensors.numpy.load_file(REFERENCE / "swin.safetensors")
    del arrays["norm.bias"], arrays["head.fc.bias"]
    arrays["cls_token"] = np.zeros(8, np.float32)
    arrays["patch_embed.proj.bias"] = np.zeros(9, np.float32)
    safetensors.numpy.save_file(arrays, tmp_path / "bad.safetensors")
    with pytest.raises(WeightsError) as error:
        convert_weights(
            str(tmp_path / "bad.safetensors"), "small", tmp_path / "out.safetensors", ""
        )
    assert str(error.value).splitlines()[1:] == [
        "  2 missing: head.classifier.bias, head.norm.bias",
        "  1 unexpected: cls_token",
        "  2 of another shape: head.classifier.kernel is [32, 10], the model has [32, 1], "
        "stem.proj.bias is [9], the model has [8]",
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["bad.safetensors"]


def test_another_model_and_another_window_are_refused(monkeypatch, tmp_path):
    monkeypatch.setitem(VARIANTS, "window8", Variant(128, SMALL | {"window": 8}, SWIN))
    for name in ("wide", "window8"):
        with pytest.raises(WeightsError, match="of another shape"):
            convert_weights(
                str(REFERENCE / "swin.safetensors"), name, tmp_path / "a.safetensors", ""
            )
    with pytest.raises(UserError, match="no model 'swim'; the models are"):
        convert_weights("nowhere", "swim", tmp_path / "a.safetensors", "")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_touched(tmp_path):
    out = tmp_path / "a.safetensors"
    out.write_text("precious")
    with pytest.raises(WeightsError, match=r"a\.safetensors exists already; remove it"):
        convert_weights(str(REFERENCE / "swin.safetensors"), "small", out, "")
    assert out.read_text() == "precious"


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"as \.safetensors, not as 'a\.pth'"):
        convert_weights(str(REFERENCE / "swin.safetensors"), "small", tmp_path / "a.pth", "")


# --- runs


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What training leaves behind, with numbers that matter at the best of two epochs.

    Its photographs are of 48 pixels, so that the last stage has a smaller window.
    """
    config = load_config(str(ROOT / "configs" / "top.py:demo"))
    config.data.image_size = 48
    config.model.update(name="small", hidden=(5,), mask_shifted=False)
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "top")
    folder.path.mkdir()
    folder.write_config(config)
    folder.write_json(folder.classes, ["bald", "not"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VARIANTS, "small", Variant(64, SMALL, SWIN))
        shapes = abstract_shapes(
            "small", channels=6, classes=2, hidden=(5,), head="softmax", image_size=48
        )
    draw = np.random.default_rng(0).normal
    arrays = {path: draw(size=shape).astype(np.float32) for path, shape in shapes.items()}
    params = jax.tree.map(jnp.asarray, nested(arrays))
    worse = jax.tree.map(jnp.zeros_like, params)
    checkpoints = Checkpoints(folder.checkpoints)
    checkpoints.save(3, params, {"step": jnp.int32(3)}, {"step": 3, "epoch": 1})
    checkpoints.wait()
    checkpoints.save(6, worse, {"step": jnp.int32(6)}, {"step": 3, "epoch": 1})
    checkpoints.close()
    return folder.path, arrays


SAME = {"in_channels": 6, "hidden": (5,), "mask_shifted": False, "image_size": (48, 48)}


def test_a_run_starts_from_the_best_of_another(run):
    path, params = run
    parameters, notes = model_and_notes(path, num_classes=2, **SAME)
    assert notes == ["head: kept; its classes were bald, not"]
    assert_equal({p: np.asarray(array) for p, array in parameters.items()}, params)


def test_a_run_of_other_classes_gives_all_but_the_head(run):
    path, params = run
    parameters, notes = model_and_notes(path, num_classes=4, **SAME | {"mask_shifted": True})
    assert notes == [
        "head: initialised for 4 classes behind 5 hidden; the checkpoint's has 2 classes behind 5 "
        "hidden",
        "shifted windows: these weights were trained with model.mask_shifted=False, the model has "
        "True",
    ]
    for name, array in params.items():
        if "classifier" not in name and "hidden" not in name:
            np.testing.assert_array_equal(parameters[name], array)


def test_a_run_is_converted_to_a_file_equal_to_it(run, tmp_path):
    path, params = run
    out = tmp_path / "top.safetensors"
    written = convert_weights(str(path), "small", out, "")
    assert written["source"] == "top"
    assert written["source_sha256"] == parameters_sha256(params)
    assert_equal(safetensors.numpy.load_file(out), params)
    assert model_and_notes(out, num_classes=2, **SAME)[1] == []


def test_the_checksum_of_parameters_sees_every_change(run):
    _, params = run
    name = "head.norm.scale"
    first = parameters_sha256(params)
    assert first == parameters_sha256(dict(reversed(params.items())))
    assert first != parameters_sha256(params | {name: params[name] + np.float32(1e-3)})
    assert first != parameters_sha256(params | {name: params[name][None]})
    assert first != parameters_sha256({f"{n}x": array for n, array in params.items()})


def test_a_run_without_an_epoch_is_refused(run, tmp_path):
    path = shutil.copytree(run[0], tmp_path / "young", ignore=shutil.ignore_patterns("[36]"))
    with pytest.raises(UserError, match="has not finished its first epoch"):
        read_weights("small", path)


# --- the command


def command(line, capsys):
    status = launch.main(shlex.split(line))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_command_writes_and_says_what(tmp_path, capsys):
    out = tmp_path / "small.safetensors"
    source = REFERENCE / "swin_transformers.safetensors"
    line = f"convert --weights={source} --model=small --out={out}"
    status, said, _ = command(line, capsys)
    assert status == 0
    for part in ("naming: transformers", "licence: not known; --licence=TEXT", f"written: {out}"):
        assert part in said
    assert out.is_file()
    status, _, error = command(f"{line} --licence=Apache-2.0", capsys)
    assert status == 1
    assert re.fullmatch(r"error: .*small\.safetensors exists already; [^\n]+\n", error)


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("convert", "convert needs --weights and --model and --out"),
        ("convert --weights=a.pth --model=small", "convert needs --out"),
        ("convert --weights=a.pth --model=small --out=b.pth", "not as 'b.pth'"),
        (
            "convert --weights=no.pth --model=small --out=b.safetensors",
            "no file of weights at no.pth",
        ),
        ("convert --weight=a.pth", "did you mean --weights?"),
    ],
)
def test_a_mistake_ends_in_one_sentence(line, fragment, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, _, error = command(line, capsys)
    assert status == 1
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert fragment in error
    assert list(tmp_path.iterdir()) == []
