"""Parameters are found by content, whatever wraps them and whatever the file is called."""

import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.weights import WeightsError
from hairjax.weights.contents import files_sha256
from hairjax.weights.load import SUFFIXES, find_weights, read_checkpoint
from hairjax.weights.names.swin import NAMINGS
from tests.weights.files import mapping, name, read_arrays, save, tensor, text, write_legacy

SHAPES = {
    "patch_embed.proj.weight": (2, 3, 1, 1),
    "layers.0.blocks.0.mlp.fc1.weight": (5, 2),
    "norm.bias": (2,),
    "head.fc.weight": (4, 2),
    "head.fc.bias": (4,),
}


def parameters(seed=0):
    draw = np.random.default_rng(seed).standard_normal
    return {name: draw(shape).astype(np.float32) for name, shape in SHAPES.items()}


RAW, OTHER = parameters(0), parameters(1)
ONE = np.ones(3, np.float32)


def prefixed(prefix, arrays=RAW):
    return {prefix + name: array for name, array in arrays.items()}


def read(path, which="auto"):
    return read_checkpoint(path, "a Swin", NAMINGS, which)


def assert_read(checkpoint, arrays=RAW):
    """Exactly these, each under our name and with its axes in our order."""
    assert checkpoint.unexpected == []
    body, head = "stages.0.blocks.0.mlp.expand.kernel", "head.classifier."
    expected = {
        "stem.proj.kernel": arrays["patch_embed.proj.weight"].transpose(2, 3, 1, 0),
        body: arrays["layers.0.blocks.0.mlp.fc1.weight"].T,
        "head.norm.bias": arrays["norm.bias"],
        f"{head}kernel": arrays["head.fc.weight"].T,
        f"{head}bias": arrays["head.fc.bias"],
    }
    assert checkpoint.arrays.keys() == expected.keys()
    for path, array in expected.items():
        np.testing.assert_array_equal(checkpoint.arrays[path], array)


# --- the format is seen, not believed


def save_safetensors(path, arrays):
    safetensors.numpy.save_file(arrays, path)


def save_npz(path, arrays):
    with path.open("wb") as file:
        np.savez(file, **arrays)


