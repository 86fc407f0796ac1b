import functools
import json
import pickle
import re
import runpy
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import huggingface_hub
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from huggingface_hub import constants, errors
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import hairjax
from hairjax.models.factory import load_model, read_weights
from hairjax.models.swin import Swin
from hairjax.models.table import SWIN, VARIANTS, Variant
from hairjax.weights import WeightsError, load
from hairjax.weights.bias_table import resize_bias_table
from hairjax.weights.fit import fit_weights
from hairjax.weights.load import Checkpoint, find_weights
from hairjax.weights.names.swin import TIMM
from hairjax.weights.naming import OURS, our_layout, our_path, translate
from hairjax.weights.paths import dotted
from hairjax.weights.stem import RULES
from tests.messages import messages
from tests.models.example import options
from tests.weights.files import read_arrays

ROOT = Path(__file__).parents[2]

# Written by tests/reference/make_swin.py; its 10 classes and 64 × 64 pixels are what it fits.
CHECKPOINT = Path(__file__).parents[1] / "reference" / "swin.safetensors"
SMALL = {"dim": 8, "depths": (2, 2, 2), "heads": (1, 2, 4), "window": 4}
NAMES = sorted(safetensors.numpy.load_file(CHECKPOINT))
DRAWN = 0.25  # what a drawn parameter is filled with here


@pytest.fixture
def arrays():
    return safetensors.numpy.load_file(CHECKPOINT)


@functools.cache
def shapes_and_windows(**changes):
    own = {name: changes.pop(name, value) for name, value in SMALL.items()}
    model = nnx.eval_shape(lambda: Swin(options(**changes), **own, rngs=nnx.Rngs(0)))
    windows = {
        f"stages.{i}.blocks.{j}.attention.bias_table": block.window
        for i, stage in enumerate(model.stages)
        for j, block in enumerate(stage.blocks)
    }
    return dotted(nnx.to_pure_dict(nnx.state(model))), windows


def from_timm(name, array):
    return our_layout(our_path(TIMM, name), array)


def checkpoint(arrays, naming=TIMM, classes=()):
    found, unexpected = translate(naming, "", arrays)
    return Checkpoint(found, unexpected, naming.title, True, classes, None, {})


def fit(arrays, stem="copy", naming=TIMM, classes=(), **changes):
    """Parameters by path and notes, for the checkpoint's model with changes."""
    shapes, windows = shapes_and_windows(**changes)
    parameters, notes = fit_weights(
        checkpoint(arrays, naming, classes),
        shapes,
        lambda paths: {path: jnp.full(shapes[path].shape, DRAWN) for path in paths},
        windows=windows,
        grids={},
        stem=stem,
    )
    assert {path: a.shape for path, a in parameters.items()} == {
        path: a.shape for path, a in shapes.items()
    }
    return parameters, notes


def drawn(parameters):
    return {path for path, array in parameters.items() if np.all(array == DRAWN)}


# --- what fits


def test_a_checkpoint_of_the_same_model_is_taken_as_it_is(arrays):
    parameters, notes = fit(arrays)
    assert notes == []
    assert len(parameters) == len(arrays)
    for name, array in arrays.items():
        path, expected = from_timm(name, array)
        np.testing.assert_array_equal(parameters[path], expected)


def test_buffers_that_follow_from_the_window_are_ignored(arrays):
    arrays["layers.0.blocks.1.attn_mask"] = np.zeros((16, 16, 16))
    arrays["layers.0.blocks.0.attn.relative_position_index"] = np.zeros((16, 16), int)
    assert fit(arrays)[1] == []


def test_head_of_other_classes_is_drawn_anew_with_a_note(arrays):
    parameters, notes = fit(arrays, num_classes=4)
    assert notes == ["head: initialised for 4 classes; the checkpoint's has 10 classes"]
    assert drawn(parameters) == {"head.classifier.kernel", "head.classifier.bias"}


def test_hidden_layers_are_drawn_with_the_classifier_behind_them(arrays):
    parameters, notes = fit(arrays, hidden=(6,))
    assert [note.split(":")[0] for note in notes] == ["head"]
    layers = ("head.hidden.0", "head.classifier")
    assert drawn(parameters) == {
        f"{layer}.{leaf}" for layer in layers for leaf in ("kernel", "bias")
    }


