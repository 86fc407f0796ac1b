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
    """Metrics of the majority class of the training labels, int [m], on ``labels``, int [n].

    Its probabilities, used by the log-loss only, are the class frequencies in training.

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
    """Metrics of 1-nearest-neighbour classification on thumbnails, without the log-loss.

    Euclidean distance between 16 × 16 RGB area-averaged thumbnails; masks are ignored. A good score
    points to a leaking split: subject or lighting suffice.

    Args:
        train_images: uint8 [m, h, w, 3 or more], RGB first.
        train_labels: int [m].
        images: uint8 [n, h, w, 3 or more], evaluated photographs.
        labels: int [n].
        classes: number of classes.

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