def save_legacy(path, arrays):
    body = mapping({n: tensor(a.shape, np.array(a.strides) // 4, key=n) for n, a in arrays.items()})
    data = {n: a.tobytes() for n, a in arrays.items()}
    write_legacy(path, body, data, {n: a.size for n, a in arrays.items()})


@pytest.mark.parametrize(
    "called", ["a.safetensors", "b.npz", "best.pth.tar", "c.ckpt", "d.h5", "e"]
)
@pytest.mark.parametrize("write", [save, save_safetensors, save_npz, save_legacy])
@pytest.mark.situation(
    "Weights",
    "`.ckpt`, `.pth.tar`, `.h5` or no suffix",
    "read by content",
)
def test_a_file_is_read_by_its_content(write, called, tmp_path):
    write(tmp_path / called, RAW)
    found = find_weights(str(tmp_path / called))
    assert found == tmp_path / called
    assert_read(read(found))


@pytest.mark.parametrize("write", [save, save_safetensors, save_npz, save_legacy])
def test_a_folder_is_searched_by_content_where_no_name_tells(write, tmp_path):
    write(tmp_path / "epoch=9", RAW)
    (tmp_path / "notes.txt").write_text("the best of five")
    assert find_weights(str(tmp_path)) == tmp_path / "epoch=9"


# --- what wraps the parameters

WRAPPED = {
    "plain": RAW,
    "net": {"net": RAW, "acc": 90.0, "epoch": 3},
    "state_dict": {"state_dict": RAW, "best_acc1": 81.2},
    "model_state_dict": {"model_state_dict": RAW, "optimizer_state_dict": {"state": {}}},
    "module": {"module": RAW},
    "params": {"params": RAW},
    "in one another": {"checkpoint": {"model": {"state_dict": RAW}}},
    "in a list": {"models": [RAW]},
    "Lightning": {
        "pytorch-lightning_version": "2.4.0",
        "state_dict": prefixed("model.") | {"criterion.weight": ONE},
        "hyper_parameters": {"lr": 1e-3},
        "callbacks": {},
    },
    "module by module": {"backbone": {"net": RAW}},
    **{
        prefix: prefixed(prefix)
        for prefix in (
            "module.",
            "model.",
            "net.",
            "backbone.",
            "encoder.",
            "_orig_mod.",
            "module._orig_mod.model.",
        )
    },
    "compiled by block": {
        name.replace("blocks.0.", "blocks.0._orig_mod."): array for name, array in RAW.items()
    },
    "cut over devices": {
        f"_fsdp_wrapped_module.{name.replace('mlp.', 'mlp._fsdp_wrapped_module.')}": array
        for name, array in RAW.items()
    },
}


@pytest.mark.parametrize("tree", WRAPPED.values(), ids=WRAPPED)
@pytest.mark.situation(
    "Weights",
    "`{'net': …}`, `{'state_dict': …}`, Lightning, `module.`, `_orig_mod.`, FSDP",
    "the parameters are found in it",
)
def test_parameters_are_found_in_what_wraps_them(tree, tmp_path):
    save(tmp_path / "file", tree)
    assert_read(read(tmp_path / "file"))


KEYS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=5)
PREFIXES = ("", "module.", "model.", "net.", "backbone.", "encoder.", "_orig_mod.", "ema.", "0.")


@settings(deadline=None, max_examples=100)
@given(
    st.lists(KEYS, max_size=4),
    st.lists(st.sampled_from(PREFIXES), max_size=3).map("".join),
    st.lists(KEYS, max_size=2, unique=True),
    st.sampled_from([*SUFFIXES, "", ".model"]),
)
def test_no_nesting_and_no_prefix_changes_what_is_read(
    tmp_path_factory, nesting, prefix, beside, suffix
):
    tree, said = prefixed(prefix), False
    for key in reversed(nesting):
        others = {other: {"weight": ONE} for other in beside if other != key}
        tree, said = others | {"the epoch": 3.0, key: tree}, said or bool(others)
    path = tmp_path_factory.mktemp("nested") / f"file{suffix}"
    save(path, tree)
    checkpoint = read(path)
    assert_read(checkpoint)
    assert sum(note.startswith("ignored") for note in checkpoint.notes) == said


# --- several models in one file


@pytest.mark.situation(
    "Weights",
    "raw and averaged (EMA) parameters in one file",
    "the raw ones, said; `weights.which=ema` takes the others",
)
def test_raw_and_averaged_parameters_are_told_apart_and_a_key_chooses(tmp_path):
    for both in (
        {"state_dict": RAW, "state_dict_ema": OTHER, "arch": "swin"},
        {"model": RAW, "model_ema": {"n_averaged": ONE} | prefixed("module.", OTHER)},
        {"params": RAW, "params_ema": OTHER},
        prefixed("model.") | prefixed("ema_model.module.", OTHER),
        prefixed("net.") | prefixed("netEMA.", OTHER),
        RAW | prefixed("ema.", OTHER),
        {"model": RAW, "swa": {"module": OTHER}},
        {"state_dict": RAW, "callbacks": {"EMACallback": {"shadow": OTHER}}},
    ):
        save(tmp_path / "file", both)
        assert_read(read(tmp_path / "file"))
        assert_read(read(tmp_path / "file", "raw"))
        assert_read(read(tmp_path / "file", "ema"), OTHER)
        said = read(tmp_path / "file").notes[0]
        assert said.startswith("taking raw parameters at ")
        assert "not taken: averaged at " in said and said.endswith("(config.weights.which=ema)")


@pytest.mark.situation(
    "Weights",
    "averaged parameters alone",
    "taken and said",
)
def test_averaged_parameters_alone_are_taken_and_said(tmp_path):
    save(tmp_path / "file", {"state_dict_ema": RAW})
    for which in ("auto", "ema", "state_dict_ema"):
        checkpoint = read(tmp_path / "file", which)
        assert_read(checkpoint)
        assert checkpoint.notes == ("taking averaged parameters at state_dict_ema",)
    with pytest.raises(
        WeightsError, match=r"which is 'raw', and .*: averaged parameters at state_"
    ):
        read(tmp_path / "file", "raw")


SWAPPED = {
    "Lightning": {
        "state_dict": prefixed("model.", OTHER),
        "current_model_state": prefixed("model."),
        "averaging_state": {"n_averaged": ONE},
    },
    "OpenMMLab": {
        "meta": {"mmengine_version": "0.10.7"},
        "state_dict": prefixed("backbone.", OTHER),
        "ema_state_dict": {"steps": ONE} | prefixed("module.backbone."),
    },
}


@pytest.mark.parametrize("tree", SWAPPED.values(), ids=SWAPPED)
@pytest.mark.situation(
    "Weights",
    "Lightning's WeightAveraging, OpenMMLab's EMAHook: the average stands where others have raw",
    "told apart by what the trainer wrote beside them",
)
def test_trainers_that_keep_the_average_in_the_raw_ones_place(tree, tmp_path):
    """The former's WeightAveraging and the latter's EMAHook, as both say where they save."""
    save(tmp_path / "file", tree)
    assert_read(read(tmp_path / "file", "raw"))
    assert_read(read(tmp_path / "file", "ema"), OTHER)
    checkpoint = read(tmp_path / "file")
    assert_read(checkpoint, OTHER)
    assert checkpoint.notes[0].startswith("taking averaged parameters at state_dict.")


@pytest.mark.parametrize(
    ("tree", "chosen"),
    [
        ({"student": RAW, "teacher": OTHER}, "teacher"),
        (prefixed("module.encoder_q.") | prefixed("module.encoder_k.", OTHER), "encoder_k"),
        (
            {"model": prefixed("encoder.") | prefixed("momentum_encoder.", OTHER)},
            "momentum_encoder",
        ),
    ],
)
@pytest.mark.situation(
    "Weights",
    "a student and a teacher, or an encoder and its momentum copy",
    "the student, said; `weights.which` names the other",
)
def test_a_teacher_is_not_taken_unless_asked_for(tree, chosen, tmp_path):
    save(tmp_path / "file", tree)
    assert_read(read(tmp_path / "file"))
    assert "not taken: a teacher's at " in read(tmp_path / "file").notes[0]
    assert_read(read(tmp_path / "file", chosen), OTHER)


@pytest.mark.situation(
    "Weights",
    "two models of equal right (`last`, `best`)",
    "asked for with their places",
)
def test_which_of_two_is_asked_for(tmp_path):
    save(tmp_path / "file", {"last": RAW, "best": {"net": OTHER}})
    with pytest.raises(WeightsError) as error:
        read(tmp_path / "file")
    assert "raw parameters at last; raw parameters at best.net" in str(error.value)
    assert "--config.weights.which=last" in str(error.value)
    for which, arrays in (("last", RAW), ("best", OTHER), ("best.net", OTHER)):
        assert_read(read(tmp_path / "file", which), arrays)
    with pytest.raises(WeightsError, match=r"which is 'ema', and .* holds: raw parameters at last"):
        read(tmp_path / "file", "ema")
    save(tmp_path / "file", RAW | prefixed("copy.", OTHER))
    assert_read(read(tmp_path / "file", "top"))
    assert_read(read(tmp_path / "file", "copy"), OTHER)


def test_copies_are_one_model(tmp_path):
    save(tmp_path / "file", {"model": RAW, "state_dict": prefixed("module.")})
    checkpoint = read(tmp_path / "file")
    assert_read(checkpoint)
    assert checkpoint.notes == ()


# --- what lies beside


@pytest.mark.situation(
    "Weights",
    "a criterion's weight, metrics, an optimizer's state beside the parameters",
    "passed over, said in one line",
)
def test_what_is_no_parameter_is_passed_over_and_said_in_one_line(tmp_path):
    state = {str(i): {"exp_avg": ONE, "exp_avg_sq": ONE} for i in range(5)}
    save(
        tmp_path / "file",
        {
            "state_dict": prefixed("model.") | {"criterion.weight": ONE, "train_acc.tp": ONE},
            "optimizer": {"state": state, "exp_avg": OTHER, "lr": 0.1},
        },
    )
    checkpoint = read(tmp_path / "file")
    assert_read(checkpoint)
    assert checkpoint.notes == (
        "ignored, not parameters of the model: state_dict.criterion.weight, "
        "state_dict.train_acc.tp, 15 arrays of optimizer",
    )


def test_training_beside_parameters_without_a_prefix_is_passed_over(tmp_path):
    beside = {"optimizer": {"0": ONE}, "loss_fn.weight": ONE, "mask_token": ONE}
    save(tmp_path / "file", RAW | beside)
    checkpoint = read(tmp_path / "file")
    assert_read(checkpoint)
    assert checkpoint.notes == (
        "ignored, not parameters of the model: optimizer.0, loss_fn.weight, mask_token",
    )


@pytest.mark.situation(
    "Weights",
    "a parameter that the model does not have",
    "refused by name",
)
def test_what_the_model_itself_does_not_know_is_still_unexpected(tmp_path):
    save(tmp_path / "file", {"model": RAW | {"cls_token": ONE, "layers.9.gamma": ONE}})
    assert read(tmp_path / "file").unexpected == ["model.cls_token", "model.layers.9.gamma"]


# --- heads


@pytest.mark.parametrize(
    "names",
    [
        ("fc.weight", "fc.bias"),
        ("head.weight", "head.bias"),
        ("classifier.weight", "classifier.bias"),
        ("last_linear.weight", "last_linear.bias"),
        ("head.fc.1.weight", "head.fc.1.bias"),
        ("mlp_head.0.weight", "mlp_head.2.weight"),
        ("head.weight_g", "head.weight_v", "head.fc.bias"),
        ("head.fc.weight", "head.fc.bias", "head_dist.weight"),
    ],
)
@pytest.mark.situation(
    "Weights",
    "a head of other names (`fc`, `last_linear`, `mlp_head`)",
    "not taken, said",
)
def test_a_head_of_other_names_is_said_and_not_taken(names, tmp_path):
    body = {name: array for name, array in RAW.items() if not name.startswith("head")}
    save(tmp_path / "file", {"net": body | dict.fromkeys(names, ONE)})
    checkpoint = read(tmp_path / "file")
    assert checkpoint.unexpected == []
    assert checkpoint.arrays.keys() == {
        "stem.proj.kernel",
        "stages.0.blocks.0.mlp.expand.kernel",
        "head.norm.bias",
    }
    listed = ", ".join(f"net.{name}" for name in names)
    assert checkpoint.notes == (f"a foreign head, not taken: {listed}",)


@pytest.mark.parametrize("called", ["prediction", "cls", "grade_of_hair", "regressor.1", "out.4"])
@pytest.mark.situation(
    "Weights",
    "a head that is called as nobody else calls one (`prediction`, `grade_of_hair`)",
    "not taken, said, where it is the one dense module that the model does not have",
)
def test_the_one_dense_module_that_is_unknown_is_the_head(called, tmp_path):
    body = {name: array for name, array in RAW.items() if not name.startswith("head")}
    names = f"{called}.weight", f"{called}.bias"
    head = dict(zip(names, (RAW["head.fc.weight"], RAW["head.fc.bias"]), strict=True))
    save(tmp_path / "file", body | head)
    checkpoint = read(tmp_path / "file")
    assert checkpoint.unexpected == []
    assert checkpoint.notes == (f"a foreign head, not taken: {', '.join(names)}",)


@pytest.mark.parametrize(
    "more",
    [
        {"neck.weight": np.ones((2, 2)), "head.fc.weight": RAW["head.fc.weight"]},  # not the head
        {"a.weight": np.ones((2, 2)), "b.weight": np.ones((2, 2))},
        {"normalizer.mean": ONE},
        {"neck.weight": np.ones((2, 2, 1, 1))},
        {"layers.0.blocks.0.gate.weight": np.ones((2, 2))},
        {"absolute_pos_embed": np.ones((1, 2))},
    ],
)
def test_what_is_no_head_is_not_left_out(more, tmp_path):
    body = {name: array for name, array in RAW.items() if not name.startswith("head")}
    save(tmp_path / "file", body | more)
    checkpoint = read(tmp_path / "file")
    assert checkpoint.unexpected == [name for name in more if not name.startswith("head")]


# --- numbers that are none


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.bool_, np.complex64])
@pytest.mark.situation(
    "Weights",
    "quantised weights, as whole numbers",
    "refused: without their scales they mean little",
)
def test_whole_numbers_are_no_weights(kind, tmp_path):
    save_npz(tmp_path / "file", RAW | {"norm.bias": np.ones(2, kind)})
    with pytest.raises(WeightsError, match=rf"{np.dtype(kind)} is no kind of weights \(head.norm"):
        read(tmp_path / "file")
    save_npz(tmp_path / "file", RAW | {"layers.0.attn_mask": np.ones(2, kind)})
    assert_read(read(tmp_path / "file"))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("write", [save, save_safetensors, save_npz])