def test_headless_checkpoint_gets_a_head_with_a_note(arrays):
    del arrays["head.fc.weight"], arrays["head.fc.bias"]
    parameters, notes = fit(arrays)
    assert notes == ["head: initialised for 10 classes; the checkpoint's has no known classifier"]
    assert drawn(parameters) == {"head.classifier.kernel", "head.classifier.bias"}


def test_hidden_layers_that_fit_are_kept(arrays):
    """And the names of a run's classes are said, since only their number is compared."""
    ours, _ = fit(arrays, hidden=(6,))
    ours = {path: np.asarray(array) for path, array in ours.items()}
    parameters, notes = fit(ours, naming=OURS, classes=("none", "some"), hidden=(6,))
    assert notes == ["head: kept; its classes were none, some"]
    for path, array in ours.items():
        np.testing.assert_array_equal(parameters[path], array)


@pytest.mark.parametrize("changes", [{"hidden": (7,)}, {"hidden": ()}, {"hidden": (6, 6)}])
def test_hidden_layers_that_do_not_fit_are_drawn_with_the_classifier(arrays, changes):
    ours, _ = fit(arrays, hidden=(6,))
    ours = {path: np.asarray(array) for path, array in ours.items()}
    parameters, notes = fit(ours, naming=OURS, **changes)
    assert len(notes) == 1
    assert notes[0].startswith("head: initialised for 10 classes")
    assert notes[0].endswith("the checkpoint's has 10 classes behind 6 hidden")
    assert all("head" in path and "norm" not in path for path in drawn(parameters))


def test_stem_takes_more_channels_with_a_note(arrays):
    parameters, notes = fit(arrays, stem="random_mask", in_channels=6)
    assert notes == ["stem: RGB kernel fitted to 6 channels by 'random_mask'"]
    kernel, rgb = parameters["stem.proj.kernel"], arrays["patch_embed.proj.weight"]
    np.testing.assert_array_equal(kernel[:, :, :3], rgb.transpose(2, 3, 1, 0) / 2)
    assert np.all(kernel[:, :, 3:] == DRAWN)


def test_six_channel_checkpoint_is_taken_as_it_is(arrays):
    name = "patch_embed.proj.weight"
    arrays[name] = np.concatenate([arrays[name], 2 * arrays[name]], axis=1)
    parameters, notes = fit(arrays, stem="zero", in_channels=6)
    assert notes == []
    np.testing.assert_array_equal(
        parameters["stem.proj.kernel"], arrays[name].transpose(2, 3, 1, 0)
    )


def test_tables_of_other_windows_are_resized_with_a_note(arrays):
    parameters, notes = fit(arrays, image_size=(40, 56))
    assert notes == ["relative-position tables resized in 2 blocks: 4 → 3 × 4"]
    name = "layers.2.blocks.1.attn.relative_position_bias_table"
    np.testing.assert_array_equal(
        parameters["stages.2.blocks.1.attention.bias_table"],
        resize_bias_table(arrays[name], (3, 4), (4, 4)),
    )


# --- what does not fit


def test_everything_that_does_not_fit_is_told_together(arrays):
    del arrays["norm.bias"], arrays["layers.0.blocks.1.mlp.fc1.weight"]
    arrays["cls_token"] = np.zeros(8)
    arrays["layers.9.blocks.0.norm1.weight"] = np.ones(8)
    arrays["layers.1.blocks.0.attn.qkv.weight"] = np.zeros((48, 17))
    with pytest.raises(WeightsError) as error:
        fit(arrays)
    assert str(error.value).splitlines()[1:] == [
        "  2 missing: head.norm.bias, stages.0.blocks.1.mlp.expand.kernel",
        "  2 unexpected: cls_token, stages.9.blocks.0.norm1.scale",
        "  1 of another shape: stages.1.blocks.0.attention.qkv.kernel is [17, 48], the model has "
        "[16, 48]",
    ]
    assert "model.name" in str(error.value)


@pytest.mark.parametrize("name", ["head.fc.weight", "head.fc.bias"])
def test_half_a_head_is_refused(arrays, name):
    path, _ = from_timm(name, arrays.pop(name))
    with pytest.raises(WeightsError, match=f"1 missing: {path}$"):
        fit(arrays)


@pytest.mark.parametrize("stem", RULES)
@pytest.mark.situation(
    "Weights",
    "weights of another variant",
    "refused with how much does not fit, and examples",
)
def test_checkpoint_of_another_variant_is_refused(arrays, stem):
    with pytest.raises(WeightsError, match=r"(?s)\d+ missing:.*\d+ of another shape:") as error:
        fit(arrays, stem, in_channels=6, dim=16, depths=(2, 2, 4))
    assert str(error.value).count("\n") == 2


