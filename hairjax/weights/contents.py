"""Arrays of a file of weights by dotted name, whatever the format and nesting.

Wrapping dicts become prefixes: ``{"state_dict": {"model.norm.bias": …}}`` holds
``state_dict.model.norm.bias``.
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

# Accepted dtypes of safetensors: weights; buffers such as counters and index tables.
FLOATS, BUFFERS = ("F64", "F32", "F16", "BF16"), ("I64", "I32", "BOOL")
# Module names inserted by torch.compile and FSDP.
WRAPPED = re.compile(r"(?<=\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_EXAMPLES = 3
DEEPEST = 50  # levels of dicts and lists


@dataclass(frozen=True)
class Contents:
    """Contents of a file of weights."""

    names: tuple[str, ...]  # dotted names of the arrays
    read: Callable[[str], np.ndarray]  # function name → array, in the saved dtype
    others: frozenset[str] = frozenset()  # dotted names of other entries
    metadata: dict[str, str] = field(default_factory=dict)  # metadata of the file


@contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """Yield the contents of an open file; arrays are read on demand, floats as float32.

    Raises:
        WeightsError: not a file of weights, damaged, unsafe, or (on reading) quantised.
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
    """Raise if parameters are quantised or not finite."""
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
    """Names without module wrappers → names in the file."""
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
    """Tensors by dotted name in the contents of a torch.save file, and names of other entries.

    A container reached twice keeps its first name. Plain list items have no names.

    Raises:
        ValueError: two tensors have the same name.
        RefusedError: excessive nesting.
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
    # Registers "bfloat16" with NumPy for safetensors; do not rely on the import of JAX.
    import ml_dtypes  # noqa: F401
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:

        def read(name: str) -> np.ndarray:
            dtype = file.get_slice(name).get_dtype()
            if dtype not in FLOATS + BUFFERS:
                raise RefusedError(
                    f"{name} is {dtype}; weights are read as {', '.join(FLOATS)} only, since "
                    "quantised values need their scales: take the original file, or write one in "
                    "BF16 or F32"
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
        parts = {part.name: stack.enter_context(opened(part)) for part in shard_files(path)}
        where = _weight_map(path)
        for name, part in where.items():
            if name not in parts[part].names:
                raise WeightsError(f"{path} lists {name} in {part}, which does not hold it")
        yield Contents(tuple(where), lambda name: parts[where[name]].read(name))


def read_metadata(path: Path) -> dict[str, str]:
    """Metadata of a safetensors file; empty for other formats.

    Raises:
        WeightsError: as ``opened``.
    """
    if format_of(path) != SAFETENSORS:
        return {}
    with opened(path) as contents:
        return contents.metadata


def shard_files(path: Path) -> list[Path]:
    """Files of a source: the shards of an index, else the file itself.

    Raises:
        WeightsError: a shard is missing or outside the folder.
    """
    if format_of(path) != INDEX:
        return [path]
    parts = shard_names(path)
    if outside := [part for part in parts if Path(part).name != part or "\\" in part]:
        raise WeightsError(f"{path} is refused: it names {outside[0]!r}, a path beside its folder")
    if missing := [part for part in parts if not (path.parent / part).is_file()]:
        raise WeightsError(
            f"{path} names {counted(len(parts), 'part')}; missing beside it: "
            f"{examples(missing, 8)}; put them there"
        )
    found = [path.parent / part for part in parts]
    if indexes := [part.name for part in found if format_of(part) == INDEX]:
        raise WeightsError(f"{path} is refused: it names {indexes[0]!r}, an index, as a part")
    return found


def files_sha256(path: Path) -> str:
    """SHA-256 of a file, or of its shards concatenated."""
    digest = hashlib.sha256()
    for part in shard_files(path):
        with part.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def shard_names(index: Path) -> list[str]:
    """Names of the shards in an index."""
    return sorted(set(_weight_map(index).values()))


def _weight_map(path: Path) -> dict[str, str]:
    found = json.loads(path.read_bytes())["weight_map"]
    return {str(name): str(part) for name, part in found.items()}


OPENERS = {SAFETENSORS: _opened_safetensors, NPZ: _opened_npz, INDEX: _opened_index}
