"""Leakage of held-out photographs into training: the part of ``check`` that training always runs.

A subject or an identical file on both sides is refused in `hairjax.data.split`. Here it is copies:
photographs that were encoded anew, made smaller, cropped, mirrored or turned. On the way copies
under different classes are found.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from hairjax.data.options import SourceOptions, SplitOptions
from hairjax.data.pairs import Pairs
from hairjax.data.photoset import PhotoSet, Rows
from hairjax.data.quality.duplicates import (
    DuplicatePair,
    find_conflicts,
    find_copies,
    measure_details,
)
from hairjax.parallel.processes import is_first, largest
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.program import command_line
from hairjax.system.wording import counted

# Of two pictures' likeness. Whatever is encoded anew (JPEG 60 and better), made half as large,
# mirrored or turned has 0.975 and more; of two tomatoes, no pair of different files had more than
# 0.95. So every such pair is a copy, and one is enough to refuse.
CERTAIN = 0.97
# Share of the photographs held out that may be merely alike (0.8 and more: crops of up to a tenth,
# and now and then chance). Among different tomatoes it was 0.4 % at most.
MOST = 0.01
_EXAMPLES = 3


def require_no_copies(
    photos: PhotoSet, split: np.ndarray, source: SourceOptions, options: SplitOptions
) -> None:
    """Refuse a split with copies of training photographs in validation or test.

    Copies under different classes, wherever they are, are told of and never refused. Subjects on
    both sides must have been refused already, so that the subjects of every pair are different or
    not known. Every process calls this; the first one looks.

    Args:
        photos: all of them; synthetic ones are not looked at, since each is drawn anew.
        split: split of each photograph, str [n].
        source: source of the photographs.
        options: with ``on_leak`` "allow" copies are told of and not refused.

    Raises:
        UserError: there are copies; in every process, and the first names some.
    """
    if source.synthetic:
        return
    found, conflicts = _find(photos, split) if is_first() else ([], [])
    _tell_of_conflicts(photos, conflicts, _command(source))
    held = int(np.sum(split != "train"))
    certain = sum(pair.likeness >= CERTAIN for pair in found)
    copies = len({pair.second for pair in found})
    # One may always be chance, however few are held out.
    leaks = certain > 0 or copies > max(1, MOST * held)
    refuse = leaks and options.on_leak == "refuse"
    if largest(int(refuse)) and not refuse:
        raise UserError("the split leaks; process 0 says which photographs are copies")
    if not found:
        console.say("copies of training photographs in validation and test: none found")
        return
    said = (
        f"{copies:,} of the {held:,} validation and test photographs look like copies of training "
        f"photographs whose subject is another or not known ({_examples(photos, split, found)})"
    )
    if refuse:
        raise UserError(
            f"the split leaks: {said}. See all with {_command(source)}; give copies the "
            "same subject, or remove them, or train nevertheless with --config.data.on_leak=allow"
        )
    why = "config.data.on_leak=allow" if leaks else "so few may be chance"
    console.say(f"{said}; trained nevertheless: {why}")


def _find(photos: PhotoSet, split: np.ndarray) -> tuple[list[DuplicatePair], list[DuplicatePair]]:
    """Leaks, of which the photograph held out comes second; and copies under different classes.

    The best come first.
    """
    leaks: list[DuplicatePair] = []
    conflicts: list[DuplicatePair] = []
    for images, there, sample in _views(photos):
        if len(there) < 2:
            continue
        trains, known = split[sample] == "train", measure_details(images)
        # Of identical files one is enough, and several would be each other's only candidates.
        _, once = np.unique(np.array(photos.sha256)[sample[trains]], return_index=True)
        labels = np.full(len(images), -1)
        labels[there] = photos.labels[sample]
        with console.progress("pairs compared") as progress:
            copies = find_copies(known, there[trains][np.sort(once)], there[~trains], progress)
        with console.progress("pairs of different classes compared") as progress:
            apart = find_conflicts(known, labels, progress)
        of_row = dict(zip(there.tolist(), sample.tolist(), strict=True))
        for pairs, found in ((copies, leaks), (apart, conflicts)):
            found += [DuplicatePair(of_row[p.first], of_row[p.second], p.likeness) for p in pairs]
    # Identical files are refused or told of before.
    conflicts = [p for p in conflicts if photos.sha256[p.first] != photos.sha256[p.second]]
    return sorted(leaks, key=_most_alike), sorted(conflicts, key=_most_alike)


def _most_alike(pair: DuplicatePair) -> float:
    return -pair.likeness


def _views(photos: PhotoSet) -> Iterator[tuple[np.ndarray | Rows, np.ndarray, np.ndarray]]:
    """Yield all photographs of each view, the places of those used, and the sample of each."""
    if not isinstance(photos.images, Pairs):
        every = np.arange(len(photos))
        yield photos.images, every, every
        return
    for images, rows in zip(photos.images.views, photos.images.rows.T, strict=True):
        # Of a photograph in several samples the first, which are all of one subject.
        there, sample = np.unique(rows, return_index=True)
        yield images, there[there >= 0], sample[there >= 0]


def _tell_of_conflicts(photos: PhotoSet, found: Sequence[DuplicatePair], command: str) -> None:
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
        f"{counted(len(found), 'pair')} of photographs that look alike have different classes, so "
        f"that one label of each may be wrong ({'; '.join(named)}{more}); see all with {command}"
    )


def _examples(photos: PhotoSet, split: np.ndarray, found: Sequence[DuplicatePair]) -> str:
    named = [
        f"{photos.files[pair.second]} ({split[pair.second]}) = {photos.files[pair.first]}, "
        f"likeness {pair.likeness:.2f}"
        for pair in found[:_EXAMPLES]
    ]
    return "; ".join(named) + (" …" if len(found) > _EXAMPLES else "")


def _command(source: SourceOptions) -> str:
    """The command that looks at the same photographs; it knows folders only."""
    flags = {
        "photos": source.views[0].photos,
        "masks": source.views[0].masks,
        "mask_name": source.views[0].mask_rule.name,
        "mask_category": source.views[0].mask_rule.category,
        "manifest": source.manifest.path,
        "columns": source.manifest.columns,
        "prefix": source.manifest.prefix,
        "subject": source.subject,
        "classes": ",".join(source.classes),
        "spelling": source.spelling if source.spelling != "refuse" else "",
        "split": source.own_split,
    }
    given = [f"--{name}={value}" for name, value in flags.items() if value]
    if source.kind != "photos":
        given = ["--photos=FOLDER"]
    return command_line("check", *given)
