"""The photographs a configuration speaks of, whatever their source, and what each is for."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from hairjax import processes
from hairjax.data.pairs import drawn_views, pair_views, sees_two_views
from hairjax.data.photos import Index, find_photos
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare import prepare
from hairjax.data.problems import Problem, describe_problems, require_no_problems
from hairjax.data.split import (
    SPLITS,
    check_split,
    make_folds,
    make_split,
    read_own_split,
    read_split,
)
from hairjax.data.store import prepare_once
from hairjax.data.stored import Stored
from hairjax.data.synthetic import draw
from hairjax.data.tfds_source import PREFIX, complete_split, find_records
from hairjax.display import Display
from hairjax.errors import UserError
from hairjax.memory import free_memory
from hairjax.sight import sees_masks, stored_side


def describe_source(config: ConfigDict) -> str:
    """One phrase for every output: where the photographs are from."""
    if config.data.source == "synthetic":
        views = " and ".join(view.upper() for view in drawn_views(config))
        return f"synthetic {views} photographs, drawn by hairjax"
    if config.data.source != "photos":
        return f"the tensorflow-datasets set {config.data.source.removeprefix(PREFIX)}"
    if sees_two_views(config):
        return f"{config.data.photos} and {config.data.second_photos}, paired by subject"
    return config.data.manifest or config.data.photos


def load_data(config: ConfigDict, classes: tuple[str, ...] | None, display: Display) -> PhotoSet:
    """Read or draw every photograph, with a progress bar; of two views their pairs.

    Args:
        config: its ``data`` section and the size of what the model sees.
        classes: the class names of an earlier run, which the photographs must have; None to
            find them.
        display: shows the progress and what was left out.

    Raises:
        UserError: photographs or masks are missing or cannot be used.
    """
    data = config.data
    if data.source == "synthetic":
        first, *others = (_draw(config, view, display) for view in drawn_views(config))
        return pair_views(first, others[0], display) if others else first
    own = _load_view(config, data.photos, data.masks, classes, display)
    if not sees_two_views(config):
        return own
    # The classes are those of the first view: a sample has one label.
    other = _load_view(config, data.second_photos, data.second_masks, own.classes, display)
    return pair_views(own, other, display)


def _draw(config: ConfigDict, view: str, display: Display) -> PhotoSet:
    side, workers = stored_side(config), os.cpu_count() or 1
    with display.progress("photographs drawn") as progress:
        return draw(view, config.data.count, side, config.seed, workers, progress)


def _load_view(
    config: ConfigDict,
    photos: str,
    masks: str,
    classes: tuple[str, ...] | None,
    display: Display,
) -> PhotoSet:
    """The photographs of one view, from a set or folders."""
    data = config.data
    need_masks = sees_masks(config)
    if data.source.startswith(PREFIX):
        index = find_records(
            name=data.source.removeprefix(PREFIX),
            data_dir=photos,
            classes=classes,
            need_masks=need_masks,
            display=display,
        )
    else:
        index = find_photos(
            photos=photos,
            masks=masks,
            manifest=data.manifest,
            subject=data.subject,
            classes=classes,
            need_masks=need_masks,
        )
    # Another folder than the run's own need not hold all of the run's classes.
    expected = range(len(index.classes)) if classes is None else {e.label for e in index.entries}
    return load_photos(
        index,
        expected=expected,
        side=stored_side(config),
        fit=data.fit,
        on_bad=data.on_bad,
        cache=data.cache,
        beam=data.beam,
        memory=data.memory / (2 if sees_two_views(config) else 1),
        display=display,
    )


def load_photos(
    index: Index,
    *,
    expected: Iterable[int],
    side: int,
    fit: str,
    on_bad: str,
    cache: str,
    beam: str,
    memory: float,
    display: Display,
) -> PhotoSet:
    """Read the photographs that were found; every file that cannot be used is in one report.

    Args:
        index: what `find_photos` found.
        expected: the classes of which there must be a photograph.
        side: height and width of the result in pixels.
        fit: "squash" or "pad", as in `read_photo`.
        on_bad: "refuse" raises when any file cannot be used, "skip" leaves such files out.
        cache: the folder of prepared sets; "" decodes anew and writes nothing.
        beam: options of Apache Beam, which then prepares the set; "" does without it.
        memory: GiB that photographs may take in memory, else they stay on disk; 0: half of what
            is free, shared by the processes of the run on this machine.
        display: shows the progress, what was left out, and where the photographs are kept.

    Returns:
        The photographs, ordered as in `index`.

    Raises:
        UserError: files cannot be used and `on_bad` is "refuse"; leaving them out leaves a class
            without photographs; they do not fit into memory and there is no `cache`; or the
            cache cannot be used.
    """
    workers = os.cpu_count() or 1
    size, limit = len(index.entries) * side * side * 4, memory_limit(memory)
    if cache and index.entries:
        photoset, unread = prepare_once(
            index,
            cache=Path(cache).expanduser(),
            side=side,
            fit=fit,
            on_bad=on_bad,
            workers=workers,
            beam=beam,
            display=display,
        )
    elif size > limit:
        raise UserError(
            f"the photographs take {size / 2**30:.1f} GiB and {limit / 2**30:.1f} GiB may be used "
            "(config.data.memory; 0: half of what is free): allow more, or give a folder with "
            "--config.data.cache=FOLDER from which they are then read while training"
        )
    else:
        with display.progress("photographs read") as progress:
            photoset, unread = prepare(index, side, fit, workers, progress)
    problems = [*index.problems, *unread]
    require_no_problems(problems, on_bad)
    require_classes(photoset, expected, problems)
    if problems:
        display.say(
            f"left out {len(problems):,} that cannot be used (config.data.on_bad=skip):\n"
            f"{describe_problems(problems)}"
        )
    return _placed(photoset, limit, display)


def require_classes(
    photoset: PhotoSet, expected: Iterable[int], problems: Sequence[Problem]
) -> None:
    """Refuse a set that lacks an expected class once what cannot be used is left out.

    Raises:
        UserError: names the class and the problems.
    """
    empty = [photoset.classes[label] for label in sorted({*expected} - {*photoset.labels.tolist()})]
    if empty or not len(photoset):
        raise UserError(
            f"no photograph of {', '.join(empty) or 'any class'} can be used:\n"
            f"{describe_problems(problems)}\ncorrect these files, or remove the class"
        )


def _placed(photoset: PhotoSet, limit: float, display: Display) -> PhotoSet:
    """Bring photographs from the disk into memory where they fit, and say which it is.

    Of several processes each reads its rows of every batch from the disk, and no others.
    """
    images = photoset.images
    stay = isinstance(images, Stored) and (images.nbytes > limit or jax.process_count() > 1)
    where = "read while training" if stay else "in memory"
    display.say(
        f"photographs: {len(photoset):,}, {where}: {images.nbytes / 2**30:.2f} of "
        f"{limit / 2**30:.2f} GiB (config.data.memory)"
    )
    if stay or not isinstance(images, Stored):
        return photoset
    return replace(photoset, images=images.in_memory())


def memory_limit(memory: float) -> float:
    """Bytes that photographs may take."""
    here = processes.on_this_machine()  # which all ask, whatever each was given
    return memory * 2**30 if memory else free_memory(Path("/")) / 2 / here


def split_photos(
    config: ConfigDict, photos: PhotoSet, written: Path | None, display: Display
) -> np.ndarray:
    """What each photograph is for: str [n], "train", "validation" or "test".

    Args:
        config: its ``data`` section, its seed and the size of a batch.
        photos: all of them.
        written: the split of the run that is gone on with; None for as ``data.split`` has it, or
            else drawn anew.
        display: shows how many are for what.

    Raises:
        UserError: the photographs cannot be divided so, or too few train.
    """
    if written:
        split = read_own_split(written, photos)
    elif config.data.split:
        split = read_split(Path(config.data.split).expanduser(), photos)
    elif config.data.folds:
        split = make_folds(photos, config.data.folds, config.data.fold, config.seed)
    elif config.data.source.startswith(PREFIX):
        split = complete_split(photos, config.data.fractions, config.seed)
    else:
        split = make_split(photos, config.data.fractions, config.seed)
    check_split(photos, split)
    counts = {name: int(np.sum(split == name)) for name in SPLITS}
    display.say("split: " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    if counts["train"] < config.train.batch_size:
        raise UserError(
            f"config.train.batch_size is {config.train.batch_size}, but only {counts['train']} "
            "photographs train; take a smaller batch"
        )
    return split