@pytest.mark.situation(
    "Weights",
    "weights with nan or infinite numbers, of a training that diverged or an overflow in float16",
    "refused, with how many parameters hold them",
)
def test_numbers_that_are_not_finite_are_refused(write, number, tmp_path):
    write(tmp_path / "file", RAW | {"norm.bias": np.array([0, number], np.float32)})
    with pytest.raises(WeightsError, match=r"not finite, in 1 of 5 parameters \(head.norm.bias\)"):
        read(tmp_path / "file")


# --- in parts


def in_parts(folder, suffix=".safetensors", write=save_safetensors):
    names = [f"model-{i}-of-00002{suffix}" for i in ("00001", "00002")]
    where = {}
    for part, own in zip(names, (list(RAW)[:2], list(RAW)[2:]), strict=True):
        write(folder / part, {name: RAW[name] for name in own})
        where |= dict.fromkeys(own, part)
    index = folder / f"model{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": where}))
    return index, [folder / part for part in names]


@pytest.mark.parametrize(
    ("suffix", "write"), [(".safetensors", save_safetensors), (".bin", save), (".bin", save_legacy)]
)
@pytest.mark.situation(
    "Weights",
    "weights in parts with an index",
    "read; a part alone is refused with the index's name",
)
def test_weights_in_parts_are_read_by_their_index(suffix, write, tmp_path):
    index, parts = in_parts(tmp_path, suffix, write)
    (tmp_path / "vocabulary.index.json").write_text('{"words": []}')
    assert find_weights(str(tmp_path)) == find_weights(str(index)) == index
    assert_read(read(index))
    with pytest.raises(WeightsError, match=r"holds a part of the weights; give the whole: .*index"):
        find_weights(str(parts[0]))


