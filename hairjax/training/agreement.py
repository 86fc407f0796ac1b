"""Require that all processes start a run from the same command, data and parameters."""

import jax
import numpy as np
from ml_collections import ConfigDict

from hairjax.config.resume import free_by_process
from hairjax.config.schema import flatten
from hairjax.data.photoset import PhotoSet
from hairjax.parallel.consensus import require_agreement


def require_same_command(config: ConfigDict, resuming: bool) -> None:
    """Raise if the processes differ in configuration, JAX version or resuming.

    Raises:
        UserError: names the difference; raised in every process.
    """
    own = free_by_process()
    facts = {f"config.{key}": v for key, v in flatten(config) if key not in own}
    facts["the version of jax"] = jax.__version__
    facts["whether --workdir holds a run"] = resuming
    require_agreement(facts)


def require_same_start(
    photos: PhotoSet, split: np.ndarray, params: dict, last_step: int | None
) -> None:
    """Raise if the processes differ in photographs, split, parameters or checkpoint.

    Raises:
        UserError: names the difference; raised in every process.
    """
    require_agreement(
        {
            "the photographs": (photos.files, photos.sha256, photos.labels, photos.subjects),
            "their split": split,
            "the parameters": params,
            "the last checkpoint": last_step,
        }
    )
