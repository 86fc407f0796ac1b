"""Predictions of a model per photograph, in memory and as ``predictions.csv``."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hairjax.system.errors import UserError
from hairjax.system.files import write_csv

_FIRST = ("file", "label", "predicted")
PROBABILITY, CALIBRATED, FOLD, FLIPS = "probability", "calibrated", "fold", "flips"
# Sets of columns after the uncalibrated probabilities.
_TABLES = ((), (CALIBRATED,), (FOLD,), (FLIPS,), (CALIBRATED, FLIPS))


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions, one row per photograph.

    Attributes:
        files: n paths relative to the photo folder.
        labels: int [n], indices into ``classes``; -1 if unknown.
        probabilities: float32 [n, k].
        subjects: n names; "" if unknown.
        classes: k names, in the order of the outputs.

    Raises:
        ValueError: mismatched lengths, a label out of range, or duplicate class names.
    """

    files: tuple[str, ...]
    labels: NDArray[np.integer]
    probabilities: NDArray[np.float32]
    subjects: tuple[str, ...]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        n, k = len(self.files), len(self.classes)
        if self.labels.shape != (n,) or len(self.subjects) != n:
            raise ValueError(
                f"{n} files, labels {self.labels.shape} and {len(self.subjects)} subjects: "
                "one of each per photograph is needed"
            )
        if self.probabilities.shape != (n, k) or self.probabilities.dtype != np.float32:
            raise ValueError(
                f"probabilities must be float32 {(n, k)}, "
                f"not {self.probabilities.dtype} {self.probabilities.shape}"
            )
        if len(set(self.classes)) != k:
            raise ValueError(f"class names must be distinct: {', '.join(self.classes)}")
        if n and not -1 <= self.labels.min() <= self.labels.max() < k:
            raise ValueError(f"labels must be in -1 … {k - 1}: {sorted(set(self.labels.tolist()))}")

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Predicted class, int64 [n]; ties go to the lowest."""
        return self.probabilities.argmax(1)

    def subset(self, indices: NDArray[np.integer]) -> "Predictions":
        """Predictions at ``indices``, in their order."""
        return Predictions(
            files=tuple(self.files[i] for i in indices),
            labels=self.labels[indices],
            probabilities=self.probabilities[indices],
            subjects=tuple(self.subjects[i] for i in indices),
            classes=self.classes,
        )


def join_predictions(parts: Sequence[Predictions], classes: tuple[str, ...]) -> Predictions:
    """Concatenate predictions; empty ``parts`` give an empty set."""
    return Predictions(
        files=tuple(file for part in parts for file in part.files),
        labels=np.concatenate([np.empty(0, np.int32), *(part.labels for part in parts)]),
        probabilities=np.concatenate(
            [np.empty((0, len(classes)), np.float32), *(part.probabilities for part in parts)]
        ),
        subjects=tuple(subject for part in parts for subject in part.subjects),
        classes=classes,
    )


def write_predictions(
    predictions: Predictions,
    path: Path,
    *,
    calibrated: NDArray[np.floating] | None = None,
    folds: Sequence[int] | None = None,
    flips: bool = False,
) -> None:
    """Write predictions with the columns of `columns`, atomically and deterministic to the byte.

    Read back to the same float32. Unknown labels are empty; subjects are in ``split.csv``.

    Args:
        predictions: predictions to write.
        path: CSV file.
        calibrated: calibrated probabilities, float [n, k]; None for no such columns.
        folds: fold of each photograph; None for no such column.
        flips: True if the probabilities are means over mirror images.
    """
    names, predicted = predictions.classes, predictions.predicted
    rows = []
    for i, file in enumerate(predictions.files):
        label = predictions.labels[i]
        row = [file, "" if label == -1 else names[label], names[predicted[i]]]
        row += [str(p) for p in predictions.probabilities[i]]
        row += [] if calibrated is None else [str(p) for p in calibrated[i].astype(np.float32)]
        row += [] if folds is None else [str(folds[i])]
        rows.append(row + ["yes"] * flips)
    more = [CALIBRATED] * (calibrated is not None) + [FOLD] * (folds is not None) + [FLIPS] * flips
    write_csv(path, columns(names, more), rows)


def columns(classes: Sequence[str], more: Sequence[str] = ()) -> list[str]:
    """Column names: file, label, predicted, ``probability_CLASS`` per class, then ``more``.

    `CALIBRATED` in ``more`` stands for ``calibrated_CLASS`` per class.
    """
    further = [class_columns(CALIBRATED, classes) if one == CALIBRATED else [one] for one in more]
    return [
        *_FIRST,
        *class_columns(PROBABILITY, classes),
        *(name for part in further for name in part),
    ]


def class_columns(kind: str, classes: Sequence[str]) -> list[str]:
    """Column name per class: ``KIND_CLASS``."""
    return [f"{kind}_{name}" for name in classes]


def read_predictions(
    path: Path,
    classes: Sequence[str],
    subjects: Mapping[str, str] | None = None,
    flips: bool = False,
) -> Predictions:
    """Read predictions written by `write_predictions` of this or an earlier version.

    ``subjects``: subject of every file (from ``split.csv``); ``flips``: expected use of test-time
    flips.

    Raises:
        UserError: other columns or class order, other use of flips, an incomplete row, an unknown
            class, a predicted class without the highest probability, or a file without a subject.
    """
    rows = _read_rows(path, classes, flips)
    index = {name: position for position, name in enumerate(classes)}
    files = tuple(row[0] for row in rows)
    absent = [] if subjects is None else [file for file in files if file not in subjects]
    if absent:
        raise UserError(f"{path}: {absent[0]} and {len(absent) - 1} more have no subject entry")
    own = slice(len(_FIRST), len(_FIRST) + len(classes))
    predictions = Predictions(
        files=files,
        labels=np.array([index[row[1]] if row[1] else -1 for row in rows], np.int64),
        probabilities=np.array([row[own] for row in rows], np.float32).reshape(-1, len(classes)),
        subjects=tuple("" if subjects is None else subjects[file] for file in files),
        classes=tuple(classes),
    )
    for row, likeliest in zip(rows, predictions.predicted, strict=True):
        if row[2] != classes[likeliest]:
            raise UserError(
                f"{path}: {row[0]} is given {row[2]}, but the likeliest of {', '.join(classes)} "
                f"is {classes[likeliest]}: written with another order of classes?"
            )
    return predictions


def _read_rows(path: Path, classes: Sequence[str], flips: bool) -> list[list[str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        header, *rows = list(csv.reader(stream, strict=True)) or [[]]
    _require_columns(path, header, classes, flips)
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise UserError(f"{path}: row {number} has {len(row)} values, not {len(header)}")
        for name in filter(None, row[1:3]):
            if name not in classes:
                raise UserError(
                    f"{path}: row {number} has the unknown class {name}; known: "
                    f"{', '.join(classes)}"
                )
    return rows


def _require_columns(path: Path, header: list[str], classes: Sequence[str], flips: bool) -> None:
    expected = columns(classes)
    # Earlier versions named columns by class position; no current column can be named so.
    before = [*_FIRST, *(f"p{position}" for position in range(len(classes)))]
    allowed = [columns(classes, more) for more in _TABLES]
    if header not in (before, [*before, FOLD], *allowed):
        if sorted(header) in map(sorted, allowed):
            raise UserError(
                f"{path}: the columns are of another order of classes, {','.join(header)}; those "
                f"of the run are {','.join(expected)}"
            )
        raise UserError(f"{path}: columns are {','.join(header)}, not {','.join(expected)}")
    if (header[-1] == FLIPS) != flips:
        raise UserError(
            f"{path}: the probabilities are {'not ' if flips else ''}means over photographs and "
            "their mirror images (--flips), and the others are"
        )
