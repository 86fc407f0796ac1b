"""Near-duplicates: images re-encoded, resized, cropped, mirrored or rotated.

Candidates are nearest neighbours in a low-dimensional space learnt from the set by discriminant
analysis over random crops. Each is registered and compared in detail. The number of candidates per
image is bounded, so the cost is nearly linear.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import linalg
from scipy.spatial import cKDTree

from hairjax.data.photoset import Rows
from hairjax.data.quality.registration import details, likeness, register
from hairjax.data.quality.thumbnails import make_thumbnails

SIDE = 64  # resolution of the detailed comparison, in pixels
MIN_LIKENESS = 0.8  # minimum likeness: copies reach 0.84, other pairs rarely 0.7
_TURNS = range(8)
_COARSE = 8  # resolution of the candidate search, in pixels
_DIMENSIONS = 10
_NEIGHBOURS = 12  # candidates per image within a set
_NEAREST = 2  # candidates per image between parts of a split
_NEAREST_OF_OTHERS = 1  # candidates per image between classes
_FITTED = 256  # images for learning the space
_CROPS = 8  # crops of each of them
_CUT = 0.07  # largest margin of a crop, in sides
_CHUNK = 256  # pairs per comparison
# Coarse to fine: side in pixels, registration steps, minimum likeness to continue.
_STAGES = ((16, 6, 0.5), (32, 4, 0.65), (SIDE, 3, MIN_LIKENESS))


@dataclass(frozen=True)
class DuplicatePair:
    """Pair of near-duplicates; `likeness` is 1 for equal details."""

    first: int
    second: int
    likeness: float


@dataclass(frozen=True, eq=False)
class Details:
    """Image descriptors, computed once for all searches."""

    coarse: NDArray[np.float32]  # colours for the candidate search, float32 [n, 8, 8, 3]
    grey: Mapping[int, NDArray[np.float32]]  # greys by side in pixels, float32 [n, side, side]
    space: NDArray[np.float32]  # basis of the learnt space, float32 [described, dimensions]


def measure_details(images: NDArray[np.uint8] | Rows) -> Details:
    """Compute the descriptors of two or more images, uint8 [n, side, side, 3 or more]."""
    # Bilinear: area averaging rounds to whole pixels, differently in rotated images.
    small = make_thumbnails(images, SIDE, Image.Resampling.BILINEAR)
    grey = small @ np.array([0.299, 0.587, 0.114], np.float32)
    sizes = {side: shrunk(grey, side) for side, _, _ in _STAGES}
    return Details(shrunk(small, _COARSE), sizes, _learn_space(small))


def find_duplicates(
    images: NDArray[np.uint8] | Rows, progress: Callable[[int, int], None]
) -> list[DuplicatePair]:
    """Find near-duplicates within a set: sorted pairs, first < second; each copy is in one.

    `images` are uint8 [n, side, side, 3 or more], RGB first, without identical ones, which would be
    each other's only candidates. `progress` is called with (candidates compared, candidates in
    all).
    """
    if len(images) < 2:
        return []
    every, descriptors = np.arange(len(images)), measure_details(images)
    return _confirmed(descriptors, _candidates(descriptors, every, every, _NEIGHBOURS), progress)


def find_copies(
    descriptors: Details,
    train: NDArray[np.intp],
    held_out: NDArray[np.intp],
    progress: Callable[[int, int], None],
) -> list[DuplicatePair]:
    """Find held-out near-duplicates of training images: pairs (training image, held-out image).

    `train`, int [m], are indices without identical images, `held_out`, int [k], those of held-out
    images. Not all pairs of several copies are found. Takes a fraction of the time of
    `find_duplicates`.
    """
    if not len(train) or not len(held_out):
        return []
    training = frozenset(train.tolist())
    pairs = _confirmed(descriptors, _candidates(descriptors, train, held_out, _NEAREST), progress)
    return [
        p if p.first in training else DuplicatePair(p.second, p.first, p.likeness) for p in pairs
    ]


def find_conflicts(
    descriptors: Details, labels: NDArray[np.integer], progress: Callable[[int, int], None]
) -> list[DuplicatePair]:
    """Find near-duplicates with different labels, int [n] (-1: skipped): pairs, first < second.

    Compares each class with all before it, so that many copies within a class hide nothing. Not all
    pairs of several copies are found.
    """
    parts = [
        _candidates(
            descriptors,
            np.flatnonzero((labels >= 0) & (labels < label)),
            np.flatnonzero(labels == label),
            _NEAREST_OF_OTHERS,
        )
        for label in np.unique(labels[labels >= 0])[1:]
    ]
    return _confirmed(descriptors, np.concatenate(parts), progress) if parts else []


def _confirmed(
    descriptors: Details, candidates: NDArray[np.intp], progress: Callable[[int, int], None]
) -> list[DuplicatePair]:
    chunks = [candidates[i : i + _CHUNK] for i in range(0, len(candidates), _CHUNK)]
    found: dict[tuple[int, int], float] = {}
    done = 0
    # Threads suffice: numpy releases the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compare = partial(_compare, descriptors.grey)
        for chunk, alike in zip(chunks, pool.map(compare, chunks), strict=True):
            for first, second, value in alike:
                pair = min(first, second), max(first, second)
                found[pair] = max(value, found.get(pair, 0.0))
            done += len(chunk)
            progress(done, len(candidates))
    return [DuplicatePair(*pair, value) for pair, value in sorted(found.items())]


def turned(pictures: NDArray, turn: int) -> NDArray:
    """Apply one of eight rotations and reflections, 0 … 7, to images [n, side, side, …]."""
    if turn & 4:
        pictures = pictures.swapaxes(1, 2)
    return pictures[:, :: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1]


def _candidates(
    descriptors: Details, among: NDArray[np.intp], queries: NDArray[np.intp], neighbours: int
) -> NDArray[np.intp]:
    """(first, second, turn) [m, 3] of candidate pairs; the second is turned."""
    coarse, space = descriptors.coarse, descriptors.space
    tree = cKDTree(_descriptors(coarse[among]) @ space)
    count = min(len(among), neighbours + 1)
    found = []
    for turn in _TURNS:
        where = _descriptors(turned(coarse[queries], turn)) @ space
        distance, place = tree.query(where, [*range(1, count + 1)], workers=os.cpu_count() or 1)
        neighbour = among[place]
        distance[neighbour == queries[:, None]] = np.inf
        found.append((distance, neighbour, np.full_like(neighbour, turn)))
    distance, neighbour, turns = (np.concatenate(part, 1) for part in zip(*found, strict=True))
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]
    near = np.isfinite(np.take_along_axis(distance, nearest, 1))
    second = np.broadcast_to(queries[:, None], nearest.shape)[near]
    first = np.take_along_axis(neighbour, nearest, 1)[near]
    turns = np.take_along_axis(turns, nearest, 1)[near]
    return np.unique(np.stack([first, second, turns], axis=1), axis=0)


def _learn_space(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Fisher's linear discriminants [described, dimensions] between images, over crops."""
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(small))[:_FITTED]
    crops = np.stack([list(_crops(Image.fromarray(small[i]), rng)) for i in chosen])
    flat = crops.reshape(-1, _COARSE, _COARSE, 3).astype(np.float32)
    described = np.concatenate([_descriptors(turned(flat, turn)) for turn in _TURNS])
    described = described.reshape(-1, _CROPS, described.shape[1])
    means = described.mean(axis=1)
    deviations = (described - means[:, None]).reshape(-1, described.shape[2])
    within = deviations.T @ deviations / len(deviations)
    # Shrinkage: few crops underestimate the variance of some directions.
    within += np.eye(len(within)) * (np.trace(within) / len(within) * 0.05 + 1e-6)
    between = np.cov(means, rowvar=False)
    size = len(within)
    _, vectors = linalg.eigh(between, within, subset_by_index=(size - _DIMENSIONS, size - 1))
    return vectors.astype(np.float32)


