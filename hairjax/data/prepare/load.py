"""Load the photographs of an index, from the prepared set or by decoding them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import jax

from hairjax.data.options import PrepareOptions
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.read import prepare
from hairjax.data.prepare.store import prepare_once
from hairjax.data.prepare.stored import Stored
from hairjax.data.sources.photos import Index
from hairjax.data.sources.problems import Problem, describe_problems, require_no_problems
from hairjax.parallel.processes import on_this_machine
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.memory import free_memory


def load_photos(index: Index, options: PrepareOptions, expected: Iterable[int]) -> PhotoSet:
    """Read the photographs that were found; every file that cannot be used is in one report.

    Args:
        index: photographs that `find_photos` found.
        options: decoding, resizing and caching of photographs.
        expected: the classes of which there must be a photograph.

    Returns:
        The photographs, ordered as in `index`.

    Raises:
        UserError: files cannot be used and ``on_bad`` is "refuse"; leaving them out leaves a class
            without photographs; they do not fit into memory and there is no cache; or the cache
            cannot be used.
    """
    size = len(index.entries) * options.side * options.side * 4
    limit = memory_limit(options.memory)
    if options.cache and index.entries:
        photoset, unread = prepare_once(index, options)
    elif size > limit:
        raise UserError(
            f"the photographs take {size / 2**30:.1f} GiB and {limit / 2**30:.1f} GiB may be used "
            "(config.data.memory; 0: half of what is free): allow more, or give a folder with "
            "--config.data.cache=FOLDER from which they are then read while training"
        )
    else:
        with console.progress("photographs read") as progress:
            photoset, unread = prepare(index, options, progress)
    problems = [*index.problems, *unread]
    require_no_problems(problems, options.on_bad)
    require_classes(photoset, expected, problems)
    if problems:
        console.say(
            f"left out {len(problems):,} that cannot be used (config.data.on_bad=skip):\n"
            f"{describe_problems(problems)}"
        )
    require_hair(photoset, options)
    if photoset.mask_coding:
        console.say(f"masks: {photoset.mask_coding}")
    return _placed(photoset, limit)


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


def require_hair(photoset: PhotoSet, options: PrepareOptions) -> None:
    """Refuse a set of masks of which every one is empty; those of a run's coding may be.

    Raises:
        UserError: there is no hair in any.
    """
    if photoset.has_masks and not photoset.mask_coding and not options.mask_coding:
        raise UserError(
            "every mask is empty, so that a model could learn nothing from them: correct "
            "config.data.masks, or use the photographs alone with --config.model.in_channels=3"
        )


def _placed(photoset: PhotoSet, limit: float) -> PhotoSet:
    """Bring photographs from the disk into memory where they fit, and say which it is.

    Of several processes each reads its rows of every batch from the disk, and no others.
    """
    images = photoset.images
    stay = isinstance(images, Stored) and (images.nbytes > limit or jax.process_count() > 1)
    where = "read while training" if stay else "in memory"
    console.say(
        f"photographs: {len(photoset):,}, {where}: {images.nbytes / 2**30:.2f} of "
        f"{limit / 2**30:.2f} GiB (config.data.memory)"
    )
    if stay or not isinstance(images, Stored):
        return photoset
    return replace(photoset, images=images.in_memory())


def memory_limit(memory: float) -> float:
    """Bytes that photographs may take."""
    here = on_this_machine()  # which all ask, whatever each was given
    return memory * 2**30 if memory else free_memory(Path("/")) / 2 / here
