"""Require that all processes of a run hold the same values."""

import hashlib
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from hairjax.system.errors import UserError


def require_agreement(facts: dict[str, Any]) -> None:
    """Refuse to go on where processes do not have the same; every process calls this.

    Args:
        facts: what must be the same, by name; arrays, or what ``repr`` shows whole.

    Raises:
        UserError: names what differs, and where; in every process.
    """
    if jax.process_count() == 1:
        return
    names = multihost_utils.process_allgather(_digest(list(facts)))
    if (names != names[0]).any():
        raise UserError("the processes run other versions of hairjax; install the same everywhere")
    digests = np.stack([_digest(value) for value in facts.values()])
    same = multihost_utils.process_allgather(digests)  # [process, fact, 32]
    differs = (same != same[0]).any(axis=2)
    if not differs.any():
        return
    what = [name for name, column in zip(facts, differs.T, strict=True) if column.any()]
    others = ", ".join(map(str, np.flatnonzero(differs.any(axis=1))))
    raise UserError(
        f"the processes differ in {', '.join(what)} (process {others} from process 0); all must be "
        "started with the same command, code and photographs"
    )


def _digest(value: Any) -> np.ndarray:
    """uint8 [32]."""
    content = hashlib.sha256()
    for leaf in jax.tree.leaves(value):
        array = isinstance(leaf, np.ndarray | jax.Array)
        content.update(np.asarray(leaf).tobytes() if array else repr(leaf).encode())
        content.update(b"\0")
    return np.frombuffer(content.digest(), np.uint8)
