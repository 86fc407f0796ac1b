"""Files of weights as other programs write them, and all that is read of one."""

import pickle
import struct
import zipfile

import numpy as np

from hairjax.weights import pth
from hairjax.weights.contents import opened


def read_arrays(path):
    """Every array of a file by its place."""
    with opened(path) as contents:
        return {name: contents.read(name) for name in contents.names}


# --- pickles as torch writes them, put together by hand


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def integers(values):
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


def storage(kind="FloatStorage", key="0", view=b""):
    return (
        b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + b"K\x00" + view
    ) + b"tQ"


def tensor(size, stride, offset=0, **place):
    arguments = storage(**place) + b"J" + struct.pack("<i", offset)
    arguments += integers(size) + integers(stride) + b"\x89" + b"}"
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + arguments + b"tR"


def mapping(entries):
    return b"}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def program(body):
    return b"\x80\x02" + body + b"."


def write_zip(path, body, storages, order="little", extra=(), **how):
    with zipfile.ZipFile(path, "w", **how) as archive:
        archive.writestr("archive/data.pkl", program(body))
        archive.writestr("archive/byteorder", order)
        for key, data in {
            **{f"archive/data/{k}": d for k, d in storages.items()},
            **dict(extra),
        }.items():
            archive.writestr(key, data)
    return path


def write_legacy(path, body, storages, counts):
    head = [pth.LEGACY_MAGIC, 1001, {"little_endian": True}]
    with path.open("wb") as file:
        for value in head:
            file.write(pickle.dumps(value, protocol=2))
        file.write(program(body))
        file.write(pickle.dumps(list(storages), protocol=2))
        for key, data in storages.items():
            file.write(struct.pack("<q", counts[key]) + data)
    return path


def save(path, tree):
    """Write a tree of dicts, lists, float32 arrays, numbers and text as ``torch.save`` does."""
    storages = {}

    def pickled(item):
        match item:
            case dict():
                entries = b"".join(text(str(k)) + pickled(v) for k, v in item.items())
                return b"}(" + entries + b"u"
            case list():
                return b"](" + b"".join(map(pickled, item)) + b"e"
            case str():
                return text(item)
            case bytes():  # a pickle of its own
                return item
            case np.ndarray():
                key, array = str(len(storages)), np.ascontiguousarray(item, np.float32)
                storages[key] = array.tobytes()
                strides = [step // 4 for step in array.strides]
                return tensor(array.shape, strides, key=key)
        return b"G" + struct.pack(">d", item)

    return write_zip(path, pickled(tree), storages)
