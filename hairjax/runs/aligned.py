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
    """Predictions of r runs for n images or subjects and k classes."""

    runs: tuple[RunPredictions, ...]  # the runs
    reference: Predictions  # the n rows, with the probabilities of one of the runs
    probabilities: NDArray[np.float32]  # float32 [r, n, k], 0 where absent
    present: NDArray[np.bool_]  # bool [r, n], True where a run has predictions

    def mixed(self, weights: NDArray[np.float64]) -> Predictions:
        """Weighted mean of the runs' probabilities; ``weights``: [r], sum 1, see `mix`.

        Raises:
            ValueError: invalid weights.
        """
        return replace(self.reference, probabilities=mix(self.probabilities, weights, self.present))

    def of_run(self, place: int) -> Predictions:
        """Predictions of run ``place``, for the rows present in it."""
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
    """Read and align the predictions of runs for ``validation`` or ``test``.

    By ``photograph``, all runs need identical images; by ``subject``, there is one row per subject,
    absent in some runs.

    Raises:
        UserError: predictions are missing or of different images; for subjects, classes or splits
            differ or subjects are unknown.
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
                f"{run.path} has the classes {', '.join(run.predictions.classes)}, "
                f"{runs[0].path} {', '.join(runs[0].predictions.classes)}: views of one subject "
                "need the same classes"
            )
    classes = runs[0].predictions.classes
    labels = {row["file"]: classes.index(row["label"]) for row in subject_rows(runs)}
    views = [mean_by_subject(run.predictions, labels, str(run.path)) for run in runs]
    return AlignedPredictions(tuple(runs), *stack_views(views))


def photograph_rows(runs: Sequence[RunPredictions]) -> list[dict[str, str]]:
    """Rows of ``split.csv`` for the images of several runs; train if any run trains on it."""
    rows: dict[str, dict[str, str]] = {}
    for run in runs:
        for row in read_rows(run.folder.split):
            if row["file"] not in rows or row["split"] == "train":
                rows[row["file"]] = row
    return list(rows.values())


def subject_rows(runs: Sequence[RunPredictions]) -> list[dict[str, str]]:
    """Rows of ``split.csv`` by subject, with its name as file and its (upper) median label.

    Raises:
        UserError: the runs split the subjects differently.
    """
    found = _rows_by_subject(runs)
    parted = [name for name, rows in found.items() if len({row["split"] for row in rows}) > 1]
    if parted:
        raise UserError(
            f"the runs split {counted(len(parted), 'subject')} differently "
            f"({examples(sorted(parted), _EXAMPLES)}), so that models would be evaluated on their "
            "training subjects: train the others with the split of the first "
            f"(--config.data.split={runs[0].folder.split})"
        )
    rows = [
        # Digest of the name: the same subject for any set of views.
        own[len(own) // 2] | {"file": name, "sha256": hashlib.sha256(name.encode()).hexdigest()}
        for name, own in found.items()
    ]
    return sorted(rows, key=lambda row: (SPLITS.index(row["split"]), row["file"]))


def conflicting_subjects(runs: Sequence[RunPredictions]) -> set[str]:
    """Subjects with images of different labels."""
    found = _rows_by_subject(runs)
    return {name for name, rows in found.items() if rows[0]["label"] != rows[-1]["label"]}


def _rows_by_subject(runs: Sequence[RunPredictions]) -> dict[str, list[dict[str, str]]]:
    """Rows of each subject's images over all runs, without repetition, sorted by label."""
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
