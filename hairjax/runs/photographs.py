"""Read the photographs of a run, or of another folder for it."""

import numpy as np

from hairjax.builders.data_set import describe_source, load_data
from hairjax.data.photoset import PhotoSet
from hairjax.data.split import read_own_split, read_rows
from hairjax.runs.folder import RunFolder
from hairjax.runs.run import Run
from hairjax.system import console
from hairjax.system.errors import UserError


def load_asked(run: Run, split: str) -> tuple[PhotoSet, np.ndarray, np.ndarray]:
    """All photographs that a run speaks of, what each is for, and which are asked for.

    Args:
        run: whose configuration names them.
        split: one of its own, or ``all`` of other photographs.

    Returns:
        The photographs; str [n]; int [m].

    Raises:
        UserError: photographs cannot be used, are not the run's, or none is of the split.
    """
    config = run.config
    console.say(f"source: {describe_source(config)}")
    console.say(run.describe())
    data = load_data(config, run.classes)
    whole = split == "all"
    if whole:
        _tell_of_known(run.folder, data)
    parts = np.full(len(data), split) if whole else read_own_split(run.folder.split, data)
    chosen = np.flatnonzero(parts == split)
    if not len(chosen):
        raise UserError(f"the run has no photographs in --split={split}")
    return data, parts, chosen


def _tell_of_known(folder: RunFolder, data: PhotoSet) -> None:
    """Say how many of other photographs the run has learnt from or chosen its epoch by."""
    used = {row["sha256"]: row["split"] for row in read_rows(folder.split)}
    known = [used.get(contents) for contents in data.sha256]
    found = {"training": known.count("train"), "validation": known.count("validation")}
    if any(found.values()):
        said = " and ".join(f"{count:,} of its {name}" for name, count in found.items() if count)
        console.say(
            f"of these {len(data):,} photographs the run knows {said} photographs: what is found "
            "flatters it; leave them out, or judge it with --split=test"
        )
