"""Reliance on the mask: metrics with mask or photograph perturbed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import grey_dilation, grey_erosion

from hairjax.data.photoset import PhotoSet
from hairjax.evaluation.explain.deletion import MEAN_COLOUR
from hairjax.evaluation.metrics.intervals import Estimate
from hairjax.evaluation.metrics.jackknife import subject_indices
from hairjax.evaluation.metrics.paired import compare, summarise
from hairjax.evaluation.predictions import Predictions, join_predictions
from hairjax.system.errors import UserError

EDGE = 1 / 50  # erosion and dilation of the mask, as a share of the photograph's side
METRICS = ("accuracy", "quadratic_kappa")
_AT_ONCE = 256  # photographs in memory


@dataclass(frozen=True)
class Reliance:
    """Metrics under one perturbation.

    Attributes:
        change: name of the perturbation; "" for none.
        values: per name in `METRICS`, metric and 95 % interval; None where undefined.
        differences: perturbed minus original, paired; empty for the original.
    """

    change: str
    values: dict[str, Estimate | None]
    differences: dict[str, Estimate | None]


def predict_changed(
    predict: Callable[[PhotoSet], Predictions], photos: PhotoSet, seed: int
) -> dict[str, Predictions]:
    """Predictions under every perturbation, by its name; ``seed``: of the mask permutation.

    Raises:
        UserError: fewer than two photographs.
    """
    if len(photos) < 2:
        raise UserError("masks cannot be shuffled between fewer than two photographs")
    donors = other_photographs(len(photos), seed)
    pixels = edge_pixels(photos.images.shape[1])
    parts: dict[str, list[Predictions]] = {}
    for start in range(0, len(photos), _AT_ONCE):
        place = np.arange(start, min(start + _AT_ONCE, len(photos)))
        part = photos.subset(place)
        images, masks = part.images[:], photos.images[donors[place]][..., 3]
        for change, changed in _changes(images, masks, pixels):
            parts.setdefault(change, []).append(predict(replace(part, images=changed)))
    return {
        change: join_predictions(predictions, photos.classes)
        for change, predictions in parts.items()
    }


def _changes(
    images: NDArray[np.uint8], others: NDArray[np.uint8], pixels: int
) -> list[tuple[str, NDArray[np.uint8]]]:
    """Perturbed photographs [n, side, side, 4] by name; ``others``: masks to swap in."""
    size = (1, 2 * pixels + 1, 2 * pixels + 1)
    mask = images[..., 3]
    unit = "pixel" if pixels == 1 else "pixels"

    def with_mask(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.concatenate([images[..., :3], mask[..., None]], axis=-1)

    blind = images.copy()
    blind[..., :3] = MEAN_COLOUR
    return [
        ("without the mask", with_mask(np.zeros_like(mask))),
        ("mask of another photograph", with_mask(others)),
        (f"mask eroded by {pixels} {unit}", with_mask(grey_erosion(mask, size))),
        (f"mask dilated by {pixels} {unit}", with_mask(grey_dilation(mask, size))),
        ("without the photograph", blind),
    ]


def edge_pixels(side: int) -> int:
    """Pixels of erosion and dilation for masks of this side; at least one."""
    return max(1, round(EDGE * side))


def other_photographs(count: int, seed: int) -> NDArray[np.int64]:
    """Random cyclic permutation, int [count]: another photograph for each; ``count`` ≥ 2."""
    order = np.random.default_rng(seed).permutation(count)
    others = np.empty(count, np.int64)
    others[order] = np.roll(order, 1)  # a single cycle has no fixed point
    return others


def measure_reliance(original: Predictions, changed: dict[str, Predictions]) -> Sequence[Reliance]:
    """Metrics of the original and of every perturbation, with paired differences."""
    unit = subject_indices(original.subjects)
    summaries = {
        change: summarise(original.labels, [predictions.probabilities], unit)
        for change, predictions in {"": original, **changed}.items()
    }
    pairs = {
        change: compare(summaries[""], summary).differences
        for change, summary in summaries.items()
        if change
    }
    return [
        Reliance(
            change=change,
            values={
                name: None
                if (mean := summary.mean(name)) is None
                else (mean, summary.interval(name))
                for name in METRICS
            },
            differences={name: pairs[change][name] for name in METRICS} if change else {},
        )
        for change, summary in summaries.items()
    ]
