"""Test-time flips: what a model says of a photograph and of its mirror image, averaged.

Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural networks",
NeurIPS 2012, §4.1, averages probabilities over crops and their reflections; here over reflections.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from hairjax.data.mirror import mirrored
from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.inference import Predict
from hairjax.evaluation.predictions import Predictions


def with_flips(predict: Predict) -> Predict:
    """The mean of the probabilities of every photograph and of its mirror image, mask and all."""

    def predict_both(params: Any, photos: PhotoSet) -> Predictions:
        plain, flipped = (predict(params, each) for each in (photos, mirrored(photos)))
        both = np.stack([plain.probabilities, flipped.probabilities])
        return replace(plain, probabilities=both.mean(0, dtype=np.float64).astype(np.float32))

    return predict_both