def test_the_checksum_of_parts_is_that_of_all_their_bytes(tmp_path):
    index, parts = in_parts(tmp_path)
    (tmp_path / "all").write_bytes(b"".join(part.read_bytes() for part in parts))
    assert files_sha256(index) == files_sha256(tmp_path / "all")


@pytest.mark.situation(
    "Weights",
    "a part that is missing or holds something else",
    "named",
)
def test_a_part_that_is_missing_or_wrong_is_named(tmp_path):
    index, parts = in_parts(tmp_path)
    safetensors.numpy.save_file({"norm.bias": ONE}, parts[0])
    with pytest.raises(
        WeightsError, match=r"lists patch_embed.proj.weight in model-00001-of-00002"
    ):
        read(index)
    parts[0].unlink()
    with pytest.raises(
        WeightsError,
        match=r"names 2 parts; missing beside it: model-00001-of-00002.safetensors;",
    ):
        read(index)
    in_parts(tmp_path)
    index.unlink()
    with pytest.raises(WeightsError, match=r"parts of one, and their index .* is not there"):
        find_weights(str(tmp_path))


@pytest.mark.parametrize("part", ["../a.safetensors", "/etc/passwd", "..\\a", "model.index.json"])
def test_an_index_names_files_beside_it_and_no_index(part, tmp_path):
    path = tmp_path / "model.index.json"
    path.write_text(json.dumps({"weight_map": {"norm.bias": part}}))
    with pytest.raises(WeightsError, match="is refused: it names"):
        read(path)


