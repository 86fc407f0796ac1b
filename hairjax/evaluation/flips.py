"""Test-time flips: mean probabilities of a photograph and its mirror image.

Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural networks",
NeurIPS 2012, §4.1, average over crops and reflections.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from hairjax.data.mirror import mirrored
from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.inference import Predict
from hairjax.evaluation.predictions import Predictions


def with_flips(predict: Predict) -> Predict:
    """Mean probabilities over every photograph and its mirror image (mask included)."""

    def predict_both(params: Any, photos: PhotoSet) -> Predictions:
        plain, flipped = (predict(params, each) for each in (photos, mirrored(photos)))
        both = np.stack([plain.probabilities, flipped.probabilities])
        return replace(plain, probabilities=both.mean(0, dtype=np.float64).astype(np.float32))

    return predict_both
