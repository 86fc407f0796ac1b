"""Read the photographs of a run, or others for it: the one place that does."""

from dataclasses import dataclass

import numpy as np

from hairjax.builders.data_set import load_data
from hairjax.builders.setup import Setup
from hairjax.data.photoset import PhotoSet
from hairjax.data.split import read_own_split, read_rows, split_rows
from hairjax.runs.ancestry import ancestors
from hairjax.runs.folder import RunFolder
from hairjax.runs.overlap import find_overlap
from hairjax.runs.run import Run
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.wording import counted


@dataclass(frozen=True)
class Selection:
    """The photographs on which a run is asked.

    Attributes:
        split: ``validation``, ``test`` or ``train`` of the run's own; ``all`` of others.
        photos: another folder of photographs; "" for the run's own.
        masks: their masks.
        manifest: their labels, where the folders do not tell.
        mask_value: what is hair in their masks; "": as in the run's own.
        spelling: their names that are nearly equal: ``refuse``, ``merge`` or ``apart``; "" for the
            run's own rule.
    """

    split: str
    photos: str = ""
    masks: str = ""
    manifest: str = ""
    mask_value: str = ""
    spelling: str = ""


def read_run_photographs(
    setup: Setup, folder: RunFolder, classes: tuple[str, ...]
) -> tuple[PhotoSet, np.ndarray]:
    """Photographs that a run was trained with, and the split of each (str [n]).

    Raises:
        UserError: they cannot be used, or are not those the run began with.
    """
    photos = load_data(setup.source, setup.prepare, classes)
    return photos, read_own_split(folder.split, photos)


def read_asked_photographs(run: Run, split: str) -> tuple[PhotoSet, np.ndarray, np.ndarray]:
    """Photographs of a run's setup, the split of each, and the indices of those asked for.

    Args:
        run: its source names the photographs, own or given by `Run.with_photographs`.
        split: one of its own, or ``all`` of other photographs.

    Returns:
        The photographs; str [n]; int [m].

    Raises:
        UserError: photographs cannot be used, are not the run's, or none is of the split.
    """
    setup = run.setup
    console.say(f"source: {setup.source.describe()}")
    console.say(run.describe())
    if split == "all":
        photos = load_data(setup.source, setup.prepare, run.classes)
        _tell_of_known(run.folder, photos)
        parts = np.full(len(photos), split)
    else:
        photos, parts = read_run_photographs(setup, run.folder, run.classes)
    chosen = np.flatnonzero(parts == split)
    if not len(chosen):
        raise UserError(f"the run has no photographs in --split={split}")
    if split != "all":
        rows = split_rows(photos, parts)
        _tell_of_learnt(run, [row for row in rows if row["split"] == split])
    return photos, parts, chosen


def _tell_of_learnt(run: Run, rows: list[dict[str, str]]) -> None:
    """Say how many photographs of a split have trained the weights with which the run began."""
    overlap = find_overlap(ancestors(run.folder), rows, run.setup.source)
    if overlap.leaks:
        console.say(f"{overlap.describe()}: what is found flatters the run")


def _tell_of_known(folder: RunFolder, data: PhotoSet) -> None:
    """Say how many of other photographs the run has learnt from or chosen its epoch by."""
    used = {row["sha256"]: row["split"] for row in read_rows(folder.split)}
    known = [used.get(contents) for contents in data.sha256]
    found = {"training": known.count("train"), "validation": known.count("validation")}
    before = frozenset().union(*(one.photographs for one in ancestors(folder).learnt))
    found["weights' training"] = sum(
        contents in before and used.get(contents) != "train" for contents in data.sha256
    )
    if any(found.values()):
        said = " and ".join(f"{count:,} of its {name}" for name, count in found.items() if count)
        console.say(
            f"of the {counted(len(data), 'photograph')} given the run knows {said} photographs: "
            "what is found flatters it; leave them out, or judge it with --split=test"
        )
