"""Reliance of a model on the mask: metrics with the mask, or the photograph, changed."""

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

EDGE = 1 / 50  # by which a mask is eroded and dilated, as a share of the photograph's side
METRICS = ("accuracy", "quadratic_kappa")
_AT_ONCE = 256  # photographs in memory


@dataclass(frozen=True)
class Reliance:
    """Metrics of a model on photographs changed in one way.

    Attributes:
        change: the change in words; "" where nothing is changed.
        values: per name in `METRICS`, the metric and its 95 % interval, None as in
            `intervals.metric_interval`; None where the metric is undefined.
        differences: the same of changed minus unchanged, paired; none where nothing is changed.
    """

    change: str
    values: dict[str, Estimate | None]
    differences: dict[str, Estimate | None]


def predict_changed(
    predict: Callable[[PhotoSet], Predictions], photos: PhotoSet, seed: int
) -> dict[str, Predictions]:
    """Predictions of a model for photographs changed in every way, by the change's name.

    Args:
        predict: the model.
        photos: photographs with masks.
        seed: seed of the permutation of masks.

    Raises:
        UserError: there is one photograph, which cannot be given another's mask.
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
    return {change: join_predictions(said, photos.classes) for change, said in parts.items()}


def _changes(
    images: NDArray[np.uint8], others: NDArray[np.uint8], pixels: int
) -> list[tuple[str, NDArray[np.uint8]]]:
    """Every change by name: of photographs [n, side, side, 4], given other photographs' masks."""
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
    """Number of pixels by which masks of this side are eroded and dilated; at least one."""
    return max(1, round(EDGE * side))


def other_photographs(count: int, seed: int) -> NDArray[np.int64]:
    """Another photograph for each of ``count``, each given once: int [count]."""
    order = np.random.default_rng(seed).permutation(count)
    others = np.empty(count, np.int64)
    others[order] = np.roll(order, 1)  # one ring, in which none is its own neighbour
    return others


def measure_reliance(original: Predictions, changed: dict[str, Predictions]) -> Sequence[Reliance]:
    """Metrics of predictions and of those for changed photographs, with paired differences.

    Args:
        original: predictions for the photographs as they are.
        changed: predictions for the same photographs, by change.
    """
    unit = subject_indices(original.subjects)
    summaries = {
        change: summarise(original.labels, [said.probabilities], unit)
        for change, said in {"": original, **changed}.items()
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
