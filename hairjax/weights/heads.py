"""The head of a source: what of it is known, and what is another's."""

import re
from collections.abc import Mapping

import numpy as np

from hairjax.weights.naming import DERIVED, OURS, Naming, our_path

# The head's own paths here, their leaves still the source's.
KNOWN = re.compile(r"head\.(?:classifier|hidden\.\d+)\.(?:weight|bias|kernel)")
# First parts of names by which people call a head.
CALLED = re.compile(
    r"(?:\w+_)?(?:heads?|classifiers?|logits)_?\d*|head_\w+"
    r"|(?:cls_|final_|last_|out_)?(?:fc|clf|linear|dense|output)_?\d*",
    re.IGNORECASE,
)

_DENSE = {"weight": 2, "bias": 1}  # axes


def is_classifier(path: str) -> bool:
    """True if a parameter belongs to the part of the head that another task replaces."""
    return path.startswith(("head.classifier.", "head.hidden."))


def other_head(naming: Naming, prefix: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """The names of a source's head where they are not those known; none where they are.

    Where one of them is unknown, none means what its name says, and all are listed. Where nothing
    is called as heads are, the one module that is unknown is the head, if it is dense.

    Args:
        naming: whose names the parameters have.
        prefix: what stands before them.
        arrays: arrays behind the prefix, by name.
    """
    if naming is OURS:
        return []
    head, unknown, body, strange = [], [], set(), False
    for name in arrays:
        own = name.removeprefix(prefix)
        if DERIVED.search(own) or re.match(naming.beside, own):
            continue
        path, module = our_path(naming, own), own.partition(".")[0]
        if is_classifier(path) if path else CALLED.fullmatch(module):
            head.append(name)
            strange |= not (path and KNOWN.fullmatch(path))
        elif path:
            body.add(module)
        else:
            unknown.append(name)
    if head:
        return head if strange else []
    modules = {name.removeprefix(prefix).partition(".")[0] for name in unknown}
    dense = all(arrays[name].ndim == _DENSE.get(name.rpartition(".")[2]) for name in unknown)
    return unknown if len(modules) == 1 and dense and not modules & body else []
