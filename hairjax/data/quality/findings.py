"""Findings about a set of images before training; reported, never raised."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.headers import Header
from hairjax.data.quality.duplicates import DuplicatePair
from hairjax.data.quality.measures import Exposure, MaskShapes, measure_masks
from hairjax.data.sources.problems import Problem
from hairjax.data.sources.spelling import Spellings, shown_group
from hairjax.system.files import write_csv

UNUSABLE, SPLIT = "cannot be used", "split"
SPELLING = "one name in several spellings"
IDENTICAL, NEAR = "identical files", "near-duplicates"
IDENTICAL_CLASSES = "identical files in different classes"
NEAR_SPLITS = "near-duplicates across splits"
NEAR_CLASSES = "near-duplicates in different classes"
EMPTY, FULL, TINY = "mask empty", "mask nearly full", "mask tiny"
OUTLIER = "mask unlike its class"
_AT_ONCE = 256  # images per chunk of mask measurements
ALL_EMPTY = "all masks empty"
FAINT, INVERTED = "all masks faint", "masks that rather look inverted"
ONE_INVERTED = "mask rather looks inverted"
DARK, CLIPPED = "photograph very dark", "photograph clipped"
IMBALANCE, POSITION = "classes of unequal size", "position in the file"
# Findings that prevent training or invalidate its metrics.
GRAVE = (UNUSABLE, SPELLING, SPLIT, IDENTICAL_CLASSES, NEAR_SPLITS, ALL_EMPTY)

_NEARLY_FULL, _TINY = 0.95, 0.01  # of the image area
_FAR = 6.0  # robust standard deviations
_FEWEST = 10  # masks of a class required for outlier detection
# Lower bounds of the standard deviations, in fractions of the image.
_SPREADS = {"area": 0.03, "place from the top": 0.02, "place from the left": 0.02}
_UNEQUAL = 3.0  # ratio of class sizes
_FAINTEST = 128  # minimum peak level of the masks of a set
_HAIR = 0.8  # fraction of hair in the corners
_DARKEST = 48  # minimum 99th percentile of the levels of an image
_CLIPPED = 0.25  # clipped fraction of the central pixels, above the median of the set


@dataclass(frozen=True)
class Finding:
    """Row of ``check.csv``: two files for a pair, none for the whole set."""

    kind: str
    file: str
    other: str
    detail: str


def of_problems(problems: Iterable[Problem]) -> list[Finding]:
    """Unusable files."""
    return [
        Finding(UNUSABLE, problem.path, "", ": ".join(filter(None, (problem.kind, problem.detail))))
        for problem in problems
    ]


def of_spellings(found: Mapping[str, Spellings]) -> list[Finding]:
    """Nearly equal names, by kind of name."""
    return [
        Finding(SPELLING, "", "", f"{noun}: {shown_group(group)}")
        for noun, groups in found.items()
        for group in groups
    ]


def of_identical(photos: PhotoSet) -> list[Finding]:
    """Files identical to an earlier one."""
    first: dict[str, int] = {}
    found = []
    for i, contents in enumerate(photos.sha256):
        one = first.setdefault(contents, i)
        if one != i:
            kind = IDENTICAL if photos.labels[one] == photos.labels[i] else IDENTICAL_CLASSES
            found.append(_pair(kind, photos, one, i, ""))
    return found


def of_duplicates(
    photos: PhotoSet, pairs: Iterable[DuplicatePair], split: NDArray[np.str_] | None
) -> list[Finding]:
    """Near-duplicates, most similar first; `split` is str [n], or None without one."""
    found = []
    for pair in sorted(pairs, key=lambda pair: -pair.likeness):
        detail, kind = f"likeness {pair.likeness:.2f}", NEAR
        if split is not None and split[pair.first] != split[pair.second]:
            kind = NEAR_SPLITS
            detail += f"; {split[pair.first]} and {split[pair.second]}"
        elif photos.labels[pair.first] != photos.labels[pair.second]:
            kind = NEAR_CLASSES
        found.append(_pair(kind, photos, pair.first, pair.second, detail))
    return found


def _pair(kind: str, photos: PhotoSet, one: int, other: int, detail: str) -> Finding:
    details = [detail] if detail else []
    if photos.labels[one] != photos.labels[other]:
        names = (photos.classes[photos.labels[i]] for i in (one, other))
        details.append(f"classes {' and '.join(names)}")
    if photos.subjects[one] != photos.subjects[other]:
        details.append(f"subjects {' and '.join(photos.subjects[i] or '?' for i in (one, other))}")
    return Finding(kind, photos.files[one], photos.files[other], "; ".join(details))


def of_coding(shapes: MaskShapes) -> list[Finding]:
    """Suspicious masks of the whole set: all empty, all faint, or most of them inverted."""
    known, inverted = _inverted(shapes)
    found, peak = [], shapes.peak.max(initial=0)
    if not peak:
        found.append(Finding(ALL_EMPTY, "", "", "no mask has hair"))
    if 0 < peak < _FAINTEST:
        found.append(Finding(FAINT, "", "", f"none is above {peak} of 255; is their white less?"))
    if 2 * inverted.sum() > known.sum():
        detail = f"{inverted.sum():,} of {known.sum():,} have hair in the corners"
        detail += "; if so, use data.mask_value=inverted (check, predict: --mask_value=inverted)"
        found.append(Finding(INVERTED, "", "", detail))
    return found


def _inverted(shapes: MaskShapes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks of which it can be told, and those of them with hair in the corners and not within."""
    known = (shapes.area > 0) & (shapes.area < _NEARLY_FULL)
    return known, known & (shapes.corners > _HAIR) & (shapes.area < shapes.corners)