def test_checkpoint_of_six_channels_does_not_fit_rgb(arrays):
    arrays["patch_embed.proj.weight"] = np.zeros((8, 6, 4, 4))
    with pytest.raises(
        WeightsError, match=r"kernel is \[4, 4, 6, 8\], the model has \[4, 4, 3, 8\]"
    ) as error:
        fit(arrays)
    assert "they take 6 channels" in str(error.value) and "in_channels, here 3" in str(error.value)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(NAMES), st.lists(st.integers(0, 9), max_size=5).map(tuple))
def test_no_array_of_another_shape_passes_unsaid(name, shape):
    arrays = safetensors.numpy.load_file(CHECKPOINT)
    assume(shape != arrays[name].shape)
    arrays[name] = np.zeros(shape, np.float32)
    path, _ = from_timm(name, arrays[name])
    try:
        _, notes = fit(arrays)
    except WeightsError as error:
        assert path.rpartition(".")[0] in str(error)
    else:
        assert len(notes) == 1
        assert name.startswith("head.fc") or name.endswith("bias_table")


# --- from a file to a model


@pytest.fixture
def small_variant(monkeypatch):
    monkeypatch.setitem(VARIANTS, "small", Variant(64, SMALL, SWIN))


def test_model_without_number_of_classes_keeps_the_checkpoints_head(small_variant, arrays):
    model = hairjax.create_model("small", weights=str(CHECKPOINT))
    np.testing.assert_array_equal(model.head.classifier.bias[...], arrays["head.fc.bias"])
    assert model.image_size == (64, 64)


def test_checkpoint_without_head_needs_a_number_of_classes(small_variant, arrays, tmp_path):
    del arrays["head.fc.weight"], arrays["head.fc.bias"]
    safetensors.numpy.save_file(arrays, tmp_path / "body.safetensors")
    with pytest.raises(ValueError, match="no classifier: give num_classes"):
        hairjax.create_model("small", weights=str(tmp_path))


def test_notes_tell_of_all_that_was_adapted(small_variant):
    given = options(in_channels=6, num_classes=4, image_size=(32, 48), hidden=(6,))
    checkpoint = read_weights("small", CHECKPOINT)
    model, notes = load_model("small", given, checkpoint, stem="zero", seed=0)
    tables = "relative-position tables resized in 2 blocks"
    assert [note.split(":")[0] for note in notes] == [tables, "head", "stem"]
    fresh = [*model.head.hidden, model.head.classifier]
    assert all(np.std(layer.kernel[...]) > 0 for layer in fresh)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(nnx.state(model)))


# --- files


SAVE = {".safetensors": safetensors.numpy.save_file, ".npz": lambda a, path: np.savez(path, **a)}


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [
        (".safetensors", np.float32),
        (".safetensors", np.float64),
        (".safetensors", np.float16),
        (".safetensors", ml_dtypes.bfloat16),
        (".npz", np.float32),
        (".npz", np.float16),
    ],
)
def test_arrays_come_back_as_float32(suffix, dtype, tmp_path):
    saved = {"norm.bias": np.linspace(-3, 3, 7).astype(dtype), "one": np.ones((2, 3), dtype)}
    path = tmp_path / f"model{suffix}"
    SAVE[suffix](saved, path)
    read = read_arrays(path)
    assert read.keys() == saved.keys()
    for name, array in read.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, saved[name].astype(np.float32))


