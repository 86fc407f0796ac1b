"""The photographs a configuration speaks of, whatever their source."""

import os
from collections.abc import Callable

from ml_collections import ConfigDict

from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare import load_photos
from hairjax.data.problems import Problem
from hairjax.data.synthetic import draw
from hairjax.display import Display
from hairjax.models import native_size


def image_side(config: ConfigDict) -> int:
    """Side of what the model sees, in pixels."""
    return config.data.image_size or native_size(config.model.name)


def stored_side(config: ConfigDict) -> int:
    """Side of what is kept in memory: room for a crop around what the model sees."""
    return config.data.stored_size or round(image_side(config) * 8 / 7)


def describe_source(config: ConfigDict) -> str:
    """One phrase for every output: where the photographs are from."""
    if config.data.source == "synthetic":
        return f"synthetic {config.data.view.upper()} photographs, drawn by hairjax"
    return config.data.manifest or config.data.photos


def load_data(config: ConfigDict, classes: tuple[str, ...] | None, display: Display) -> PhotoSet:
    """Read or draw every photograph, with a progress bar.

    Args:
        config: its ``data`` section and the size of what the model sees.
        classes: the class names of an earlier run, which the photographs must have; None to
            find them.
        display: shows the progress and what was left out.

    Raises:
        UserError: photographs or masks are missing or cannot be used.
    """
    data, workers = config.data, os.cpu_count() or 1
    if data.source == "synthetic":
        with display.progress("photographs drawn") as progress:
            return draw(data.view, data.count, stored_side(config), config.seed, workers, progress)

    def read(progress: Callable[[int, int], None]) -> tuple[PhotoSet, list[Problem]]:
        return load_photos(
            photos=data.photos,
            masks=data.masks,
            manifest=data.manifest,
            subject=data.subject,
            classes=classes,
            need_masks=config.model.in_channels != 3,
            side=stored_side(config),
            fit=data.fit,
            on_bad=data.on_bad,
            workers=workers,
            progress=progress,
        )

    with display.progress("photographs read") as progress:
        photos, skipped = read(progress)
    if skipped:
        display.say(f"left out {len(skipped)} that cannot be used (config.data.on_bad=skip)")
    return photos
