"""Predictions of several runs, aligned by image or by subject."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hairjax.data.split import SPLITS, read_rows
from hairjax.evaluation.by_subject import mean_by_subject, stack_views
from hairjax.evaluation.mixture import mix
from hairjax.evaluation.predictions import Predictions
from hairjax.runs.read_predictions import RunPredictions, align, read_run
from hairjax.system.errors import UserError, examples
from hairjax.system.wording import counted

PHOTOGRAPH, SUBJECT = "photograph", "subject"
_EXAMPLES = 3


@dataclass(frozen=True, eq=False)
class AlignedPredictions:
    """One row per photograph, or per subject, for each of r runs.

    Attributes:
        runs: the runs.
        reference: the n rows; their probabilities are one of the runs'.
        probabilities: float32 [r, n, k], 0 where they are not present.
        present: bool [r, n], which run has judged which row.
    """

    runs: tuple[RunPredictions, ...]
    reference: Predictions
    probabilities: NDArray[np.float32]
    present: NDArray[np.bool_]

    def mixed(self, weights: NDArray[np.float64]) -> Predictions:
        """The weighted mean of the runs."""
        return replace(self.reference, probabilities=mix(self.probabilities, weights, self.present))

    def of_run(self, place: int) -> Predictions:
        """Predictions of one run, for the rows that it has."""
        chosen = np.flatnonzero(self.present[place])
        return Predictions(
            files=tuple(self.reference.files[i] for i in chosen),
            labels=self.reference.labels[chosen],
            probabilities=self.probabilities[place, chosen],
            subjects=tuple(self.reference.subjects[i] for i in chosen),
            classes=self.reference.classes,
        )

    @property
    def epochs(self) -> list[Any]:
        """Best epoch of every run."""
        return [run.folder.read_epoch() for run in self.runs]


def align_predictions(workdirs: Sequence[Path], split: str, unit: str) -> AlignedPredictions:
    """Read the predictions of runs for a split, aligned.

    Args:
        workdirs: the runs.
        split: ``validation`` or ``test``.
        unit: ``photograph``: they have judged the same ones; or ``subject``: one row for each, of
            which a run may have none.

    Raises:
        UserError: predictions are missing, or are not of the same photographs; or for subjects,
            are graded in other classes, of nobody known, or divided otherwise.
    """
    runs = [read_run(workdir, split) for workdir in workdirs]
    if unit == PHOTOGRAPH:
        runs = align(runs)
        probabilities = np.stack([run.predictions.probabilities for run in runs])
        present = np.ones(probabilities.shape[:2], np.bool_)
        return AlignedPredictions(tuple(runs), runs[0].predictions, probabilities, present)
    for run in runs[1:]:
        if run.predictions.classes != runs[0].predictions.classes:
            raise UserError(
                f"the classes of {run.path} are {', '.join(run.predictions.classes)}, and those of "
                f"{runs[0].path} {', '.join(runs[0].predictions.classes)}: views of one subject "
                "must be graded alike"
            )
    classes = runs[0].predictions.classes
    labels = {row["file"]: classes.index(row["label"]) for row in subject_rows(runs)}
    views = [mean_by_subject(run.predictions, labels, str(run.path)) for run in runs]
    return AlignedPredictions(tuple(runs), *stack_views(views))


def photograph_rows(runs: Sequence[RunPredictions]) -> list[dict[str, str]]:
    """Rows of ``split.csv`` for the photographs of several runs: train if any run trains on it."""
    rows: dict[str, dict[str, str]] = {}
    for run in runs:
        for row in read_rows(run.folder.split):
            if row["file"] not in rows or row["split"] == "train":
                rows[row["file"]] = row
    return list(rows.values())


def subject_rows(runs: Sequence[RunPredictions]) -> list[dict[str, str]]:
    """Rows of ``split.csv`` by subject, with the subject's name as file.

    A subject's label is the median of its photographs', of the middle two the higher.

    Raises:
        UserError: the runs divide the subjects otherwise.
    """
    found = _rows_by_subject(runs)
    parted = [name for name, rows in found.items() if len({row["split"] for row in rows}) > 1]
    if parted:
        raise UserError(
            f"the runs divide {counted(len(parted), 'subject')} otherwise "
            f"({examples(sorted(parted), _EXAMPLES)}): "
            "one would be judged by a model that has trained on them; train the others with the "
            f"split of the first (--config.data.split={runs[0].folder.split})"
        )
    rows = [
        # The digest of the name: whichever views of a subject are judged, it is the same subject.
        own[len(own) // 2] | {"file": name, "sha256": hashlib.sha256(name.encode()).hexdigest()}
        for name, own in found.items()
    ]
    return sorted(rows, key=lambda row: (SPLITS.index(row["split"]), row["file"]))


def graded_apart(runs: Sequence[RunPredictions]) -> set[str]:
    """The subjects whose photographs do not all have the same label."""
    found = _rows_by_subject(runs)
    return {name for name, rows in found.items() if rows[0]["label"] != rows[-1]["label"]}


def _rows_by_subject(runs: Sequence[RunPredictions]) -> dict[str, list[dict[str, str]]]:
    """The rows of each subject's photographs in any run, each photograph once, by their labels."""
    found: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for run in runs:
        for row in read_rows(run.folder.split):
            if row["subject"]:
                found[row["subject"]].setdefault(row["sha256"] + row["split"], row)
    place = runs[0].predictions.classes.index
    return {
        name: sorted(rows.values(), key=lambda row: place(row["label"]))
        for name, rows in found.items()
    }
