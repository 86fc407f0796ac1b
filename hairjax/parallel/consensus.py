"""Require that all processes of a run hold the same values."""

import hashlib
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from hairjax.system.errors import UserError


def require_agreement(facts: dict[str, Any]) -> None:
    """Raise if the processes hold different values; a collective.

    ``facts``: values by name, arrays or objects with a complete ``repr``.

    Raises:
        UserError: names the differences and the processes; raised in every process.
    """
    if jax.process_count() == 1:
        return
    names = multihost_utils.process_allgather(_digest(list(facts)))
    if (names != names[0]).any():
        raise UserError("the processes run different versions of hairjax; install one everywhere")
    digests = np.stack([_digest(value) for value in facts.values()])
    same = multihost_utils.process_allgather(digests)  # [process, fact, 32]
    differs = (same != same[0]).any(axis=2)
    if not differs.any():
        return
    differing = [name for name, column in zip(facts, differs.T, strict=True) if column.any()]
    others = ", ".join(map(str, np.flatnonzero(differs.any(axis=1))))
    raise UserError(
        f"the processes differ in {', '.join(differing)} (process {others} from process 0); start "
        "all with the same command, code and photographs"
    )


def _digest(value: Any) -> np.ndarray:
    """SHA-256 as uint8 [32]."""
    content = hashlib.sha256()
    for leaf in jax.tree.leaves(value):
        array = isinstance(leaf, np.ndarray | jax.Array)
        content.update(np.asarray(leaf).tobytes() if array else repr(leaf).encode())
        content.update(b"\0")
    return np.frombuffer(content.digest(), np.uint8)
