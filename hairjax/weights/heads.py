"""The head of a source: what of it is known, and what is another's."""

import re
from collections.abc import Iterable

from hairjax.weights.naming import DERIVED, OURS, Naming, our_path

# The head's own paths here, their leaves still the source's.
KNOWN = re.compile(r"head\.(?:classifier|hidden\.\d+)\.(?:weight|bias|kernel)")
# First parts of names by which people call a head.
CALLED = re.compile(
    r"(?:\w+_)?(?:heads?|classifiers?|logits)_?\d*|head_\w+"
    r"|(?:cls_|final_|last_|out_)?(?:fc|clf|linear|dense|output)_?\d*",
    re.IGNORECASE,
)


def is_classifier(path: str) -> bool:
    """True if a parameter belongs to the part of the head that another task replaces."""
    return path.startswith(("head.classifier.", "head.hidden."))


def other_head(naming: Naming, prefix: str, names: Iterable[str]) -> list[str]:
    """The names of a source's head where they are not those known; none where they are.

    Where one of them is unknown, none means what its name says, and all are listed.

    Args:
        naming: whose names the parameters have.
        prefix: what stands before them.
        names: names behind the prefix.
    """
    if naming is OURS:
        return []
    head, strange = [], False
    for name in names:
        own = name.removeprefix(prefix)
        if DERIVED.search(own) or re.match(naming.beside, own):
            continue
        path = our_path(naming, own)
        if is_classifier(path) if path else CALLED.fullmatch(own.partition(".")[0]):
            head.append(name)
            strange |= not (path and KNOWN.fullmatch(path))
    return head if strange else []
