"""Predictions by subject, for subjects with several views such as TOP and SIDE."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.predictions import Predictions
from hairjax.system.errors import UserError, examples
from hairjax.system.wording import counted

_EXAMPLES = 3


def mean_by_subject(
    predictions: Predictions, labels: Mapping[str, int], source: str
) -> Predictions:
    """Mean probabilities per subject, in order of the subjects' names.

    Args:
        predictions: predictions by photograph.
        labels: label of every subject.
        source: origin of the predictions, for the message.

    Raises:
        UserError: a photograph has no known subject.
    """
    if unknown := [
        f for f, s in zip(predictions.files, predictions.subjects, strict=True) if not s
    ]:
        raise UserError(
            f"{source}: the subject of {counted(len(unknown), 'photograph')} is not known "
            f"({examples(unknown, _EXAMPLES)}); give --config.data.subject, or a column subject in "
            "--config.data.manifest, when training"
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


def stack_views(views: Sequence[Predictions]) -> tuple[Predictions, NDArray[np.float32], NDArray]:
    """Align views from `mean_by_subject` over all subjects of any view.

    Returns:
        The subjects with the probabilities of their first view; all probabilities, float32 [views,
        n, k], 0 for a missing view; bool [views, n], True where the view exists.
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
