"""Read PyTorch files without torch and without executing them.

``torch.save`` writes a pickle, a program that may call anything. Here names expected in a file of
weights stand for inert classes; every other name is refused. Two formats: a zip archive (torch ≥
1.6), and the older stream of pickles and storages.
"""

import functools
import io
import math
import os
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
BFLOAT16 = "bfloat16"
# Text, not dtypes: a pickle cannot alter text.
STORAGES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class RefusedError(ValueError):
    """The file asks for something that no file of weights needs; the message says for what."""


class Closed:
    """Class that a pickle cannot alter: neither instance nor (no ``self``) class attributes."""

    def __setstate__(self, _: Any) -> None:
        pass


class Inert(Closed):
    """Placeholder for arguments, optimizer, scores and the like; stores nothing."""

    def __new__(cls, *_: Any, **__: Any) -> "Inert":
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any):
        pass

    def __setitem__(self, _: Any, __: Any) -> None:
        pass

    def append(self, _: Any) -> None:
        pass

    add = append


class Names(Closed, dict):
    """An ``OrderedDict`` without attributes (torch's module versions)."""


class Storage(Closed):
    """Named storage of one dtype; a legacy file may refer to a part of it."""

    def __init__(self, key: str, kind: str, start: int):
        self.key, self.kind, self.start = key, kind, start


class Tensor(Closed):
    """Lazy strided view of a storage."""

    def __init__(
        self, storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
    ):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride


class Parameter(Closed):
    """A trained tensor, read as the tensor."""

    def __new__(cls, tensor: Tensor, *_: Any) -> Tensor:  # type: ignore[misc]
        return tensor


