"""Dividing photographs into parts of given shares: nothing that belongs together is parted."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hairjax.data.photoset import PhotoSet

# Random assignments tried, of which the nearest to what was asked is kept.
_ATTEMPTS = 16


def divide(photoset: PhotoSet, shares: np.ndarray, seed: int, needed: int) -> np.ndarray:
    """Assign each photograph to a part, at random but for what must hold.

    No subject and no identical files (equal `sha256`) are ever parted; a photograph whose subject
    is "" is its own. Each class comes as near to ``shares`` as that allows. The result depends on
    the photographs and the seed, not on the photographs' order.

    Args:
        photoset: the photographs.
        shares: shares of the parts, [parts], which sum to 1.
        seed: seed of the division.
        needed: the first so many parts should have every class.

    Returns:
        int [n]: which part.
    """
    group = _groups(photoset)
    # A group is known by its first checksum, whatever the order of the photographs.
    names = [""] * (int(group.max(initial=-1)) + 1)
    for sha256, member in sorted(zip(photoset.sha256, group, strict=True), reverse=True):
        names[member] = sha256
    canonical = np.argsort(np.array(names))
    counts = np.zeros((len(names), len(photoset.classes)))
    np.add.at(counts, (group, photoset.labels), 1)
    # A class that the set lacks has nothing to be divided.
    counts = counts[canonical][:, counts.any(axis=0)]
    rng = np.random.default_rng(seed)
    attempts = [_assign(counts, shares, rng) for _ in range(_ATTEMPTS)]
    best = min(attempts, key=lambda assigned: _distance(counts, shares, assigned, needed))
    assigned = np.empty_like(best)
    assigned[canonical] = best
    return assigned[group]


def _groups(photoset: PhotoSet) -> np.ndarray:
    """Number (int [n]) the groups of photographs that share, in any chain, subjects or contents."""
    n = len(photoset)
    subjects = np.array(photoset.subjects, dtype=str)
    known = np.flatnonzero(subjects != "")
    _, subject = np.unique(subjects[known], return_inverse=True)
    _, contents = np.unique(np.array(photoset.sha256, dtype=str), return_inverse=True)
    # A graph of photographs, contents and subjects, in this order of numbers.
    photo = np.concatenate([np.arange(n), known])
    other = n + np.concatenate([contents, n + subject])
    edges = coo_array((np.ones(len(photo)), (photo, other)), shape=(3 * n, 3 * n))
    _, group = np.unique(connected_components(edges, directed=False)[1][:n], return_inverse=True)
    return group


def _assign(counts: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Assign groups, whose photographs per class are counts [groups, classes], to splits.

    First every class is brought into every split by a group at random, the rarest class first.
    Then each group goes where it lowers `_distance` most, the large before the small, which fill
    the gaps.
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
    # Sizes within a factor of two count as equal, so that chance and not size decides.
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
    """Return how many classes the needed parts lack, and the χ² distance to the shares."""
    total = counts.sum(axis=0)
    splits = np.flatnonzero(shares)
    held = np.stack([counts[assigned == split].sum(axis=0) for split in splits])
    share = shares[splits, None]
    return int((held[:needed] == 0).sum()), float(((held / total - share) ** 2 / share).sum())
