"""The photographs a configuration speaks of, whatever their source, and what each is for."""

import os
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from hairjax.builders.inputs import sees_masks, sees_two_views, stored_side
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.load import load_photos
from hairjax.data.sources.photos import find_photos
from hairjax.data.sources.tfds import PREFIX, complete_split, find_records
from hairjax.data.split import (
    SPLITS,
    check_split,
    make_folds,
    make_split,
    read_own_split,
    read_split,
)
from hairjax.data.synthetic import synthesise
from hairjax.data.synthetic.people import VIEWS
from hairjax.data.views import pair_views
from hairjax.system import console
from hairjax.system.errors import UserError


def describe_source(config: ConfigDict) -> str:
    """One phrase for every output: where the photographs are from."""
    if config.data.source == "synthetic":
        views = " and ".join(view.upper() for view in synthetic_views(config))
        return f"synthetic {views} photographs, drawn by hairjax"
    if config.data.source != "photos":
        return f"the tensorflow-datasets set {config.data.source.removeprefix(PREFIX)}"
    if sees_two_views(config):
        return f"{config.data.photos} and {config.data.second_photos}, paired by subject"
    return config.data.manifest or config.data.photos


def load_data(config: ConfigDict, classes: tuple[str, ...] | None) -> PhotoSet:
    """Read or draw every photograph, with a progress bar; of two views their pairs.

    Args:
        config: its ``data`` section and the size of what the model sees.
        classes: the class names of an earlier run, which the photographs must have; None to
            find them.

    Raises:
        UserError: photographs or masks are missing or cannot be used.
    """
    data = config.data
    if data.source == "synthetic":
        first, *others = (_draw(config, view) for view in synthetic_views(config))
        return pair_views(first, others[0]) if others else first
    own = _load_view(config, data.photos, data.masks, classes)
    if not sees_two_views(config):
        return own
    # The classes are those of the first view: a sample has one label.
    other = _load_view(config, data.second_photos, data.second_masks, own.classes)
    return pair_views(own, other)


def _draw(config: ConfigDict, view: str) -> PhotoSet:
    side, workers = stored_side(config), os.cpu_count() or 1
    with console.progress("photographs drawn") as progress:
        return synthesise(view, config.data.count, side, config.seed, workers, progress)


def _load_view(
    config: ConfigDict,
    photos: str,
    masks: str,
    classes: tuple[str, ...] | None,
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
    )


def split_photos(config: ConfigDict, photos: PhotoSet, written: Path | None) -> np.ndarray:
    """What each photograph is for: str [n], "train", "validation" or "test".

    Args:
        config: its ``data`` section, its seed and the size of a batch.
        photos: all of them.
        written: the split of the run that is gone on with; None for as ``data.split`` has it, or
            else drawn anew.

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
    console.say("split: " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    if counts["train"] < config.train.batch_size:
        raise UserError(
            f"config.train.batch_size is {config.train.batch_size}, but only {counts['train']} "
            "photographs train; take a smaller batch"
        )
    return split


def synthetic_views(config: ConfigDict) -> tuple[str, ...]:
    """Which views of synthetic people the model sees, the first first."""
    own = config.data.view
    return (own, *(view for view in VIEWS if view != own)) if sees_two_views(config) else (own,)