# Names beside weights, by module: arguments, configurations, scores, paths, random states.
BESIDE = {
    "_codecs": "encode",
    "addict.addict": "Dict",
    "argparse": "Namespace",
    "collections": "Counter defaultdict deque",
    "datetime": "date datetime time timedelta timezone",
    "easydict": "EasyDict",
    "lightning.fabric.utilities.data": "AttributeDict",
    "lightning_fabric.utilities.data": "AttributeDict",
    "mmcv.utils.config": "ConfigDict",
    "mmengine.config.config": "ConfigDict",
    "mmengine.logging.history_buffer": "HistoryBuffer",
    "numpy": "dtype ndarray",
    "omegaconf.base": "ContainerMetadata Metadata",
    "omegaconf.dictconfig": "DictConfig",
    "omegaconf.listconfig": "ListConfig",
    "omegaconf.nodes": "AnyNode BooleanNode FloatNode IntegerNode StringNode",
    "pytorch_lightning.utilities.parsing": "AttributeDict",
    "torch": "Size device",
    "types": "SimpleNamespace",
    "typing": "Any",
    "yacs.config": "CfgNode",
    **dict.fromkeys(("numpy.core.multiarray", "numpy._core.multiarray"), "_reconstruct scalar"),
    **dict.fromkeys(
        ("builtins", "__builtin__"),
        "bool bytearray complex dict float frozenset int list set slice str tuple",
    ),
    **dict.fromkeys(
        ("pathlib", "pathlib._local"),
        "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    ),
}
DTYPES = "bfloat16 bool double float float16 float32 float64 half int16 int32 int64 int8 long uint8"
# Allowed names, each text or a closed class: callable, not alterable.
MEANINGS: dict[str, Any] = {
    "collections.OrderedDict": Names,
    "torch._utils._rebuild_tensor": Tensor,
    "torch._utils._rebuild_tensor_v2": Tensor,
    "torch._utils._rebuild_parameter": Parameter,
    "torch._utils._rebuild_parameter_with_state": Parameter,
    **{f"torch.{name}": kind for name, kind in STORAGES.items()},
    **{f"torch.cuda.{name}": kind for name, kind in STORAGES.items()},
    **{f"torch.{name}": name for name in DTYPES.split()},
    **{f"{module}.{name}": Inert for module, names in BESIDE.items() for name in names.split()},
}


class _Unpickler(pickle.Unpickler):
    """Unpickler of the names in ``MEANINGS`` only; records the dtype of every storage."""

    def __init__(self, stream: BinaryIO):
        super().__init__(stream, encoding="latin-1")
        self.kinds: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return MEANINGS[f"{module}.{name}"]
        except KeyError:
            raise RefusedError(
                f"it asks for {module}.{name}, which no file of weights needs; nothing in it was "
                "run. If you trust its origin, save only the parameters with torch: "
                "torch.save(model.state_dict(), FILE)"
            ) from None

    def persistent_load(self, pid: Any) -> Storage:
        kind, storage, key, _, _, *view = pid
        if kind != "storage" or storage not in STORAGES.values():
            raise RefusedError(f"it refers to {kind!r}, where a file of weights has storages")
        self.kinds[str(key)] = storage
        start = view[0][1] if view and view[0] is not None else 0
        return Storage(str(key), storage, start)


Opened = tuple[Any, Callable[[Tensor], np.ndarray]]


@contextmanager
def opened_pth(path: Path) -> Iterator[Opened]:
    """Yield the contents of a torch.save file, and a function that reads one of its tensors.

    Contents: dicts, lists, tuples, numbers, text, ``Tensor``s, and ``Inert``s for anything else.
    Tensors keep their dtype; bfloat16 becomes float32.

    Raises:
        RefusedError: a name that no file of weights needs, or a resource bomb; nothing was run.
        Exception: any error of a damaged file, also while reading tensors.
    """
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        if is_zip:
            with zipfile.ZipFile(file) as archive:
                yield _read_zip(archive, os.fstat(file.fileno()).st_size)
        else:
            yield _read_legacy(file, os.fstat(file.fileno()).st_size)


def _read_zip(archive: zipfile.ZipFile, size: int) -> Opened:
    _check_archive(archive, size)
    names = set(archive.namelist())
    pickles = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise ValueError("it is a zip archive, but not one of torch.save: data.pkl is missing")
    root = pickles[0].removesuffix("data.pkl")
    is_big = f"{root}byteorder" in names and archive.read(f"{root}byteorder") == b"big"
    content, _ = _unpickle(io.BytesIO(archive.read(pickles[0])))

    @functools.cache  # many tensors may share a storage
    def storage(key: str) -> bytes:
        if f"{root}data/{key}" not in names:
            raise ValueError(f"storage {key!r} is missing")
        return archive.read(f"{root}data/{key}")

    order: Literal["<", ">"] = ">" if is_big else "<"
    return content, lambda tensor: _array(tensor, storage(tensor.storage.key), order)


def _check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse archives with compressed entries, excessive sizes or outside paths."""
    entries = archive.infolist()
    for entry in entries:
        if entry.filename.startswith("/") or ".." in entry.filename.replace("\\", "/").split("/"):
            raise RefusedError(f"its archive names {entry.filename!r}, a path outside itself")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise RefusedError(
                f"its archive holds {entry.filename!r} compressed, which torch.save never does"
            )
    if sum(entry.file_size for entry in entries) > size:
        raise RefusedError("its archive claims to hold more than the file has bytes")


def _read_legacy(file: BinaryIO, size: int) -> Opened:
    if _unpickle(file)[0] != LEGACY_MAGIC:
        raise ValueError("it does not begin as a file of torch.save does")
    for _ in ("version of the format", "sizes of C types where it was written"):
        _unpickle(file)
    content, kinds = _unpickle(file)
    places = {}
    for key in _unpickle(file)[0]:
        (count,) = struct.unpack("<q", file.read(8))
        places[key] = file.tell(), count * _dtype(kinds[key]).itemsize
        if not 0 <= places[key][1] <= size - file.tell():
            raise ValueError(f"it ends inside storage {key!r}")
        file.seek(places[key][1], io.SEEK_CUR)

    @functools.cache
    def storage(key: str) -> bytes:
        start, length = places[key]
        file.seek(start)
        return file.read(length)

    return content, lambda tensor: _array(tensor, storage(tensor.storage.key), "<")


def _unpickle(file: BinaryIO) -> tuple[Any, dict[str, str]]:
    """Next pickle of a stream, and the dtypes of its storages."""
    start = file.tell()
    for opcode, argument, position in pickletools.genops(file):
        # The unpickler allocates its memo up to the highest index. (Every opcode of a seekable
        # stream has a position.)
        if opcode.name.endswith("PUT") and (argument or 0) > (position or 0) - start:
            raise RefusedError(f"its pickle numbers an object {argument:,}, more than it can hold")
    end = file.tell()
    file.seek(start)
    unpickler = _Unpickler(io.BytesIO(file.read(end - start)))
    return unpickler.load(), unpickler.kinds


def _array(tensor: Tensor, data: bytes, order: Literal["<", ">"]) -> np.ndarray:
    storage, size, stride = tensor.storage, tuple(tensor.size), tuple(tensor.stride)
    offset = storage.start + tensor.offset
    numbers = np.frombuffer(data, _dtype(storage.kind).newbyteorder(order))
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    # A stride of 0 could expand one number to any size; parameters are never stored so.
    count: int = math.prod(size)
    inside = count <= len(numbers) and last < len(numbers)
    if min(offset, *size, *stride, 0) < 0 or (count and not inside):
        raise ValueError(f"an array of size {list(size)} does not lie in its storage")
    steps = [step * numbers.itemsize for step in stride]
    array = np.lib.stride_tricks.as_strided(numbers[offset:], size, steps, writeable=False)
    if storage.kind == BFLOAT16:  # the upper half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array


def _dtype(kind: str) -> np.dtype:
    return np.dtype("u2" if kind == BFLOAT16 else kind)