def damaged(path, keep):
    SAVE[path.suffix]({"norm.bias": np.arange(1000, dtype=np.float32)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    return path


@pytest.mark.parametrize("suffix", SAVE)
@pytest.mark.parametrize("keep", [0, 5, 500, -1])
def test_truncated_file_is_refused_by_name(suffix, keep, tmp_path):
    path = damaged(tmp_path / f"model{suffix}", keep)
    message = rf"{re.escape(str(path))} (cannot be read as [^(]+\(.+\)|is empty)"
    with pytest.raises(WeightsError, match=message):
        read_arrays(path)


def stored_as(dtype, path):
    """A file whose one array is eight numbers of a dtype, all bits of these 0."""
    bits = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "C64": 64}.get(dtype)
    size = bits or int(re.search("[0-9]+", dtype)[0])
    header = {"head.fc.weight": {"dtype": dtype, "shape": [8], "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
    return path


@pytest.mark.parametrize(
    "dtype",
    ["F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3", "I8", "U8", "I16", "U16", "C64"],
)
def test_numbers_that_are_no_weights_are_refused_by_name(dtype, tmp_path):
    path = stored_as(dtype, tmp_path / "model.safetensors")
    message = f"is refused: head.fc.weight is {dtype}; .* as F64, F32, F16, BF16 only, .* write one"
    with pytest.raises(WeightsError, match=message):
        read_arrays(path)


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "I64", "I32", "BOOL"])
def test_numbers_that_are_read(dtype, tmp_path):
    arrays = read_arrays(stored_as(dtype, tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(arrays["head.fc.weight"], np.zeros(8, np.float32))


def test_bfloat16_is_read_without_jax(tmp_path):
    """JAX teaches NumPy the dtype by name, and so does this module of tests."""
    path = tmp_path / "model.safetensors"
    numbers = np.array([1.5, -0.15625, 3e38, 1e-40], ml_dtypes.bfloat16)
    safetensors.numpy.save_file({"a": numbers}, path)
    code = (
        "import contextlib, pathlib, sys; "
        "from hairjax.weights.contents import opened; "
        "stack = contextlib.ExitStack(); "
        "contents = stack.enter_context(opened(pathlib.Path(sys.argv[1]))); "
        "found = contents.read('a'); "
        "assert 'jax' not in sys.modules; print(found.dtype, *map(float.hex, map(float, found)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["float32", *map(float.hex, map(float, numbers))]


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return self.path.touch, ()


@pytest.mark.situation(
    "Weights",
    "a pickle that would run code",
    "refused; no pickle is executed",
)
def test_pickles_are_never_executed(tmp_path):
    sprung = tmp_path / "sprung"
    np.savez(tmp_path / "object.npz", trap=np.array([Trap(sprung)], object))
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Trap(sprung)))
    reasons = {
        "object.npz": r"cannot be read as .* \(Object arrays cannot be loaded",
        "plain.npz": "is refused: it asks for",
    }
    for name, reason in reasons.items():
        with pytest.raises(WeightsError, match=f"{name} {reason}"):
            read_arrays(tmp_path / name)
    assert not sprung.exists()


def test_text_is_no_weight(tmp_path):
    np.savez(tmp_path / "words.npz", words=np.array(["thinning"]))
    with pytest.raises(WeightsError, match="could not convert string"):
        read_arrays(tmp_path / "words.npz")


@pytest.mark.parametrize("suffix", load.SUFFIXES)
def test_folder_with_one_file_stands_for_it(suffix, tmp_path):
    (tmp_path / "README.md").touch()
    path = tmp_path / f"model{suffix}"
    safetensors.numpy.save_file({"norm.bias": np.ones(3, np.float32)}, path)
    assert find_weights(str(tmp_path)) == find_weights(str(path)) == path


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), "none"),
        (("model.h5", "config.json"), "none"),
        (("b.npz", "c.pth", "a.safetensors"), "a.safetensors, b.npz, c.pth; give one of them"),
    ],
)
def test_folder_with_another_number_of_files_is_refused(names, found, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    message = rf"{re.escape(str(tmp_path))} should be a run or hold one file .*; found: {found}$"
    with pytest.raises(WeightsError, match=message):
        find_weights(str(tmp_path))


@pytest.mark.situation(
    "Weights",
    "`weights.source` names what an ensemble or a probe is, folds, or a folder inside a run",
    "refused with what it is, and what of it can be given",
)
def test_folders_of_runs_without_weights_are_called_what_they_are(tmp_path):
    for run in ("cv/fold_0", "cv/fold_1", "one"):
        (tmp_path / run / "checkpoints" / "9").mkdir(parents=True)
        (tmp_path / run / "config.json").write_text("{}")
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "config.json").write_text('{"made": {"by": "ensemble"}}')
    folds = ", ".join(str(tmp_path / "cv" / f"fold_{i}") for i in range(2))
    for source, said in {
        "cv": f"found: none; it holds the runs {folds}: give one of them",
        "one/checkpoints": f"found: none; it is inside the run {tmp_path}/one: give that",
        "one/checkpoints/9": f"found: none; it is inside the run {tmp_path}/one: give that",
        "both": "found: none; it is what ensemble made of runs, without weights of its own",
    }.items():
        with pytest.raises(WeightsError, match=re.escape(said)):
            find_weights(str(tmp_path / source))


