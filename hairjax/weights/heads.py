"""Classification head of a source: known or foreign."""

import re
from collections.abc import Iterable

from hairjax.weights.naming import DERIVED, OURS, Naming, our_path

# Paths of known heads, with the source's leaves.
KNOWN = re.compile(r"head\.(?:classifier|hidden\.\d+)\.(?:weight|bias|kernel)")
# Common names of heads.
CALLED = re.compile(
    r"(?:\w+_)?(?:heads?|classifiers?|logits)_?\d*|head_\w+"
    r"|(?:cls_|final_|last_|out_)?(?:fc|clf|linear|dense|output)_?\d*",
    re.IGNORECASE,
)


def is_classifier(path: str) -> bool:
    """True for the task-specific parameters of a head."""
    return path.startswith(("head.classifier.", "head.hidden."))


def foreign_head(naming: Naming, prefix: str, names: Iterable[str]) -> list[str]:
    """Names (behind ``prefix``) of a foreign head, all if any is unknown; [] for a known head."""
    if naming is OURS:
        return []
    head, foreign = [], False
    for name in names:
        own = name.removeprefix(prefix)
        if DERIVED.search(own) or re.match(naming.ignored, own):
            continue
        path = our_path(naming, own)
        if is_classifier(path) if path else CALLED.fullmatch(own.partition(".")[0]):
            head.append(name)
            foreign |= not (path and KNOWN.fullmatch(path))
    return head if foreign else []
