"""Several views of one subject, such as TOP and SIDE: a row per subject, some without a view."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.predictions import Predictions
from hairjax.system.errors import UserError, examples
from hairjax.system.wording import counted

_EXAMPLES = 3


def subject_views(predictions: Predictions, labels: Mapping[str, int], source: str) -> Predictions:
    """The mean over each subject's photographs: one row per subject, which is its file too.

    Args:
        predictions: predictions of photographs.
        labels: labels of every subject.
        source: what the predictions are of, for the message.

    Returns:
        Predictions in the order of the subjects' names.

    Raises:
        UserError: of some photographs the subject is not known.
    """
    if unknown := [
        f for f, s in zip(predictions.files, predictions.subjects, strict=True) if not s
    ]:
        raise UserError(
            f"{source}: the subject of {counted(len(unknown), 'photograph')} is not known "
            f"({examples(unknown, _EXAMPLES)}); say whose they are with --config.data.subject, or "
            "the column subject of --config.data.manifest, when training"
        )
    names, row = np.unique(np.array(predictions.subjects, str), return_inverse=True)
    sums = np.zeros((len(names), len(predictions.classes)))
    np.add.at(sums, row, predictions.probabilities.astype(np.float64))
    files = tuple(names.tolist())
    return Predictions(
        files=files,
        labels=np.array([labels[name] for name in files], np.int64),
        probabilities=(sums / np.bincount(row)[:, None]).astype(np.float32),
        subjects=files,
        classes=predictions.classes,
    )


def stack(views: Sequence[Predictions]) -> tuple[Predictions, NDArray[np.float32], NDArray]:
    """Put views beside each other: every subject of which there is any.

    Args:
        views: as `subject_views` returns them with the same labels, of the same classes.

    Returns:
        The subjects, with those of their probabilities that come first; the probabilities
        float32 [views, n, k], 0 where there is no such view; and bool [views, n], where there is.
    """
    files = sorted(set().union(*(view.files for view in views)))
    place = {file: i for i, file in enumerate(files)}
    labels = np.full((len(views), len(files)), -1, np.int64)
    probabilities = np.zeros((len(views), len(files), len(views[0].classes)), np.float32)
    for own, p, view in zip(labels, probabilities, views, strict=True):
        at = [place[file] for file in view.files]
        own[at], p[at] = view.labels, view.probabilities
    present = labels >= 0
    first = present.argmax(0)
    subjects = Predictions(
        files=tuple(files),
        labels=labels.max(0),
        probabilities=probabilities[first, np.arange(len(files))],
        subjects=tuple(files),
        classes=views[0].classes,
    )
    return subjects, probabilities, present
