"""Leakage check before training: held-out near-duplicates of training images.

Re-encoded, resized, cropped, mirrored or rotated copies; subjects and identical files are covered
by `hairjax.data.split`. Near-duplicates with conflicting labels are reported as well.
"""

import shlex
from collections.abc import Iterator, Sequence

import numpy as np

from hairjax.data.options import SourceOptions, SplitOptions
from hairjax.data.pairs import Pairs
from hairjax.data.photoset import PhotoSet, Rows
from hairjax.data.prepare.mask_values import AUTO, Hair
from hairjax.data.quality.duplicates import (
    DuplicatePair,
    find_conflicts,
    find_copies,
    measure_details,
)
from hairjax.parallel.processes import is_first, largest
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.wording import as_csv, counted

# Likeness of certain copies, one of which suffices to refuse: re-encoded (JPEG 60 and better),
# halved, mirrored or rotated images reach 0.975, different files of a tomato set at most 0.95.
CERTAIN = 0.97
# Tolerated fraction of held-out images with a likeness of 0.8 and more: crops of up to a tenth, and
# chance (0.4 % at most among different tomatoes).
MOST = 0.01
_EXAMPLES = 3


def require_no_copies(
    photos: PhotoSet,
    split: np.ndarray,
    source: SourceOptions,
    options: SplitOptions,
    hair: Hair = AUTO,
) -> None:
    """Raise if validation or test of a split, str [n], holds near-duplicates of training images.

    With ``on_leak`` "allow" they are reported only, as are near-duplicates with conflicting labels;
    synthetic images are skipped. Requires a split by subject (see `split.check_split`). Collective:
    all processes call it, the first one computes. `hair` is the mask rule of the command suggested.

    Raises:
        UserError: in every process; the first one names examples.
    """
    if source.synthetic:
        return
    command = _command(source, hair)
    found, conflicts = _find(photos, split) if is_first() else ([], [])
    _report_conflicts(photos, conflicts, command)
    held_out = int(np.sum(split != "train"))
    certain = sum(pair.likeness >= CERTAIN for pair in found)
    copies = len({pair.second for pair in found})
    # A single one may be chance.
    leaks = certain > 0 or copies > max(1, MOST * held_out)
    refuse = leaks and options.on_leak == "refuse"
    if largest(int(refuse)) and not refuse:
        raise UserError("the split leaks; process 0 names the copies")
    if not found:
        console.say("copies of training photographs in validation and test: none found")
        return
    message = (
        f"{copies:,} of the {held_out:,} validation and test photographs look like copies of "
        "training photographs with another or an unknown subject "
        f"({_examples(photos, split, found)})"
    )
    if refuse:
        raise UserError(
            f"the split leaks: {message}. List all with {command}; give copies the "
            "same subject, remove them, or train anyway with --config.data.on_leak=allow"
        )
    why = "config.data.on_leak=allow" if leaks else "so few may be chance"
    console.say(f"{message}; training continues: {why}")


def _find(photos: PhotoSet, split: np.ndarray) -> tuple[list[DuplicatePair], list[DuplicatePair]]:
    """Leaks (held-out image second) and near-duplicates with conflicting labels, best first."""
    leaks: list[DuplicatePair] = []
    conflicts: list[DuplicatePair] = []
    for images, rows, sample in _views(photos):
        if len(rows) < 2:
            continue
        trains, descriptors = split[sample] == "train", measure_details(images)
        # One of each set of identical files, which would be each other's only candidates.
        _, once = np.unique(np.array(photos.sha256)[sample[trains]], return_index=True)
        labels = np.full(len(images), -1)
        labels[rows] = photos.labels[sample]
        with console.progress("pairs compared") as progress:
            copies = find_copies(descriptors, rows[trains][np.sort(once)], rows[~trains], progress)
        with console.progress("pairs of different classes compared") as progress:
            conflicting = find_conflicts(descriptors, labels, progress)
        of_row = dict(zip(rows.tolist(), sample.tolist(), strict=True))
        for pairs, found in ((copies, leaks), (conflicting, conflicts)):
            found += [DuplicatePair(of_row[p.first], of_row[p.second], p.likeness) for p in pairs]
    # Identical files are handled by `conflicts`.
    conflicts = [p for p in conflicts if photos.sha256[p.first] != photos.sha256[p.second]]
    return sorted(leaks, key=_by_likeness), sorted(conflicts, key=_by_likeness)


def _by_likeness(pair: DuplicatePair) -> float:
    return -pair.likeness


def _views(photos: PhotoSet) -> Iterator[tuple[np.ndarray | Rows, np.ndarray, np.ndarray]]:
    """Yield per view: all images, indices of those in use, and the sample of each."""
    if not isinstance(photos.images, Pairs):
        every = np.arange(len(photos))
        yield photos.images, every, every
        return
    for images, rows in zip(photos.images.views, photos.images.rows.T, strict=True):
        # The first of several samples, all of one subject.
        used, sample = np.unique(rows, return_index=True)
        yield images, used[used >= 0], sample[used >= 0]


def _report_conflicts(photos: PhotoSet, found: Sequence[DuplicatePair], command: str) -> None:
    if not found:
        return
    named = [
        f"{photos.files[pair.first]} ({photos.classes[photos.labels[pair.first]]}) = "
        f"{photos.files[pair.second]} ({photos.classes[photos.labels[pair.second]]}), "
        f"likeness {pair.likeness:.2f}"
        for pair in found[:_EXAMPLES]
    ]
    more = " …" if len(found) > _EXAMPLES else ""
    console.say(
        f"{counted(len(found), 'pair')} of near-duplicates with different classes: one label of "
        f"each may be wrong ({'; '.join(named)}{more}); list all with {command}"
    )


def _examples(photos: PhotoSet, split: np.ndarray, found: Sequence[DuplicatePair]) -> str:
    named = [
        f"{photos.files[pair.second]} ({split[pair.second]}) = {photos.files[pair.first]}, "
        f"likeness {pair.likeness:.2f}"
        for pair in found[:_EXAMPLES]
    ]
    return "; ".join(named) + (" …" if len(found) > _EXAMPLES else "")


def _command(source: SourceOptions, hair: Hair) -> str:
    flags = {
        "photos": source.views[0].photos,
        "masks": source.views[0].masks,
        "mask_value": hair.key,
        "mask_name": source.views[0].mask_rule.name,
        "mask_category": source.views[0].mask_rule.category,
        "manifest": source.manifest.path,
        "columns": source.manifest.columns,
        "prefix": source.manifest.prefix,
        "subject": source.subject,
        "classes": as_csv(source.classes),
        "spelling": source.spelling if source.spelling != "refuse" else "",
        "split": source.own_split,
    }
    arguments = [f"--{name}={value}" for name, value in flags.items() if value]
    if source.kind != "photos":
        arguments = ["--photos=FOLDER"]
    return shlex.join(["python", "launch.py", "check", *arguments])
