"""The arrays of a file by their places in it, in whichever format and however deep.

A place is the names that lead to an array, with dots between: ``state_dict.model.norm.bias`` for
``{"state_dict": {"model.norm.bias": …}}``. What wraps the parameters is so a prefix as any other.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hairjax.system.errors import examples
from hairjax.system.wording import counted
from hairjax.weights import WeightsError
from hairjax.weights.formats import INDEX, NPZ, READ, SAFETENSORS, UNKNOWN, format_of
from hairjax.weights.pth import RefusedError, Tensor, opened_pth

# What the numbers of a safetensors file may be: weights; a counter of batches, a table of indices
# (no parameter is either).
FLOATS, BUFFERS = ("F64", "F32", "F16", "BF16"), ("I64", "I32", "BOOL")
# What compiling or cutting a model puts between the names of its modules.
WRAPPED = re.compile(r"(?<=\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_EXAMPLES = 3
DEEPEST = 50  # levels of dicts and lists


@dataclass(frozen=True)
class Contents:
    """What a file of weights holds.

    Attributes:
        names: places of the arrays.
        read: gives the array at a place, in the dtype it was saved in.
        others: places of what is no array.
        metadata: what the file says of itself.
    """

    names: tuple[str, ...]
    read: Callable[[str], np.ndarray]
    others: frozenset[str] = frozenset()
    metadata: dict[str, str] = field(default_factory=dict)


@contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """The contents of a file while it is open; arrays are read when asked for.

    Numbers with a point come as float32, others as they are.

    Raises:
        WeightsError: the file is no file of weights, damaged, asks for what no weights need, or
            holds numbers that are no weights, in which case reading raises it.
    """
    kind = format_of(path)
    with ExitStack() as stack:
        with _reported(path, kind):
            contents = stack.enter_context(OPENERS.get(kind, _opened_pth)(path))
            places = _plain(contents.names)

        def read(place: str) -> np.ndarray:
            with _reported(path, kind):
                array = contents.read(places[place])
                return array if array.dtype.kind in "iubc" else np.asarray(array, np.float32)

        yield Contents(tuple(places), read, contents.others, contents.metadata)


def require_numbers(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse parameters that are no numbers to compute with: quantised, or not finite."""
    other = {name: str(array.dtype) for name, array in arrays.items() if array.dtype.kind != "f"}
    if other:
        kinds = ", ".join(sorted({*other.values()}))
        raise WeightsError(
            f"{path} is refused: {kinds} is no kind of weights ({examples([*other], _EXAMPLES)}); "
            "a quantised number means little without its scale: take the file that it was made from"
        )
    if broken := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
        raise WeightsError(
            f"{path} holds numbers that are not finite, in {len(broken):,} of "
            f"{counted(len(arrays), 'parameter')} ({examples(broken, _EXAMPLES)}): its training "
            "had diverged, or they were too large for float16; take another checkpoint"
        )


