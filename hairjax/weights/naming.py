"""Parameter names of other libraries, and the conversion of their arrays to ours.

A name is translated by the first pattern of a table that its beginning matches. In a replacement,
``+1`` and ``-1`` change the number before it; ``[0]`` to ``[2]`` mark, in order, the parts of a
parameter that the source has in three.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hairjax.weights import WeightsError

Table = tuple[tuple[str, str], ...]
# (Our path but for its leaf, the source's array) → (our path, the array in our layout).
Layout = Callable[[str, np.ndarray], tuple[str, np.ndarray]]
_STATISTICS = {"running_mean": "mean", "running_var": "var"}


def our_layout(path: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """The path with our name for torch's leaf, and the array with its axes in our order.

    A dense weight [out, in] becomes a kernel [in, out], a convolution's [out, in, h, w] becomes
    [h, w, in, out], a norm's weight its scale, its running statistics its mean and variance.
    """
    module, _, leaf = path.rpartition(".")
    if leaf != "weight":
        return f"{module}.{_STATISTICS.get(leaf, leaf)}", array
    if array.ndim == 1:
        return f"{module}.scale", array
    # An array of any other rank fits nothing; its shape is refused where all shapes are compared.
    axes = {2: (1, 0), 4: (2, 3, 1, 0)}.get(array.ndim)
    return f"{module}.kernel", array if axes is None else array.transpose(axes)


@dataclass(frozen=True)
class Naming:
    """One source's names.

    Attributes:
        title: what a person calls the source.
        markers: patterns of names that, all found behind one prefix, tell this naming from others.
        table: (its name, our dotted path) as patterns and replacements.
        mask_shifted: True if its attention in shifted windows keeps opposite borders apart.
        layout: from the source's leaves and axes to ours.
        beside: pattern of names that are passed over: what only its own training needs.
    """

    title: str
    markers: tuple[str, ...]
    table: Table
    mask_shifted: bool = True
    layout: Layout = our_layout
    beside: str = "(?!)"  # none


OURS = Naming("hairjax", (r"stem\.proj\.kernel",), ((r"(stem|stages|head)\.", r"\1."),))
# Buffers: what follows from the window's size, and how many batches a norm has seen.
DERIVED = re.compile(r"relative_position_index$|attn_mask$|num_batches_tracked$")


def recognise(names: Iterable[str], family: str, namings: Iterable[Naming]) -> dict[str, Naming]:
    """Naming of the parameters behind every prefix that has any ("" or, say, "module.").

    Args:
        names: names of a source's arrays.
        family: what they should be the parameters of, in words.
        namings: those known for it; those with more markers before those whose markers are among
            them.

    Raises:
        WeightsError: nobody's known here; the first names and the known namings are listed.
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
    """Arrays by our dotted paths and in our layouts, and the names that stand for nothing here.

    A parameter of which one part of three is missing is left out, its other parts unexpected.

    Args:
        naming: whose names they are.
        prefix: what stands before all of them.
        arrays: the source's arrays by its names.
    """
    found: dict[str, np.ndarray] = {}
    parts: dict[str, dict[int, tuple[str, np.ndarray]]] = {}
    unexpected = []
    for name, array in arrays.items():
        if DERIVED.search(name) or re.match(naming.beside, name.removeprefix(prefix)):
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
    """The dotted path of ours for a source's name, its leaf still the source's; None for none."""
    for pattern, replacement in naming.table:
        path, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return re.sub(r"(\d+)([+-]1)", lambda found: str(int(found[1]) + int(found[2])), path)
    return None


def _split_part(path: str) -> tuple[str, int | None]:
    found = re.search(r"\[(\d)\]", path)
    return (path.replace(found[0], ""), int(found[1])) if found else (path, None)


def _join(parts: list[np.ndarray]) -> np.ndarray | None:
    """Three arrays side by side along their outputs; None when they are not three that fit."""
    fit = len(parts) == 3 and parts[0].ndim and len({array.shape[:-1] for array in parts}) == 1
    return np.concatenate(parts, axis=-1) if fit else None