def _crops(photo: Image.Image, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    for _ in range(_CROPS):
        left, top, right, bottom = rng.uniform(0, _CUT, 4) * rng.integers(0, 2, 4)
        box = SIDE * np.array([left, top, 1 - right, 1 - bottom])
        yield np.asarray(photo.resize((_COARSE, _COARSE), Image.Resampling.BOX, tuple(box)))


def _descriptors(coarse: NDArray) -> NDArray[np.float32]:
    """Colours, centred and contrast-normalised: [n, h, w, 3] → [n, h · w · 3]."""
    pixels = coarse.reshape(len(coarse), -1, 3).astype(np.float32)
    pixels = pixels - pixels.mean(axis=1, keepdims=True)
    # Floor of the contrast: compression noise.
    pixels = pixels / np.sqrt((pixels**2).mean(axis=(1, 2), keepdims=True) + 4)
    return pixels.reshape(len(coarse), -1)


def shrunk(pictures: NDArray, side: int) -> NDArray[np.float32]:
    """Average over squares: [n, h, h, …] → [n, side, side, …]."""
    n, size = pictures.shape[:2]
    each = size // side
    squares = pictures.reshape(n, side, each, side, each, *pictures.shape[3:])
    return squares.mean(axis=(2, 4), dtype=np.float32)


def _compare(
    sizes: Mapping[int, NDArray[np.float32]], candidates: NDArray[np.intp]
) -> list[tuple[int, int, float]]:
    """Candidates confirmed as copies, with their likeness; `sizes` are greys by side."""
    crop = np.zeros((len(candidates), 4), np.float32)
    alike = np.zeros(len(candidates), np.float32)
    for side, steps, least in _STAGES:
        first, second = (sizes[side][candidates[:, i]] for i in (0, 1))
        for turn in _TURNS:
            those = candidates[:, 2] == turn
            second[those] = turned(second[those], turn)
        crop = register(first, second, crop, steps)
        alike = likeness(details(first), details(second), crop)
        passing = alike >= least
        candidates, crop, alike = candidates[passing], crop[passing], alike[passing]
    return [
        (first, second, value)
        for (first, second, _), value in zip(candidates.tolist(), alike.tolist(), strict=True)
    ]