# --- what is no weights at all


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for entry in names:
            archive.writestr(entry, "x")
    return buffer.getvalue()


def tarred():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.pth"), io.BytesIO())
    return buffer.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 113440096\n"
REFUSED = {
    "empty": (b"", "is empty"),
    "page": (
        b"\n<!DOCTYPE html><html><head><title>Google Drive -\n Quota</title></head>",
        "a web page (“Google Drive - Quota”)",
    ),
    "page after a comment": (b"<!-- x --><HTML><body>", "is a web page, not"),
    "pointer": (LFS, "a Git LFS pointer to the weights (108.2 MiB), not the weights: run git lfs"),
    "answer": (b'{"error":"Repository not found"}', 'is JSON ({"error":"Repository not found"})'),
    "XML": (b'<?xml version="1.0"?><Error><Code>AccessDenied', "an answer in XML"),
    "Keras": (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file, as Keras writes"),
    "gzip": (b"\x1f\x8b" + bytes(99), "compressed by gzip; unpack it"),
    "tar": (tarred(), "a tar archive; unpack it"),
    "photographs": (zipped("a/1.jpg", "a/2.jpg"), "zip archive of other files (a/1.jpg, a/2.jpg)"),
    "TorchScript": (
        zipped("m/data.pkl", "m/constants.pkl"),
        "a TorchScript program, which is not run",
    ),
    "half an archive": (zipped("archive/data.pkl")[:40], "cannot be read as an archive"),
    "one array": (b"\x93NUMPY\x01\x00" + bytes(99), "one NumPy array without a name"),
    "text": (b"Access denied. Please log in.", "cannot be read as a file of weights"),
    "anything": (bytes(range(200, 256)), "weights are read from safetensors, NumPy's .npz and"),
}


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pth", ".ckpt"])
@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
@pytest.mark.situation(
    "Weights",
    "a web page, a Git LFS pointer, a Keras file, an archive or text in place of weights",
    "called what it is",
)
def test_what_is_no_weights_is_called_what_it_is(content, said, suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as error:
        read(path)
    assert str(path) in str(error.value) and said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read: Is a directory"):
        read(tmp_path)


# --- pickles beside the parameters


def made(module, attribute, **state):
    """An object as pickle writes most: made without arguments, then given its attributes."""
    return name(module, attribute) + b")\x81" + mapping(state) + b"b"


BESIDE = {
    "arguments": made("argparse", "Namespace", lr=b"K\x01"),
    "configuration": made("yacs.config", "CfgNode", MODEL=b"}"),
    "hyper-parameters": made("lightning.fabric.utilities.data", "AttributeDict", lr=b"K\x01"),
    "a path": name("pathlib", "PosixPath") + b"(" + text("/data") + b"tR",
    "a set": name("__builtin__", "set") + b"(](K\x01etR",
    "a dtype": name("torch", "float32"),
    "history": made("mmengine.logging.history_buffer", "HistoryBuffer", a=b"K\x01"),
}


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
def test_what_trainers_leave_beside_is_neither_run_nor_in_the_way(beside, tmp_path):
    save(tmp_path / "file", {"beside": beside, "state_dict": RAW})
    checkpoint = read(tmp_path / "file")
    assert_read(checkpoint)
    assert checkpoint.notes == ()


@pytest.mark.parametrize("named", ["fastai.learner.Learner", "my_project.config.Config"])
def test_an_unknown_class_is_refused_by_name_wherever_it_stands(named, tmp_path):
    module, _, attribute = named.rpartition(".")
    save(tmp_path / "file", {"state_dict": RAW, "config": made(module, attribute)})
    with pytest.raises(WeightsError, match=f"asks for {named}, which no file of weights needs"):
        read(tmp_path / "file")


def test_a_tree_that_holds_itself_ends(tmp_path):
    """As a pickle may say: what is made first is put into itself."""
    body = b"}q\x00(" + text("self") + b"h\x00" + text("w") + tensor((3,), (1,)) + b"u"
    save(tmp_path / "file", {"a": ONE, "b": body})
    assert list(read_arrays(tmp_path / "file")) == ["a", "b.w"]


def test_a_run_has_one_set_of_parameters(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="stores the parameters of its best epoch only"):
        read(tmp_path, "ema")
