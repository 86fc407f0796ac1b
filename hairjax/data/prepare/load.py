"""Load the images of an index, decoded or from the prepared set."""

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
    """Load the usable images of an index, in its order; all unusable files are reported at once.

    Raises:
        UserError: files are unusable and ``on_bad`` is "refuse"; an expected label is left without
            images; the images exceed memory without a cache; or the cache is unusable.
    """
    size = len(index.entries) * options.side * options.side * 4
    limit = memory_limit(options.memory)
    if options.cache and index.entries:
        photoset, unread = prepare_once(index, options)
    elif size > limit:
        raise UserError(
            f"the photographs take {size / 2**30:.1f} GiB, and the limit is "
            f"{limit / 2**30:.1f} GiB (config.data.memory; 0: half of the free memory): raise it, "
            "or read them from disk while training with --config.data.cache=FOLDER"
        )
    else:
        with console.progress("photographs read") as progress:
            photoset, unread = prepare(index, options, progress)
    problems = [*index.problems, *unread]
    require_no_problems(problems, options.on_bad)
    require_classes(photoset, expected, problems)
    if problems:
        console.say(
            f"left out {len(problems):,} unusable files (config.data.on_bad=skip):\n"
            f"{describe_problems(problems)}"
        )
    require_hair(photoset, options)
    if photoset.mask_coding:
        console.say(f"masks: {photoset.mask_coding}")
    return _into_memory(photoset, limit)


def require_classes(
    photoset: PhotoSet, expected: Iterable[int], problems: Sequence[Problem]
) -> None:
    """Raise if an expected class has no usable image.

    Raises:
        UserError: names the class and the problems.
    """
    empty = [photoset.classes[label] for label in sorted({*expected} - {*photoset.labels.tolist()})]
    if empty or not len(photoset):
        raise UserError(
            f"no photograph of {', '.join(empty) or 'any class'} can be used:\n"
            f"{describe_problems(problems)}\ncorrect these files or remove the class"
        )


def require_hair(photoset: PhotoSet, options: PrepareOptions) -> None:
    """Raise if all masks are empty, unless a run's coding is given.

    Raises:
        UserError: no mask has hair.
    """
    if photoset.has_masks and not photoset.mask_coding and not options.mask_coding:
        raise UserError(
            "all masks are empty: correct config.data.masks, or train without masks with "
            "--config.model.in_channels=3"
        )


def _into_memory(photoset: PhotoSet, limit: float) -> PhotoSet:
    """Move images from disk to memory if they fit; report where they are.

    With several processes they stay on disk: each reads its rows of every batch.
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
    """Memory limit for images, in bytes."""
    here = on_this_machine()  # collective: called by all processes
    return memory * 2**30 if memory else free_memory(Path("/")) / 2 / here