def describe_masks(photos: PhotoSet) -> list[str]:
    """Lines describing findings about all masks; empty without masks."""
    if not photos.has_masks or not len(photos):
        return []
    shapes = measure_masks(photos, _AT_ONCE)
    said = [f"{one.kind}: {one.detail}" for one in of_coding(shapes)]
    known, inverted = _inverted(shapes)
    if 1 < inverted.sum() <= known.sum() / 2:
        said.append(
            f"{inverted.sum():,} of {known.sum():,} masks have hair in the corners, as most have "
            "not: if hair is black in these, save all alike"
        )
    return said


def of_exposure(photos: PhotoSet, exposure: Exposure) -> list[Finding]:
    """Very dark images, and images clipped more than the median of the set."""
    most = np.median(exposure.clipped) + _CLIPPED
    return [
        *(
            Finding(DARK, photos.files[i], "", f"hardly anything above {level:.0f} of 255")
            for i, level in enumerate(exposure.brightest)
            if level < _DARKEST
        ),
        *(
            Finding(CLIPPED, photos.files[i], "", f"{share:.0%} of its middle")
            for i, share in enumerate(exposure.clipped)
            if share > most
        ),
    ]


def of_masks(photos: PhotoSet, shapes: MaskShapes) -> list[Finding]:
    """Masks that are empty, nearly full, tiny, inverted, or outliers of their class.

    A majority of inverted masks is a finding of `of_coding` instead.
    """
    found = []
    known, inverted = _inverted(shapes)
    few = inverted & (2 * inverted.sum() <= known.sum())
    for file, area, turned in zip(photos.files, shapes.area, few, strict=True):
        share = f"{area:.1%} of the photograph"
        if area == 0:
            found.append(Finding(EMPTY, file, "", ""))
        elif area > _NEARLY_FULL:
            found.append(Finding(FULL, file, "", share))
        elif area < _TINY:
            found.append(Finding(TINY, file, "", share))
        elif turned:
            found.append(Finding(ONE_INVERTED, file, "", "hair in the corners and less within"))
    named = {finding.file for finding in found}
    usual = [i for i, file in enumerate(photos.files) if file not in named]
    measures = zip(_SPREADS, (shapes.area, shapes.down, shapes.right), strict=True)
    details: dict[int, list[str]] = defaultdict(list)
    for name, values in measures:
        for i, text in _outliers(photos, np.array(usual, int), values, name):
            details[i].append(text)
    return found + [
        Finding(OUTLIER, photos.files[i], "", "; ".join(texts))
        for i, texts in sorted(details.items())
    ]


def _outliers(
    photos: PhotoSet, usual: NDArray[np.int_], values: NDArray[np.float64], name: str
) -> Iterable[tuple[int, str]]:
    for label, class_name in enumerate(photos.classes):
        members = usual[photos.labels[usual] == label]
        if len(members) < _FEWEST:
            continue
        middle = np.median(values[members])
        deviation = np.abs(values[members] - middle)
        # 1.4826: median absolute deviation to standard deviation of a normal distribution.
        spread = max(1.4826 * np.median(deviation), _SPREADS[name])
        for i in members[deviation / spread > _FAR].tolist():
            yield i, f"{name} {values[i]:.1%}, of {class_name} usually {middle:.1%}"


def of_classes(photos: PhotoSet) -> list[Finding]:
    """Class imbalance: a class several times larger than the smallest."""
    counts = np.bincount(photos.labels, minlength=len(photos.classes))
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < _UNEQUAL * counts[least]:
        return []
    detail = (
        f"{photos.classes[most]} has {counts[most]:,} photographs, {photos.classes[least]} "
        f"{counts[least]:,}: use balanced accuracy"
    )
    return [Finding(IMBALANCE, "", "", detail)]


def of_positions(files: Sequence[str], headers: Sequence[Header]) -> list[Finding]:
    """Images with a GPS position, which itself is not reported."""
    return [
        Finding(POSITION, file, "", "remove it before sharing the file")
        for file, header in zip(files, headers, strict=True)
        if header.has_position
    ]


def write_findings(path: Path, findings: Iterable[Finding]) -> None:
    """Write CSV (kind, file, other, detail) atomically."""
    write_csv(path, [field.name for field in fields(Finding)], map(astuple, findings))
