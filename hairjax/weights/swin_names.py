"""What others call the parameters of a Swin, and how their arrays become ours.

A name is translated by the first pattern of a table that its beginning matches. In a replacement,
``+1`` raises the number before it, for sources whose patch merging ends the stage that ours
precedes; ``[0]`` to ``[2]`` mark, in order, the parts of a parameter that the source has in three.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hairjax.weights import WeightsError

Table = tuple[tuple[str, str], ...]

_BLOCK = r"layers\.(\d+)\.blocks\.(\d+)\."
_OURS = r"stages.\1.blocks.\2."

_TIMM_BODY: Table = (
    (r"patch_embed\.(proj|norm)\.", r"stem.\1."),
    (_BLOCK + r"(norm1|norm2)\.", _OURS + r"\3."),
    (_BLOCK + r"attn\.relative_position_bias_table$", _OURS + "attention.bias_table"),
    (_BLOCK + r"attn\.(qkv|proj)\.", _OURS + r"attention.\3."),
    (_BLOCK + r"mlp\.fc1\.", _OURS + "mlp.expand."),
    (_BLOCK + r"mlp\.fc2\.", _OURS + "mlp.reduce."),
    (r"norm\.", "head.norm."),
)
_MERGE_AT_END: Table = (
    (r"layers\.(\d+)\.downsample\.(norm|reduction)\.", r"stages.\1+1.merge.\2."),
)
_TRANSFORMERS_BODY: Table = (
    (r"(?:swin\.)?embeddings\.patch_embeddings\.projection\.", "stem.proj."),
    (r"(?:swin\.)?embeddings\.norm\.", "stem.norm."),
    (
        r"(?:swin\.)?encoder\.layers\.(\d+)\.downsample\.(norm|reduction)\.",
        r"stages.\1+1.merge.\2.",
    ),
    (r"(?:swin\.)?layernorm\.", "head.norm."),
    (r"classifier\.", "head.classifier."),
)
_TRANSFORMERS_BLOCK = r"(?:swin\.)?encoder\." + _BLOCK


@dataclass(frozen=True)
class Naming:
    """One source's names.

    Attributes:
        title: what a person calls the source.
        markers: patterns of names that, all found behind one prefix, tell this naming from others.
        table: (its name, our dotted path) as patterns and replacements.
        mask_shifted: whether its attention in shifted windows keeps opposite borders apart.
    """

    title: str
    markers: tuple[str, ...]
    table: Table
    mask_shifted: bool = True


OURS = Naming("hairjax", (r"stem\.proj\.kernel",), ((r"(stem|stages|head)\.", r"\1."),))
ORIGINAL = Naming(
    "the original hair-loss classifier",
    (r"patch_embed\.proj\.weight", r"layers\.0\.downsample\.norm\.weight", r"head\.3\.weight"),
    (
        *_TIMM_BODY,
        *_MERGE_AT_END,
        (r"head\.0\.", "head.hidden.0."),
        (r"head\.3\.", "head.classifier."),
    ),
    mask_shifted=False,
)
MICROSOFT = Naming(
    "Microsoft",
    (r"patch_embed\.proj\.weight", r"layers\.0\.downsample\.norm\.weight"),
    (*_TIMM_BODY, *_MERGE_AT_END, (r"head\.", "head.classifier.")),
)
TIMM = Naming(
    "timm",
    (r"patch_embed\.proj\.weight",),
    (
        *_TIMM_BODY,
        (r"layers\.(\d+)\.downsample\.(norm|reduction)\.", r"stages.\1.merge.\2."),
        (r"head\.fc\.", "head.classifier."),
    ),
)
# In files published for transformers, and in what its save_pretrained writes to this day.
TRANSFORMERS = Naming(
    "transformers",
    (
        r"(?:swin\.)?embeddings\.patch_embeddings\.projection\.weight",
        r"(?:swin\.)?encoder\.layers\.0\.blocks\.0\.attention\.self\.query\.weight",
    ),
    (
        *_TRANSFORMERS_BODY,
        (_TRANSFORMERS_BLOCK + r"layernorm_before\.", _OURS + "norm1."),
        (_TRANSFORMERS_BLOCK + r"layernorm_after\.", _OURS + "norm2."),
        (
            _TRANSFORMERS_BLOCK + r"attention\.self\.relative_position_bias_table$",
            _OURS + "attention.bias_table",
        ),
        (_TRANSFORMERS_BLOCK + r"attention\.self\.query\.", _OURS + "attention.qkv[0]."),
        (_TRANSFORMERS_BLOCK + r"attention\.self\.key\.", _OURS + "attention.qkv[1]."),
        (_TRANSFORMERS_BLOCK + r"attention\.self\.value\.", _OURS + "attention.qkv[2]."),
        (_TRANSFORMERS_BLOCK + r"attention\.output\.dense\.", _OURS + "attention.proj."),
        (_TRANSFORMERS_BLOCK + r"intermediate\.dense\.", _OURS + "mlp.expand."),
        (_TRANSFORMERS_BLOCK + r"output\.dense\.", _OURS + "mlp.reduce."),
    ),
)
# What transformers 5.23 calls them in memory, and so in a state_dict saved by hand.
TRANSFORMERS_IN_MEMORY = Naming(
    "transformers (in memory)",
    (
        r"(?:swin\.)?embeddings\.patch_embeddings\.projection\.weight",
        r"(?:swin\.)?encoder\.layers\.0\.blocks\.0\.attention\.q_proj\.weight",
    ),
    (
        *_TRANSFORMERS_BODY,
        (_TRANSFORMERS_BLOCK + r"layernorm_before\.", _OURS + "norm1."),
        (_TRANSFORMERS_BLOCK + r"layernorm_after\.", _OURS + "norm2."),
        (
            _TRANSFORMERS_BLOCK
            + r"attention\.relative_position_bias\.relative_position_bias_table$",
            _OURS + "attention.bias_table",
        ),
        (_TRANSFORMERS_BLOCK + r"attention\.q_proj\.", _OURS + "attention.qkv[0]."),
        (_TRANSFORMERS_BLOCK + r"attention\.k_proj\.", _OURS + "attention.qkv[1]."),
        (_TRANSFORMERS_BLOCK + r"attention\.v_proj\.", _OURS + "attention.qkv[2]."),
        (_TRANSFORMERS_BLOCK + r"attention\.o_proj\.", _OURS + "attention.proj."),
        (_TRANSFORMERS_BLOCK + r"mlp\.fc1\.", _OURS + "mlp.expand."),
        (_TRANSFORMERS_BLOCK + r"mlp\.fc2\.", _OURS + "mlp.reduce."),
    ),
)
# Those with more markers before those whose markers are among them.
NAMINGS = (OURS, ORIGINAL, MICROSOFT, TIMM, TRANSFORMERS, TRANSFORMERS_IN_MEMORY)

# Buffers that follow from the window's size.
DERIVED = re.compile(r"relative_position_index$|attn_mask$")


def recognise(names: Iterable[str]) -> tuple[Naming, str]:
    """Whose names these are, and what stands before all of them ("" or, say, "module.").

    Raises:
        WeightsError: nobody's known here; the first names and the known namings are listed.
    """
    names = list(names)
    for naming in NAMINGS:
        first, *others = naming.markers
        for name in names:
            if found := re.fullmatch(rf"((?:.*?\.)??){first}", name):
                prefix = re.escape(found[1])
                if all(any(re.fullmatch(prefix + o, n) for n in names) for o in others):
                    return naming, found[1]
    raise WeightsError(
        f"these are not the names of a Swin's parameters: {', '.join(names[:5]) or 'none at all'}"
        f"{' …' if len(names) > 5 else ''}; known are the names of "
        f"{', '.join(naming.title for naming in NAMINGS)}"
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
        if DERIVED.search(name):
            continue
        path = our_path(naming, name.removeprefix(prefix)) if name.startswith(prefix) else None
        if path is None:
            unexpected.append(name)
            continue
        path, array = our_layout(path, array)
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
            return re.sub(r"(\d+)\+1", lambda number: str(int(number[1]) + 1), path)
    return None


def _split_part(path: str) -> tuple[str, int | None]:
    found = re.search(r"\[(\d)\]", path)
    return (path.replace(found[0], ""), int(found[1])) if found else (path, None)


def _join(parts: list[np.ndarray]) -> np.ndarray | None:
    """Three arrays side by side along their outputs; None when they are not three that fit."""
    fit = len(parts) == 3 and parts[0].ndim and len({array.shape[:-1] for array in parts}) == 1
    return np.concatenate(parts, axis=-1) if fit else None


def our_layout(path: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """The path with our name for the leaf, and the array with its axes in our order.

    A dense weight [out, in] becomes a kernel [in, out], a convolution's [out, in, h, w] becomes
    [h, w, in, out], a norm's weight its scale.
    """
    module, _, leaf = path.rpartition(".")
    if leaf != "weight":
        return path, array
    if array.ndim == 1:
        return f"{module}.scale", array
    # An array of any other rank fits nothing; its shape is refused where all shapes are compared.
    axes = {2: (1, 0), 4: (2, 3, 1, 0)}.get(array.ndim)
    return f"{module}.kernel", array if axes is None else array.transpose(axes)
