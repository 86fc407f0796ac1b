"""Find unlabelled images for prediction."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hairjax.data.sources.folders import walk_photos
from hairjax.data.sources.holdings import describe_holdings
from hairjax.data.sources.lookup import missing
from hairjax.data.sources.manifest import Row
from hairjax.data.sources.mask_rule import NOT_FOUND, TOLD, MaskRule
from hairjax.data.sources.masks import Masks, mask_folder
from hairjax.data.sources.mixed import require_no_masks_among
from hairjax.data.sources.photos import Entry, Index, unowned
from hairjax.data.sources.problems import PhotoError, Problem, shown
from hairjax.data.sources.record import File
from hairjax.system.errors import UserError
from hairjax.system.wording import counted

UNKNOWN = -1  # the label


def find_unlabelled(
    paths: Sequence[str], masks: str, classes: tuple[str, ...], rule: MaskRule = TOLD
) -> Index:
    """Find image files of any suffix, and images in folders (recursive), with their masks.

    `masks` is a folder of masks by the images' paths below their folder (by name for single files),
    with any image suffix; or the mask of a single image; or an annotation file; "" for none.

    Returns:
        Entries in the order of `paths`, named as given.

    Raises:
        UserError: a path does not exist, a folder has no images, or `masks` is missing.
    """
    problems: list[Problem] = []
    mask = Path(masks).expanduser()
    found = [pair for path in paths for pair in _photographs(path, mask, problems)]
    drawn = bool(masks) and not mask_folder(masks)
    if masks and not (mask.is_dir() or drawn) and (missing(mask) or len(found) != 1):
        wanted = "the folder of the masks" if len(found) != 1 else "a mask or a folder of masks"
        raise UserError(f"--masks={masks} is not {wanted}; give one that is")
    if not masks:
        places = {below: Path(name).expanduser() for name, below in found}
        require_no_masks_among(places, "give --masks with their folder too")
    finder = None
    if masks and (mask.is_dir() or drawn):
        among = _lie_among(paths, mask)
        photos = {below: Path(name).expanduser() for name, below in found}
        finder = Masks(mask, photos, rule, among)
        for name, below in found:
            if not finder.beside.get(below, True):
                problems.append(Problem(shown(Path(name)), unowned(finder.facts), ""))
        found = [(name, below) for name, below in found if below not in finder.beside]
    entries: list[Entry] = []
    taken: dict[File, str] = {}
    for name, below in found:
        path = Path(name).expanduser()
        try:
            its = finder.find(Row(below, "", "", ""), path) if finder else mask if masks else None
        except PhotoError as error:
            problems.append(error.problem)
            continue
        other = taken.setdefault(its, name) if its else name
        if other != name:
            # Equal names in two folders: the mask is ambiguous.
            problems.append(Problem(shown(path), f"{its} is the mask of {other} too", ""))
        else:
            entries.append(Entry(name, path, its, UNKNOWN, ""))
    facts = finder.facts if finder else NOT_FOUND
    return Index(tuple(entries), tuple(problems), classes, bool(masks), masks=facts)


def _lie_among(paths: Sequence[str], masks: Path) -> bool | None:
    """Value of `among` for `Masks`: whether images and masks share a folder."""
    given, place = [Path(path).expanduser() for path in paths], os.path.realpath(masks)
    if any(os.path.realpath(path) == place for path in given):
        return True
    return False if any(os.path.realpath(path.parent) == place for path in given) else None


def _photographs(given: str, masks: Path, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """Yield the images at a path: output name, and path below the folder, without masks."""
    path = Path(given).expanduser()
    if not path.is_dir():
        if reason := missing(path):
            raise UserError(f"there is no photograph or folder {given!r}: {reason}")
        yield given, path.name
        return
    before, empty = len(problems), True
    inside = {os.path.realpath(masks)} - {os.path.realpath(path), os.path.realpath(".")}
    for photo in walk_photos(path, inside, problems):
        below = photo.relative_to(path)
        yield str(Path(given) / below), below.as_posix()
        empty = False
    if empty and len(problems) == before:
        there = describe_holdings(path)
        raise UserError(f"the folder {given!r} holds no photograph, but {there}; give another")


def pair_photos(
    photos: Sequence[str | Path], masks: Sequence[str | Path] | None, classes: tuple[str, ...]
) -> Index:
    """Pair images with masks one by one.

    Raises:
        UserError: their numbers differ.
    """
    if masks is not None and len(masks) != len(photos):
        given = f"{counted(len(photos), 'photograph')} and {counted(len(masks), 'mask')}"
        raise UserError(f"{given}: give one for each")
    pairs = zip(photos, masks if masks is not None else [None] * len(photos), strict=True)
    entries = tuple(
        Entry(str(photo), Path(photo), None if mask is None else Path(mask), UNKNOWN, "")
        for photo, mask in pairs
    )
    return Index(entries, (), classes, masks is not None)