@contextmanager
def _reported(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except WeightsError:
        raise
    except RefusedError as error:
        raise WeightsError(f"{path} is refused: {error}") from error
    except Exception as error:  # damaged archives fail in many ways, even zlib's and tokenize's
        hint = f"; weights are read from {READ}" if kind == UNKNOWN else "; is it whole?"
        raise WeightsError(f"{path} cannot be read as {kind} ({error}){hint}") from error


def _plain(names: tuple[str, ...]) -> dict[str, str]:
    """Places without what wraps modules inside a model, and the places as they are."""
    plain = {WRAPPED.sub("", name): name for name in names}
    return plain if len(plain) == len(names) else dict(zip(names, names, strict=True))


@contextmanager
def _opened_pth(path: Path) -> Iterator[Contents]:
    with opened_pth(path) as (tree, read):
        tensors, others = flatten(tree)
        if not tensors:
            held = ", ".join(sorted(others)[:8]) or "no names"
            raise ValueError(f"it holds no tensors by name ({held})")
        yield Contents(tuple(tensors), lambda name: read(tensors[name]), frozenset(others))


def flatten(tree: Any) -> tuple[dict[str, Tensor], set[str]]:
    """Tensors by their places in what a file of torch.save holds, and the places of other things.

    A container that stands at two places has the first. In lists only containers and tensors have
    places.

    Raises:
        ValueError: two tensors have one place.
        RefusedError: it nests deeper than any file of weights.
    """
    tensors: dict[str, Tensor] = {}
    others: set[str] = set()
    seen: set[int] = set()
    waiting: list[tuple[tuple[str, ...], Any]] = [((), tree)]
    while waiting:
        path, item = waiting.pop()
        place = ".".join(path)
        if isinstance(item, Tensor):
            if place in tensors:
                raise ValueError(f"two arrays in it are called {place!r}")
            tensors[place] = item
        elif isinstance(item, dict | list | tuple):
            if len(path) > DEEPEST:
                raise RefusedError(f"it nests {len(path)} deep, which no file of weights does")
            if id(item) not in seen:
                seen.add(id(item))
                entries = item.items() if isinstance(item, dict) else enumerate(item)
                waiting += reversed([((*path, str(key)), entry) for key, entry in entries])
        elif path and not path[-1].isdigit():
            others.add(place)
    return tensors, others


@contextmanager
def _opened_safetensors(path: Path) -> Iterator[Contents]:
    # safetensors asks NumPy for "bfloat16" by name, which knows it once this is imported: by JAX
    # too, on whose import nothing here should depend.
    import ml_dtypes  # noqa: F401
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:

        def read(name: str) -> np.ndarray:
            dtype = file.get_slice(name).get_dtype()
            if dtype not in FLOATS + BUFFERS:
                raise RefusedError(
                    f"{name} is {dtype}, of which no weights are read, only of "
                    f"{', '.join(FLOATS)}; a quantised number means little without its scale: take "
                    "the file that these were made from, or write one with all in BF16 or F32"
                )
            return file.get_tensor(name)

        yield Contents(tuple(file.keys()), read, metadata=file.metadata() or {})


@contextmanager
def _opened_npz(path: Path) -> Iterator[Contents]:
    with np.load(path, allow_pickle=False) as file:
        yield Contents(tuple(file.files), file.__getitem__)


@contextmanager
def _opened_index(path: Path) -> Iterator[Contents]:
    with ExitStack() as stack:
        parts = {part.name: stack.enter_context(opened(part)) for part in parts_of(path)}
        where = _weight_map(path)
        for name, part in where.items():
            if name not in parts[part].names:
                raise WeightsError(f"{path} says that {part} holds {name}, and it does not")
        yield Contents(tuple(where), lambda name: parts[where[name]].read(name))


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of a safetensors file; empty for other files.

    Raises:
        WeightsError: as ``opened``.
    """
    if format_of(path) != SAFETENSORS:
        return {}
    with opened(path) as contents:
        return contents.metadata


def parts_of(path: Path) -> list[Path]:
    """The files that hold a source's arrays: the parts that an index names, else the file itself.

    Raises:
        WeightsError: a part is missing, or the index names files elsewhere.
    """
    if format_of(path) != INDEX:
        return [path]
    parts = listed_parts(path)
    if outside := [part for part in parts if Path(part).name != part or "\\" in part]:
        raise WeightsError(f"{path} is refused: it names {outside[0]!r}, a path beside its folder")
    if missing := [part for part in parts if not (path.parent / part).is_file()]:
        raise WeightsError(
            f"{path} names {counted(len(parts), 'part')}, and not beside it are "
            f"{examples(missing, 8)}; put them there"
        )
    found = [path.parent / part for part in parts]
    if indexes := [part.name for part in found if format_of(part) == INDEX]:
        raise WeightsError(f"{path} is refused: it names {indexes[0]!r}, an index, as a part")
    return found


def files_sha256(path: Path) -> str:
    """The checksum that ``sha256sum`` prints of a file, of parts one after another (``cat``)."""
    digest = hashlib.sha256()
    for part in parts_of(path):
        with part.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def listed_parts(index: Path) -> list[str]:
    """The names of the files that an index says hold the parts."""
    return sorted(set(_weight_map(index).values()))


def _weight_map(path: Path) -> dict[str, str]:
    found = json.loads(path.read_bytes())["weight_map"]
    return {str(name): str(part) for name, part in found.items()}


OPENERS = {SAFETENSORS: _opened_safetensors, NPZ: _opened_npz, INDEX: _opened_index}
