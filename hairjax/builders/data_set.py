"""Find, load and split the photographs of a run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hairjax.data.options import FOLDERS, PrepareOptions, SourceOptions, SplitOptions, View
from hairjax.data.own_split import find_own_split
from hairjax.data.pairs import pair_views
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.load import load_photos
from hairjax.data.sources.ordered import tell_order
from hairjax.data.sources.photos import Index, Search, find_photos
from hairjax.data.sources.tfds import complete_split, find_records
from hairjax.data.sources.unify import unify_spelling
from hairjax.data.split import (
    SPLITS,
    check_split,
    make_folds,
    make_split,
    read_own_split,
    split_off_part,
)
from hairjax.data.synthetic import synthesise
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.wording import counted


def find_data(source: SourceOptions, classes: tuple[str, ...] | None) -> tuple[Index, ...]:
    """Index the photographs of every view without decoding; () for synthetic ones.

    Prints the naming of the masks if unusual and, without ``classes`` (of an earlier run), the
    inferred class order.

    Raises:
        UserError: missing photographs or masks, inconsistent spelling of classes or subjects, or an
            unknown but required class order.
    """
    if source.synthetic:
        return ()
    first = _find_view(source, source.views[0], classes)
    # The first view defines the classes: a sample has one label.
    others = [_find_view(source, view, first.classes) for view in source.views[1:]]
    for said in dict.fromkeys(index.masks.said for index in (first, *others)):
        if said:
            console.say(said)
    found = unify_spelling((first, *others), source.spelling)
    if classes is None:
        console.say(tell_order(first.classes, source))
    return found


def load_data(
    source: SourceOptions,
    options: PrepareOptions,
    classes: tuple[str, ...] | None,
    found: Sequence[Index] | None = None,
) -> PhotoSet:
    """Load or synthesise all photographs with a progress bar; two views are paired.

    With folds the test part of a given split is left out (and reported). ``found``: from
    `find_data`; None to call it.

    Raises:
        UserError: missing or unusable photographs or masks.
    """
    if source.synthetic:
        loaded = [_synthesise(source, options, view) for view in source.views]
    else:
        loaded = _load(find_data(source, classes) if found is None else found, options, classes)
    photos = pair_views(*loaded) if len(loaded) > 1 else loaded[0]
    return without_own_test(photos, source)


def _find_view(source: SourceOptions, view: View, classes: tuple[str, ...] | None) -> Index:
    if source.data_set:
        return find_records(
            name=source.data_set,
            data_dir=view.photos,
            classes=classes,
            need_masks=source.need_masks,
            given=source.classes,
        )
    return find_photos(
        Search(
            photos=view.photos,
            masks=view.masks,
            manifest=source.manifest.path,
            columns=source.manifest.columns,
            prefix=source.manifest.prefix,
            in_parts=source.own_split == FOLDERS,
            subject=source.subject,
            classes=classes,
            need_masks=source.need_masks,
            given=source.classes,
            # Refusals come later, with those about subjects in one report.
            merge=source.spelling != "apart",
            mask_rule=view.mask_rule,
        )
    )


def _synthesise(source: SourceOptions, options: PrepareOptions, view: View) -> PhotoSet:
    with console.progress("photographs synthesised") as progress:
        return synthesise(
            view.name, source.count, options.side, source.seed, options.workers, progress
        )


def _load(
    found: Sequence[Index], options: PrepareOptions, classes: tuple[str, ...] | None
) -> list[PhotoSet]:
    each = replace(options, memory=options.memory / len(found))
    loaded = []
    for place, index in enumerate(found):
        # A folder other than the run's own, or a second view, may lack classes.
        given = classes is not None or place > 0
        expected = {e.label for e in index.entries} if given else set(range(len(index.classes)))
        loaded.append(load_photos(index, each, expected))
    return loaded


def without_own_test(photos: PhotoSet, source: SourceOptions) -> PhotoSet:
    """Drop the test photographs of a given split before making folds, and say so.

    Raises:
        UserError: the split is unusable, or given but without test photographs.
    """
    own = find_own_split(source, photos) if source.exclude_test else None
    if own is None:
        return photos
    test = own.parts == "test"
    if test.any():
        console.say(
            f"split by {own.source}: its {counted(int(test.sum()), 'test photograph')} kept aside, "
            f"folds are made of the other {int((~test).sum()):,}; a run without config.data.folds "
            "is evaluated on them with evaluate --split=test"
        )
    elif source.own_split:
        raise UserError(
            f"config.data.folds makes a split, and config.data.split={source.own_split} has no "
            "test photographs to keep aside from it: take one of the two"
        )
    else:
        console.say(f"{own.source} has no test photographs to keep aside: folds are made of all")
    return photos.subset(~test)


def divide_photos(
    photos: PhotoSet, source: SourceOptions, options: SplitOptions
) -> tuple[np.ndarray, str]:
    """Split photographs by a given split, or at random.

    Returns:
        str [n], "train", "validation" or "test"; and the origin of the split, "" if random.

    Raises:
        UserError: the photographs cannot be split.
    """
    if options.folds:
        return make_folds(photos, options.folds, options.fold, options.seed), ""
    own = find_own_split(source, photos)
    if own is None:
        make = complete_split if source.data_set else make_split
        return make(photos, options.fractions, options.seed), ""
    if "validation" in own.parts or "train" not in own.parts:
        return own.parts, own.source
    split = split_off_part(photos, own.parts, "validation", options.fractions, options.seed)
    return split, f"{own.source}, validation sampled from its training photographs"


def split_photos(
    photos: PhotoSet, source: SourceOptions, options: SplitOptions, written: Path | None
) -> tuple[np.ndarray, str]:
    """Split of each photograph as `divide_photos`, checked and printed.

    ``written``: split file of a run to resume; None to split anew.

    Raises:
        UserError: the photographs cannot be split, or too few are for training.
    """
    given = ""
    if written:
        split = read_own_split(written, photos)
    else:
        split, given = divide_photos(photos, source, options)
    check_split(photos, split)
    counts = {name: int(np.sum(split == name)) for name in SPLITS}
    by = f" by {given}" if given else ""
    console.say(f"split{by}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    if source.kind == "photos" and not any(photos.subjects):
        console.say(
            "subjects are not known: photographs of one person may train and judge the model too; "
            "tell whose each is with --config.data.subject or the column subject of a manifest"
        )
    if counts["train"] < options.least:
        raise UserError(
            f"config.train.batch_size is {options.least}, but only {counts['train']} "
            "photographs train; take a smaller batch"
        )
    return split, given
