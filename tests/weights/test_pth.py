import io
import os
import pickle
import re
import struct
import subprocess
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from hairjax.weights import WeightsError, pth
from tests.weights.files import (
    mapping,
    name,
    read_arrays,
    tensor,
    text,
    write_legacy,
    write_zip,
)

# Written by tests/reference/make_swin_sources.py with torch: the one a zip archive, the other in
# the legacy format, both from the weights of swin.safetensors.
REFERENCE = Path(__file__).parents[1] / "reference"
ZIPPED, LEGACY = REFERENCE / "swin_microsoft.pth", REFERENCE / "swin_original.pth"

# --- what comes out


def test_zip_archive_by_torch_is_read():
    saved = safetensors.numpy.load_file(REFERENCE / "swin.safetensors")
    read = {place.removeprefix("model."): array for place, array in read_arrays(ZIPPED).items()}
    same = {name: array for name, array in read.items() if name in saved and "downs" not in name}
    assert len(same) == 84
    for key, array in same.items():
        np.testing.assert_array_equal(array, saved[key])
    index = read["layers.0.blocks.1.attn.relative_position_index"]
    assert index.shape == (16, 16)
    assert index.max() == 48


def test_legacy_file_by_torch_is_read():
    saved = safetensors.numpy.load_file(REFERENCE / "swin.safetensors")
    prefix = "model_state_dict."
    read = {place.removeprefix(prefix): array for place, array in read_arrays(LEGACY).items()}
    assert read["patch_embed.proj.weight"].shape == (8, 6, 4, 4)
    assert {read["head.0.weight"].shape, read["head.3.bias"].shape} == {(6, 32), (4,)}
    for key in ("norm.weight", "layers.2.blocks.1.mlp.fc2.weight"):
        np.testing.assert_array_equal(read[key], saved[key])


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("kind", pth.STORAGES)
def test_numbers_of_every_kind(kind, order, tmp_path):
    dtype = ml_dtypes.bfloat16 if kind.startswith("BF") else np.dtype(pth.STORAGES[kind])
    values = np.array([0, 1, 2.5, 100]).astype(dtype)
    data = values.byteswap().tobytes() if order == "big" else values.tobytes()
    body = mapping({"a": tensor((4,), (1,), kind=kind)})
    read = read_arrays(write_zip(tmp_path / "a.pth", body, {"0": data}, order))
    # Whole numbers stay what they are: no parameter is such.
    kept = np.dtype(dtype).newbyteorder("=") if np.dtype(dtype).kind in "iub" else np.float32
    assert read["a"].dtype.newbyteorder("=") == kept
    np.testing.assert_array_equal(read["a"], values.astype(np.float32))
    if order == "little":
        read = read_arrays(write_legacy(tmp_path / "b.pth", body, {"0": data}, {"0": 4}))
        np.testing.assert_array_equal(read["a"], values.astype(np.float32))


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_strides_and_offsets_are_honoured(tmp_path_factory, data):
    """Any slice with any order of axes, as torch saves a view."""
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    whole = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    view = whole.transpose(data.draw(st.permutations(range(len(shape)))))
    for axis in range(view.ndim):
        start = data.draw(st.integers(0, view.shape[axis]))
        view = view[(slice(None),) * axis + (slice(start, None),)]
    offset = (view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // 4
    body = mapping({"a": tensor(view.shape, [s // 4 for s in view.strides], offset)})
    folder = tmp_path_factory.mktemp("views")
    for path in (
        write_zip(folder / "a.pth", body, {"0": whole.tobytes()}),
        write_legacy(folder / "b.pth", body, {"0": whole.tobytes()}, {"0": whole.size}),
    ):
        np.testing.assert_array_equal(read_arrays(path)["a"], view)


def test_views_of_a_legacy_storage_begin_where_they_say(tmp_path):
    view = b"(" + text("view") + b"K\x02K\x03t"
    body = mapping({"a": tensor((3,), (1,), view=view), "b": tensor((2,), (1,), 1, view=b"N")})
    data = {"0": np.arange(6, dtype=np.float32).tobytes()}
    read = read_arrays(write_legacy(tmp_path / "a.pth", body, data, {"0": 6}))
    np.testing.assert_array_equal(read["a"], [2, 3, 4])
    np.testing.assert_array_equal(read["b"], [1, 2])


def test_scalars_empty_arrays_and_shared_storages(tmp_path):
    body = mapping(
        {
            "scalar": tensor((), (), 1),
            "empty": tensor((0, 3), (3, 1), key="1"),
            "first": tensor((2,), (1,)),
        }
    )
    data = {"0": np.array([5, 7], np.float32).tobytes(), "1": b""}
    read = read_arrays(write_zip(tmp_path / "a.pth", body, data))
    assert read["scalar"] == 7
    assert read["empty"].shape == (0, 3)
    np.testing.assert_array_equal(read["first"], [5, 7])


ONE = tensor((1,), (1,))
DATA = {"0": np.ones(1, np.float32).tobytes()}


@pytest.mark.parametrize(
    ("body", "places"),
    [
        (mapping({"w": ONE}), ["w"]),
        (mapping({"model": mapping({"w": ONE}), "epoch": b"K\x01", "x": ONE}), ["model.w", "x"]),
        (mapping({"a": b"](" + ONE + mapping({"w": ONE}) + b"e"}), ["a.0", "a.1.w"]),
        (mapping({"w": ONE, "v": b"K\x01"}), ["w"]),
        (
            mapping({"w": name("torch._utils", "_rebuild_parameter") + b"(" + ONE + b"\x88}tR"}),
            ["w"],
        ),
    ],
)
def test_every_array_has_the_place_where_it_stands(body, places, tmp_path):
    assert list(read_arrays(write_zip(tmp_path / "a.pth", body, DATA))) == places


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (mapping({"epoch": b"K\x01", "net": mapping({"lr": b"K\x01"})}), "(epoch, net.lr)"),
        (b"K\x01", "no names"),
        (mapping({"a.w": ONE, "a": mapping({"w": ONE})}), "two arrays in it are called 'a.w'"),
        (b"]" * 99 + b"a" * 98, "nests 51 deep"),
        (mapping({"w": tensor((2,), (1,))}), "[2] does not lie in its storage"),
        (mapping({"w": tensor((1,), (1,), 1)}), "does not lie"),
        (mapping({"w": tensor((1,), (1,), -1)}), "does not lie"),
        (mapping({"w": tensor((1, 1), (1, -1))}), "does not lie"),
        (mapping({"w": tensor((1 << 30, 1 << 30), (0, 0))}), "does not lie"),
        (mapping({"w": tensor((1,), (1,), key="../../0")}), "storage '../../0' is missing"),
    ],
)
def test_what_is_no_array_or_not_there_is_refused(body, said, tmp_path):
    with pytest.raises(WeightsError, match=re.escape(said)):
        read_arrays(write_zip(tmp_path / "a.pth", body, DATA))


# --- nothing is run


class Call:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def traps(path):
    touch = f"open({str(path)!r}, 'w')"
    return {
        "posix.system": Call(os.system, f"touch '{path}'"),
        "builtins.eval": Call(eval, touch),
        "builtins.exec": Call(exec, touch),
        "builtins.getattr": Call(getattr, path, "touch"),
        "subprocess.Popen": Call(subprocess.Popen, ["touch", str(path)]),
        f"{open.__module__}.open": Call(open, str(path), "w"),
        "builtins.__import__": Call(__import__, "os"),
    }


def wrapped(kind, trap, protocol, path):
    """The trap as a pickle alone, in a zip archive, or as any pickle of a legacy file."""
    body = pickle.dumps({"model": [trap]}, protocol=protocol)
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", body)
    else:
        head = [pickle.dumps(v, protocol=2) for v in (pth.LEGACY_MAGIC, 1001, {})]
        path.write_bytes(b"".join(head[: int(kind)]) + body)
    return path


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("kind", ["zip", "0", "1", "3"])
@pytest.mark.parametrize("named", traps(Path("x")))
def test_pickle_that_calls_is_refused_by_name_and_runs_nothing(named, kind, protocol, tmp_path):
    sprung = tmp_path / "sprung"
    path = wrapped(kind, traps(sprung)[named], protocol, tmp_path / "model.pth")
    with pytest.raises(WeightsError) as error:
        read_arrays(path)
    # Pickles of old protocols have Python 2's names.
    message = str(error.value).replace("__builtin__", "builtins").replace("commands", "subprocess")
    assert f"model.pth is refused: it asks for {named}, which no file of weights needs" in message
    assert "nothing in it was run" in message
    assert "\n" not in message
    assert not sprung.exists()


def test_call_nested_in_an_allowed_one_is_refused(tmp_path):
    sprung = tmp_path / "sprung"
    call = name("posix", "system") + b"(" + text(f"touch '{sprung}'") + b"tR"
    body = name("collections", "OrderedDict") + b"(" + call + b"tR"
    with pytest.raises(WeightsError, match=r"it asks for posix\.system"):
        read_arrays(write_zip(tmp_path / "a.pth", mapping({"model": body}), DATA))
    assert not sprung.exists()


@pytest.mark.parametrize("meaning", [m for m in pth.MEANINGS if not m.startswith("torch.Bool")])
@pytest.mark.parametrize(
    "state", [mapping({"__init__": b"N"}), b"N" + mapping({"__init__": b"N"}) + b"\x86"]
)
def test_no_meaning_can_be_altered(meaning, state, tmp_path):
    """BUILD sets attributes of whatever it is given, a class or an instance of one."""
    module, _, attribute = meaning.rpartition(".")
    before = {m: dict(vars(m)) for m in pth.MEANINGS.values() if isinstance(m, type)}
    there = name(module, attribute)
    for built in (there + state + b"b", there + b"(ttR" + state + b"b"):
        with pytest.raises(WeightsError):
            read_arrays(write_zip(tmp_path / "a.pth", mapping({"x": built}), DATA))
    assert before == {m: dict(vars(m)) for m in pth.MEANINGS.values() if isinstance(m, type)}


def test_whole_models_are_refused(tmp_path):
    body = b"(" + text("module") + name("torch", "FloatStorage") + text("0") + b"NNtQ"
    with pytest.raises(WeightsError, match="refers to 'module'"):
        read_arrays(write_zip(tmp_path / "a.pth", body, DATA))
    with pytest.raises(WeightsError, match=r"asks for models\.swin\.Swin.*state_dict\(\)"):
        read_arrays(write_zip(tmp_path / "a.pth", name("models.swin", "Swin"), DATA))


def test_memo_of_gigabytes_is_refused(tmp_path):
    body = b"}r" + struct.pack("<I", 1 << 31)
    with pytest.raises(WeightsError, match="numbers an object 2,147,483,648"):
        read_arrays(write_zip(tmp_path / "a.pth", body, DATA))


# --- archives and their lies


def test_compressed_archive_is_refused(tmp_path):
    bomb = {"0": bytes(10_000_000)}
    how = {"compression": zipfile.ZIP_DEFLATED}
    path = write_zip(tmp_path / "a.pth", mapping({"w": ONE}), bomb, **how)
    assert path.stat().st_size < 20_000
    with pytest.raises(WeightsError, match=r"holds 'archive/data\.pkl' compressed, which torch"):
        read_arrays(path)


@pytest.mark.parametrize("entry", ["../evil", "/etc/evil", "archive/../../evil", "a\\..\\evil"])
def test_path_outside_the_archive_is_refused(entry, tmp_path):
    path = write_zip(tmp_path / "a.pth", mapping({"w": ONE}), DATA, extra={entry: b"x"}.items())
    with pytest.raises(WeightsError, match="a path outside itself"):
        read_arrays(path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.pth"]


def test_archive_that_claims_more_than_it_has_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.pth", mapping({"w": ONE}), {"0": b"12345678" * 7})
    # Compressed and whole size of the last entry, in its local header and in the directory.
    lie = path.read_bytes().replace(
        struct.pack("<II", 56, 56), struct.pack("<II", 1 << 30, 1 << 30)
    )
    path.write_bytes(lie)
    with pytest.raises(WeightsError, match="claims to hold more than the file has bytes"):
        read_arrays(path)


def test_other_archives_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("photographs/1.txt", "x")
    with pytest.raises(
        WeightsError, match=r"a zip archive of other files \(photographs/1\.txt\), neither of torch"
    ):
        read_arrays(tmp_path / "a.pth")


@pytest.mark.parametrize("source", [ZIPPED, LEGACY], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0, 1e-5, 1e-4, 0.01, 0.1, 0.5, 0.9, 0.999, 0.99999])
def test_truncated_file_is_refused(source, share, tmp_path):
    whole = source.read_bytes()
    path = tmp_path / "model.pth"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(WeightsError, match=r"model\.pth (cannot be read as|is empty)"):
        read_arrays(path)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([ZIPPED, LEGACY]), st.integers(0, 30_000), st.binary(min_size=1, max_size=8))
def test_altered_file_gives_arrays_or_one_sentence(tmp_path_factory, source, place, change):
    data = bytearray(source.read_bytes())
    data[place : place + len(change)] = change
    path = tmp_path_factory.mktemp("altered") / "model.pth"
    path.write_bytes(data)
    try:
        read = read_arrays(path)
    except WeightsError as error:
        assert str(error).startswith(str(path))
    else:
        assert all(isinstance(array, np.ndarray) for array in read.values())


def test_stream_without_an_end_is_refused():
    with pytest.raises(ValueError, match="pickle exhausted before seeing STOP"):
        pth._unpickle(io.BytesIO(b"\x80\x02}"))
