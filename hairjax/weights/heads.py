"""Classification head of a source: known or foreign."""

import re
from collections.abc import Mapping

import numpy as np

from hairjax.weights.naming import DERIVED, OURS, Naming, our_path

# Paths of known heads, with the source's leaves.
KNOWN = re.compile(r"head\.(?:classifier|hidden\.\d+)\.(?:weight|bias|kernel)")
# Common names of heads.
CALLED = re.compile(
    r"(?:\w+_)?(?:heads?|classifiers?|logits)_?\d*|head_\w+"
    r"|(?:cls_|final_|last_|out_)?(?:fc|clf|linear|dense|output)_?\d*",
    re.IGNORECASE,
)

_DENSE = {"weight": 2, "bias": 1}  # axes


def is_classifier(path: str) -> bool:
    """True for the task-specific parameters of a head."""
    return path.startswith(("head.classifier.", "head.hidden."))


def foreign_head(naming: Naming, prefix: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Names (behind ``prefix``) of a foreign head, all if any is unknown; [] for a known head.

    Without any name of a head, the single unknown module is the head if it is dense.
    """
    if naming is OURS:
        return []
    head, unknown, body, foreign = [], [], set(), False
    for name in arrays:
        own = name.removeprefix(prefix)
        if DERIVED.search(own) or re.match(naming.ignored, own):
            continue
        path, module = our_path(naming, own), own.partition(".")[0]
        if is_classifier(path) if path else CALLED.fullmatch(module):
            head.append(name)
            foreign |= not (path and KNOWN.fullmatch(path))
        elif path:
            body.add(module)
        else:
            unknown.append(name)
    if head:
        return head if foreign else []
    modules = {name.removeprefix(prefix).partition(".")[0] for name in unknown}
    dense = all(arrays[name].ndim == _DENSE.get(name.rpartition(".")[2]) for name in unknown)
    return unknown if len(modules) == 1 and dense and not modules & body else []
