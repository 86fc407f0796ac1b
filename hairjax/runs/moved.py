"""Moved images of a run: verified by checksum, then recorded at their new paths."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hairjax.builders.data_set import find_data, without_own_test
from hairjax.builders.setup import Setup, resolve
from hairjax.config.places import at_places, places_of
from hairjax.config.schema import flatten
from hairjax.data.mask_checksums import require_same_masks
from hairjax.data.pairs import pair_views
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.decode import read_file
from hairjax.data.sources.photos import Index
from hairjax.data.sources.problems import require_no_problems
from hairjax.data.sources.record import File
from hairjax.data.split import read_rows, require_same_photographs
from hairjax.runs.derived import source_runs
from hairjax.runs.folder import RunFolder
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.paths import absolute, require_run
from hairjax.system.wording import counted


def move_runs(workdirs: Sequence[Path], moved: str) -> dict[str, str]:
    """Record new paths of the images of runs (see `move_run`) and return them by configuration key.

    `moved` is ``OLD=NEW``, or several separated by commas, "" for none. Runs or folders of folds
    without images at the old paths are skipped.

    Raises:
        UserError: no run has images at an old path, or as `move_run`.
    """
    if not moved:
        return {}
    runs = []
    for workdir in workdirs:
        folds = sorted(path.parent for path in workdir.glob("fold_*/config.json"))
        if not folds or (workdir / "config.json").is_file():
            require_run(workdir)
            folds = []
        runs += [RunFolder(path) for path in folds or [workdir]]
    changes = [(folder, _new_places(folder, moved)) for folder in runs]
    if not any(places for _, places in changes):
        own = {place: None for folder in runs for place in _places(folder).values()}
        raise UserError(
            f"--moved={moved}: give OLD=NEW, where OLD is the start of the run's paths "
            f"({', '.join(own) or 'it has none: its photographs are synthetic'})"
        )
    new_places: dict[str, str] = {}
    for folder, places in changes:
        if places:
            move_run(folder, places, moved)
            new_places |= places
    return new_places


def _new_places(folder: RunFolder, moved: str) -> dict[str, str]:
    """New paths by key, for those starting with an old path."""
    configs = folder.read_config(), folder.read_initial_config()
    current, original = (places_of(flatten(config)) for config in configs)
    places = {}
    for old, new in _pairs(moved):
        for key in current:
            # Both the current and the original path match, so that a call may be repeated.
            for place in (current[key], original.get(key, "")):
                if place and (inside := _below(place, old)) is not None:
                    places[key] = str(absolute(new) / inside)
                    break
    return places


def _places(folder: RunFolder) -> dict[str, str]:
    return places_of(flatten(folder.read_config()))


def _pairs(moved: str) -> list[tuple[str, str]]:
    """Old and new paths; UserError unless ``OLD=NEW``."""
    pairs = [one.partition("=") for one in moved.split(",")]
    if not all(old and new for old, _, new in pairs):
        raise UserError(
            f"--moved is {moved!r}; give OLD=NEW, the old and new start of the run's paths, or "
            "several separated by commas: OLD=NEW,OLD=NEW"
        )
    return [(old, new) for old, _, new in pairs]


def _below(path: str, folder: str) -> Path | None:
    place, root = absolute(path), absolute(folder)
    return place.relative_to(root) if place.is_relative_to(root) else None


def move_run(folder: RunFolder, places: dict[str, str], moved: str) -> None:
    """Record new paths of a run's images, after verifying all images and masks by checksum.

    `places` are new paths by configuration key, `moved` is the flag for messages.

    Raises:
        UserError: images or masks are missing or differ; nothing is recorded.
    """
    config = at_places(folder.read_config(), places)
    setup = resolve(config)
    for key, place in places.items():
        if not Path(place).exists():
            raise UserError(f"--moved={moved}: {place}, the new config.{key}, does not exist")
    try:
        photographs, masks = _compare(folder, setup)
    except UserError as error:
        raise UserError(f"--moved={moved} is refused for {folder.path}: {error}") from error
    folder.write_places(_places(folder) | places)
    known = f"{counted(masks, 'mask')}" if masks else "no masks (no stored checksums)"
    console.say(
        f"moved: {counted(photographs, 'photograph')} and {known} match those of {folder.path}; "
        f"recorded in {folder.places}"
    )


def _compare(folder: RunFolder, setup: Setup) -> tuple[int, int]:
    """Number of images and masks, all verified by checksum."""
    source = setup.source.holding(folder.read_mask_facts())
    found = find_data(source, folder.read_classes())
    on_bad = setup.prepare.on_bad
    require_no_problems([problem for index in found for problem in index.problems], on_bad)
    files: set[str] | None = None
    if on_bad == "skip":  # unusable images are in no split
        files = {one for row in read_rows(folder.split) for one in row["file"].split(" + ")}
    each = [_with_checksums(index, files, setup.prepare.workers) for index in found]
    photos = without_own_test(pair_views(*each) if len(each) > 1 else each[0], source)
    require_same_photographs(folder.split, photos)
    masks = read_mask_checksums(folder)
    require_same_masks(masks, photos)
    return len(photos), len(masks) if photos.mask_sha256 else 0


def _with_checksums(index: Index, files: set[str] | None, workers: int) -> PhotoSet:
    """Images of an index, or those named, without pixels."""
    entries = [one for one in index.entries if files is None or one.file in files]
    with console.progress("photographs compared") as progress, ThreadPoolExecutor(workers) as pool:
        digests = []
        for done, pair in enumerate(pool.map(lambda e: _sha256(e.path, e.mask), entries), 1):
            digests.append(pair)
            progress(done, len(entries))
    return PhotoSet(
        images=np.empty((len(entries), 0, 0, 4), np.uint8),
        labels=np.array([entry.label for entry in entries], np.int32),
        files=tuple(entry.file for entry in entries),
        subjects=tuple(entry.subject for entry in entries),
        sha256=tuple(photo for photo, _ in digests),
        classes=index.classes,
        has_masks=index.has_masks,
        mask_sha256=tuple(mask for _, mask in digests) if index.has_masks else (),
        further=index.further,
    )


def _sha256(*paths: File | None) -> tuple[str, ...]:
    """SHA-256 of each file; "" for None and unreadable files."""
    digests = []
    for path in paths:
        try:
            digests.append(hashlib.sha256(read_file(path)).hexdigest() if path else "")
        except OSError:
            digests.append("")
    return tuple(digests)


def read_mask_checksums(folder: RunFolder) -> dict[str, str]:
    """Read the SHA-256 of each mask of a run or its source runs.

    Empty for runs of earlier versions.
    """
    if folder.mask_files.is_file():
        return folder.read_mask_checksums()
    checksums: dict[str, str] = {}
    if "made" in folder.read_config():
        for run in map(RunFolder, source_runs(folder)):
            if run.exists():
                checksums |= read_mask_checksums(run)
    return checksums
