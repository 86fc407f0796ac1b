"""Baselines: majority class, and 1-nearest-neighbour on thumbnails."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from hairjax.data.photoset import Rows
from hairjax.data.quality.thumbnails import make_thumbnails
from hairjax.evaluation.metrics import classification as metrics

THUMBNAIL = 16  # pixels a side: colour and coarse layout survive, hair does not


def majority(train_labels: ArrayLike, labels: ArrayLike, classes: int) -> metrics.Metrics:
    """Metrics of giving every photograph the training photographs' commonest class.

    The probabilities, which only the log-loss sees, are the classes' shares in training.

    Args:
        train_labels: int [m], classes of the training photographs.
        labels: int [n], true classes of the photographs to judge.
        classes: the number of classes, k.

    Returns:
        The metrics of `metrics.classification.evaluate`.

    Raises:
        ValueError: either set is empty, or a label is out of range.
    """
    counts = np.bincount(np.asarray(train_labels), minlength=classes)
    if not counts.sum():
        raise ValueError("there are no training labels")
    shares = np.tile(counts / counts.sum(), (len(np.asarray(labels)), 1))
    return metrics.evaluate(labels, shares)


def nearest_neighbour(
    train_images: NDArray[np.uint8] | Rows,
    train_labels: ArrayLike,
    images: NDArray[np.uint8] | Rows,
    labels: ArrayLike,
    classes: int,
) -> metrics.Metrics:
    """Metrics of giving every photograph the class of the most similar training photograph.

    Similar means a small Euclidean distance between 16 × 16 RGB thumbnails averaged over
    areas; the mask is not looked at. When this does well, so does remembering the subject or
    the lighting: a split that leaks shows here first.

    Args:
        train_images: uint8 [m, h, w, 3 or more], RGB first.
        train_labels: int [m].
        images: uint8 [n, h, w, 3 or more], the photographs to judge.
        labels: int [n], their true classes.
        classes: the number of classes, k.

    Returns:
        The metrics of `metrics.classification.evaluate` without the log-loss: one neighbour gives a
        class and no probabilities.

    Raises:
        ValueError: either set is empty, or images and labels differ in number.
    """
    neighbours = KNeighborsClassifier(n_neighbors=1)
    neighbours.fit(_flat(train_images), np.asarray(train_labels))
    predicted = neighbours.predict(_flat(images))
    return metrics.count_metrics(metrics.confusion_matrix(labels, predicted, classes))


def _flat(images: NDArray[np.uint8] | Rows) -> NDArray[np.float32]:
    small = make_thumbnails(images, THUMBNAIL, Image.Resampling.BOX)
    return small.reshape(len(images), -1).astype(np.float32)
