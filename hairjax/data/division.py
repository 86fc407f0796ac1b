"""Grouped, stratified random division of images."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hairjax.data.photoset import PhotoSet

# Random assignments; the best is returned.
_ATTEMPTS = 16


def divide(photoset: PhotoSet, shares: np.ndarray, seed: int, needed: int) -> np.ndarray:
    """Assign each image to a part: grouped, stratified by class, otherwise random; int [n].

    Images of one subject and identical files (equal `sha256`) share a part; images without a
    subject ("") form groups of their own. Class shares approximate `shares`, [parts], summing to 1,
    as far as the groups allow; the `needed` first parts should hold every class. The result depends
    on the images and the seed, not on their order.
    """
    group = _groups(photoset)
    # Groups are named by their first checksum, independent of the order of images.
    names = [""] * (int(group.max(initial=-1)) + 1)
    for sha256, member in sorted(zip(photoset.sha256, group, strict=True), reverse=True):
        names[member] = sha256
    canonical = np.argsort(np.array(names))
    counts = np.zeros((len(names), len(photoset.classes)))
    np.add.at(counts, (group, photoset.labels), 1)
    # Skip classes without images.
    counts = counts[canonical][:, counts.any(axis=0)]
    rng = np.random.default_rng(seed)
    attempts = [_assign(counts, shares, rng) for _ in range(_ATTEMPTS)]
    best = min(attempts, key=lambda assigned: _distance(counts, shares, assigned, needed))
    assigned = np.empty_like(best)
    assigned[canonical] = best
    return assigned[group]


def _groups(photoset: PhotoSet) -> np.ndarray:
    """Connected components of images by subject and contents, numbered: int [n]."""
    n = len(photoset)
    subjects = np.array(photoset.subjects, dtype=str)
    known = np.flatnonzero(subjects != "")
    _, subject = np.unique(subjects[known], return_inverse=True)
    _, contents = np.unique(np.array(photoset.sha256, dtype=str), return_inverse=True)
    # Graph nodes: images, contents, subjects, in this order.
    photo = np.concatenate([np.arange(n), known])
    other = n + np.concatenate([contents, n + subject])
    edges = coo_array((np.ones(len(photo)), (photo, other)), shape=(3 * n, 3 * n))
    _, group = np.unique(connected_components(edges, directed=False)[1][:n], return_inverse=True)
    return group


def _assign(counts: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Assign groups, given their counts [groups, classes], to splits: int [groups].

    First, one random group per class and split, the rarest class first; then greedily, large groups
    before small ones, to the split with the largest decrease of `_distance`.
    """
    total = counts.sum(axis=0)
    splits = [split for split, share in enumerate(shares) if share]
    need = shares[:, None] * total
    assigned = np.full(len(counts), -1)

    def gain(group: np.ndarray, split: int | list[int]) -> np.ndarray:
        change = (2 * need[split] - counts[group]) * counts[group] / total**2
        return change.sum(axis=-1) / shares[split]

    def assign(group: int, split: int) -> None:
        assigned[group] = split
        need[split] -= counts[group]

    order = rng.permutation(len(counts))
    # Sizes within a factor of two count as equal, to be ordered at random.
    size = np.floor(np.log2(counts.sum(axis=1)))
    order = order[np.argsort(-size[order], kind="stable")]
    for split in splits:
        for label in np.argsort((counts > 0).sum(axis=0), kind="stable"):
            free = order[(assigned[order] < 0) & (counts[order, label] > 0)]
            if not counts[assigned == split, label].any() and len(free):
                assign(rng.choice(free), split)
    for group in order[assigned[order] < 0]:
        assign(group, splits[gain(group, splits).argmax()])
    return assigned


def _distance(
    counts: np.ndarray, shares: np.ndarray, assigned: np.ndarray, needed: int
) -> tuple[int, float]:
    """Number of classes missing from the needed parts, and χ² distance to the shares."""
    total = counts.sum(axis=0)
    splits = np.flatnonzero(shares)
    counted = np.stack([counts[assigned == split].sum(axis=0) for split in splits])
    share = shares[splits, None]
    return int((counted[:needed] == 0).sum()), float(((counted / total - share) ** 2 / share).sum())
