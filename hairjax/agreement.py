"""What the processes of a run must have in common, compared before it begins."""

import hashlib
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from hairjax.checkpoint import Checkpoints
from hairjax.config import OF_A_PROCESS, flatten
from hairjax.data.photoset import PhotoSet
from hairjax.errors import UserError


def require_same_command(config: ConfigDict, resuming: bool) -> None:
    """Refuse processes that were not started alike."""
    facts = {f"config.{key}": v for key, v in flatten(config) if key not in OF_A_PROCESS}
    facts["the version of jax"] = jax.__version__
    facts["whether --workdir holds a run"] = resuming
    require_agreement(facts)


def require_same_start(
    photos: PhotoSet, split: np.ndarray, params: dict, checkpoints: Checkpoints | None
) -> None:
    """Refuse processes that would begin with other photographs or numbers."""
    require_agreement(
        {
            "the photographs": (photos.files, photos.sha256, photos.labels, photos.subjects),
            "their split": split,
            "the parameters": params,
            "the last checkpoint": checkpoints and checkpoints.last_step(),
        }
    )


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
