"""Parameter names of other libraries, and conversion of their arrays.

A name is translated by the first pattern of a table matching its beginning. In a replacement ``+1``
and ``-1`` change the preceding number; ``[0]`` to ``[2]`` mark parts to concatenate (query, key,
value).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hairjax.weights import WeightsError

Table = tuple[tuple[str, str], ...]
# (our path with the source's leaf, the source's array) → (our path, array in our layout)
Layout = Callable[[str, np.ndarray], tuple[str, np.ndarray]]
_STATISTICS = {"running_mean": "mean", "running_var": "var"}


def our_layout(path: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """Convert torch's leaf names and axes to ours.

    Dense weight [out, in] → kernel [in, out]; convolution [out, in, h, w] → [h, w, in, out]; norm
    weight → scale, running statistics → mean and var.
    """
    module, _, leaf = path.rpartition(".")
    if leaf != "weight":
        return f"{module}.{_STATISTICS.get(leaf, leaf)}", array
    if array.ndim == 1:
        return f"{module}.scale", array
    # Arrays of other ranks are rejected by the later comparison of shapes.
    axes = {2: (1, 0), 4: (2, 3, 1, 0)}.get(array.ndim)
    return f"{module}.kernel", array if axes is None else array.transpose(axes)


@dataclass(frozen=True)
class Naming:
    """Parameter naming of one source."""

    title: str  # name of the source in messages
    markers: tuple[str, ...]  # patterns that, all found behind one prefix, identify the naming
    table: Table  # pairs (pattern of the source's name, our dotted path)
    mask_shifted: bool = True  # False if its shifted windows are not masked
    layout: Layout = our_layout  # converts leaf names and axes
    # pattern of ignored names (training-only parameters)
    ignored: str = "(?!)"  # none


OURS = Naming("hairjax", (r"stem\.proj\.kernel",), ((r"(stem|stages|head)\.", r"\1."),))
# Buffers derived from the window size, and batch counters of norms.
DERIVED = re.compile(r"relative_position_index$|attn_mask$|num_batches_tracked$")


def recognise(names: Iterable[str], family: str, namings: Iterable[Naming]) -> dict[str, Naming]:
    """Naming of the parameters behind every prefix ("" or e.g. "module.").

    ``family``: title for messages; ``namings``: known ones, more specific ones first.

    Raises:
        WeightsError: unknown names; lists the first names and the known namings.
    """
    names, namings = list(names), (OURS, *namings)
    found: dict[str, Naming] = {}
    for naming in namings:
        first, *others = naming.markers
        for name in names:
            marked = re.fullmatch(rf"((?:.*?\.)??){first}", name)
            if marked and marked[1] not in found:
                prefix = re.escape(marked[1])
                if all(any(re.fullmatch(prefix + o, n) for n in names) for o in others):
                    found[marked[1]] = naming
    if found:
        return found
    raise WeightsError(
        f"these are not the names of {family}'s parameters: {', '.join(names[:5]) or 'none at all'}"
        f"{' …' if len(names) > 5 else ''}; known are the names of "
        f"{', '.join(naming.title for naming in namings)}"
    )


def translate(
    naming: Naming, prefix: str, arrays: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Arrays by our dotted path in our layout, and names without a counterpart.

    A parameter with a missing part of three (query, key, value) is unexpected as a whole.

    Args:
        naming: naming of the source.
        prefix: prefix of the parameters.
        arrays: the source's arrays by name.
    """
    found: dict[str, np.ndarray] = {}
    parts: dict[str, dict[int, tuple[str, np.ndarray]]] = {}
    unexpected = []
    for name, array in arrays.items():
        if DERIVED.search(name) or re.match(naming.ignored, name.removeprefix(prefix)):
            continue
        path = our_path(naming, name.removeprefix(prefix)) if name.startswith(prefix) else None
        if path is None:
            unexpected.append(name)
            continue
        path, array = naming.layout(path, array)
        path, part = _split_part(path)
        if part is not None:
            parts.setdefault(path, {})[part] = name, array
        elif path in found:
            unexpected.append(name)
        else:
            found[path] = array
    for path, named in parts.items():
        joined = _join([named[part][1] for part in sorted(named)])
        if joined is None:
            unexpected += [name for name, _ in named.values()]
        else:
            found[path] = joined
    return found, unexpected


def our_path(naming: Naming, name: str) -> str | None:
    """Our dotted path (with the source's leaf) of a name; None if there is none."""
    for pattern, replacement in naming.table:
        path, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return re.sub(r"(\d+)([+-]1)", lambda found: str(int(found[1]) + int(found[2])), path)
    return None


def _split_part(path: str) -> tuple[str, int | None]:
    found = re.search(r"\[(\d)\]", path)
    return (path.replace(found[0], ""), int(found[1])) if found else (path, None)


def _join(parts: list[np.ndarray]) -> np.ndarray | None:
    """Concatenate three arrays along the outputs; None unless they are three that fit."""
    fit = len(parts) == 3 and parts[0].ndim and len({array.shape[:-1] for array in parts}) == 1
    return np.concatenate(parts, axis=-1) if fit else None