def test_missing_path_is_refused_with_what_can_be_given(tmp_path):
    source = str(tmp_path / "nothing.safetensors")
    with pytest.raises(WeightsError, match=re.escape(f"no file of weights at {source}")) as error:
        find_weights(source)
    for way in (".safetensors, .npz", "folder", "run", "hf://", "weights.source=none"):
        assert way in str(error.value)


def test_unknown_model_is_refused_before_weights_are_looked_for():
    with pytest.raises(ValueError, match="no model 'swim'"):
        hairjax.create_model("swim", weights="nowhere.safetensors")


# --- the hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty cache, and a hub that answers."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url, timeout: None)
    return tmp_path / "hub" / "models--timm--swin"


class HttpError(Exception):
    """Stands for those of the HTTP library, which are no OSError."""


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    "error",
    [
        errors.LocalEntryNotFoundError("cannot find the requested files in the local cache"),
        errors.OfflineModeIsEnabled("offline mode is enabled"),
        errors.HFValidationError("Repo id must be in the form 'namespace/repo_name'"),
        HttpError("connection reset"),
        OSError("no space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_unreachable_hub_ends_in_one_message_with_every_way_out(error, monkeypatch):
    def download(*_, **__):
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    verbosity = huggingface_hub.logging.get_verbosity()
    with pytest.raises(WeightsError, match=type(error).__name__) as raised:
        find_weights("hf://timm/swin")
    message = str(raised.value)
    assert "\n" not in message
    for way in (
        "https://huggingface.co/timm/swin/resolve/main/model.safetensors",
        "--config.weights.source=FILE",
        "--config.weights.source=none",
        ":demo",
    ):
        assert way in message
    assert huggingface_hub.logging.get_verbosity() == verbosity


@pytest.mark.usefixtures("hub")
def test_hub_is_asked_for_the_safetensors_of_the_repository(monkeypatch):
    asked = []

    def download(*arguments):
        asked.append(arguments)
        return str(CHECKPOINT)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert find_weights("hf://timm/swin") == CHECKPOINT
    assert asked == [("timm/swin", "model.safetensors")]


def refused(*_, **__):
    raise AssertionError("the hub is not asked")


def test_a_file_in_the_hubs_cache_is_used_without_asking_the_hub(hub, monkeypatch):
    file = hub / "snapshots" / "a1" / "model.safetensors"
    for path, text in ((hub / "refs" / "main", "a1"), (file, "weights")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    for name in ("get_hf_file_metadata", "hf_hub_download"):
        monkeypatch.setattr(huggingface_hub, name, refused)
    with messages() as said:
        assert find_weights("hf://timm/swin") == file
    assert said == []


@pytest.mark.parametrize("answers", [True, False])
def test_an_unreachable_hub_is_asked_once_and_named_before(answers, monkeypatch):
    """Whoever has no network, or one that loses packets, waits for seconds."""
    with socket.socket() as silent, messages() as said:
        silent.bind(("127.0.0.1", 0))  # refuses, until it listens; then nobody answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        if not answers:
            silent.listen()
        monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda *_: url)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", refused)
        monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
        began = time.monotonic()
        with pytest.raises(WeightsError, match=r"ConnectError|TimeoutError|ReadTimeout"):
            find_weights("hf://timm/nobody-has-this")
        assert time.monotonic() - began < 20
    assert said == [
        "asking the Hugging Face hub for model.safetensors of timm/nobody-has-this, which is not "
        "in its cache"
    ]


@pytest.mark.usefixtures("hub")
def test_what_the_hub_answers_is_left_to_the_download(monkeypatch):
    request = httpx2.Request("HEAD", "https://huggingface.co/timm/swin")
    response = httpx2.Response(404, request=request)

    def missing(*_, **__):
        raise errors.RepositoryNotFoundError("404", response=response)

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", missing)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: str(CHECKPOINT))
    assert find_weights("hf://timm/swin") == CHECKPOINT


def test_hub_is_not_even_imported_for_a_file(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # import now fails
    fresh = runpy.run_path(load.__file__)
    assert fresh["find_weights"](str(CHECKPOINT)) == CHECKPOINT
    with pytest.raises(ValueError, match="no file of weights"):
        fresh["find_weights"](str(tmp_path / "timm" / "swin"))
    with pytest.raises(ImportError):
        fresh["find_weights"]("hf://timm/swin")
