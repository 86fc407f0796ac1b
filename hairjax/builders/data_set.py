"""Find, load and divide the photographs of a run."""

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
from hairjax.data.sources.photos import Index, find_photos
from hairjax.data.sources.tfds import complete_split, find_records
from hairjax.data.sources.unify import unify_spelling
from hairjax.data.split import (
    SPLITS,
    check_split,
    draw_part,
    make_folds,
    make_split,
    read_own_split,
)
from hairjax.data.synthetic import synthesise
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.wording import counted


def find_data(source: SourceOptions, classes: tuple[str, ...] | None) -> tuple[Index, ...]:
    """Find the photographs of every view, without decoding any; none where they are synthetic.

    Says how the masks are named or drawn, where not simply as the photographs; and, where the
    classes are not those of an earlier run, their order and how it was told.

    Args:
        source: source of the photographs.
        classes: the class names of an earlier run, which the photographs must have; None to
            find them.

    Raises:
        UserError: photographs or masks are missing, classes or people are spelt in several ways,
            or something needs an order of the classes that cannot be told.
    """
    if source.synthetic:
        return ()
    first = _find_view(source, source.views[0], classes)
    # The classes are those of the first view: a sample has one label.
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
    """Read or synthesise every photograph, with a progress bar; of two views their pairs.

    For folds, the test photographs of a split that people bring are left out, which is said.

    Args:
        source: source of the photographs.
        options: decoding, resizing and caching of photographs.
        classes: as for `find_data`.
        found: as `find_data` returned it; None to find them here.

    Raises:
        UserError: photographs or masks are missing or cannot be used.
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
        # What is to be refused is so when people are known too, all in one report.
        merge=source.spelling != "apart",
        mask_rule=view.mask_rule,
    )


def _synthesise(source: SourceOptions, options: PrepareOptions, view: View) -> PhotoSet:
    with console.progress("photographs drawn") as progress:
        return synthesise(
            view.name, source.count, options.side, source.seed, options.workers, progress
        )


def _load(
    found: Sequence[Index], options: PrepareOptions, classes: tuple[str, ...] | None
) -> list[PhotoSet]:
    each = replace(options, memory=options.memory / len(found))
    loaded = []
    for place, index in enumerate(found):
        # Another folder than the run's own, or a second view, need not hold all of the classes.
        given = classes is not None or place > 0
        expected = {e.label for e in index.entries} if given else set(range(len(index.classes)))
        loaded.append(load_photos(index, each, expected))
    return loaded


def without_own_test(photos: PhotoSet, source: SourceOptions) -> PhotoSet:
    """Leave out, and say so, the test photographs of a split that people bring, for folds.

    Raises:
        UserError: the split cannot be used, or is given for folds and has no such photographs.
    """
    own = find_own_split(source, photos) if source.keep_test_aside else None
    if own is None:
        return photos
    test = own.parts == "test"
    if test.any():
        console.say(
            f"split by {own.source}: its {counted(int(test.sum()), 'test photograph')} kept aside, "
            f"folds are made of the other {int((~test).sum()):,}; a run without config.data.folds "
            "is judged by them with evaluate --split=test"
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
    """Divide photographs by a split that people bring, or draw one.

    Args:
        photos: all of them.
        source: source of the photographs.
        options: rules of the division.

    Returns:
        str [n], "train", "validation" or "test"; what gave it in words, "" where it was drawn.

    Raises:
        UserError: the photographs cannot be divided so.
    """
    if options.folds:
        return make_folds(photos, options.folds, options.fold, options.seed), ""
    own = find_own_split(source, photos)
    if own is None:
        make = complete_split if source.data_set else make_split
        return make(photos, options.fractions, options.seed), ""
    if "validation" in own.parts or "train" not in own.parts:
        return own.parts, own.source
    split = draw_part(photos, own.parts, "validation", options.fractions, options.seed)
    return split, f"{own.source}, validation drawn from its training photographs"


def split_photos(
    photos: PhotoSet, source: SourceOptions, options: SplitOptions, written: Path | None
) -> tuple[np.ndarray, str]:
    """Split of each photograph, checked and said.

    Args:
        photos: all of them.
        source: source of the photographs.
        options: rules of the division.
        written: the split of the run to resume; None to divide by the options.

    Returns:
        As `divide_photos`.

    Raises:
        UserError: the photographs cannot be divided so, or too few train.
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
