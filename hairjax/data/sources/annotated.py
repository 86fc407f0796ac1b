"""Masks from annotation files, matched to the images of a set."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from PIL import Image

from hairjax.data.annotations.image import AnnotatedImage
from hairjax.data.annotations.read import read_annotations
from hairjax.data.prepare.decode import open_header, orientation_of
from hairjax.data.sources.formats import SUFFIXES, UNREAD_SUFFIXES
from hairjax.data.sources.lookup import one_form
from hairjax.data.sources.problems import NO_MASK, PhotoError, Problem, shown
from hairjax.data.sources.record import RasterisedMask
from hairjax.data.sources.spelling import class_key
from hairjax.system.errors import UserError, examples
from hairjax.system.wording import counted

_SHOWN = 8
_EXAMPLES = 2
_LYING = (5, 6, 7, 8)  # EXIF orientations that swap width and height
HOW = (
    "give config.data.mask_category=NAME (of check, evaluate, explain and predict "
    "--mask_category=NAME)"
)


class _Photo(NamedTuple):
    """Decoded size, None if damaged, and EXIF orientation."""

    size: tuple[int, int] | None
    orientation: int


class AnnotatedMasks:
    """Masks of a set of images from annotation files.

    Attributes:
        category: category of hair, in its most frequent spelling.
        said: summary of the findings in one line.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        root: Path,
        photos: Mapping[str, Path],
        category: str,
        held: str,
    ):
        """Read JSON files below `root` and match them to images, paths by relative path.

        `category` is that of hair, "" to infer it, `held` the one stored by a run, "" for none.

        Raises:
            UserError: a file is unreadable, or the category is ambiguous.
        """
        program, images, passed_over = read_annotations(paths, root)
        self._where = str(paths[0]) if len(paths) == 1 else str(root)
        self._found = match(images, [*photos])
        if photos and not self._found:
            names = examples([image.name for image in images], _EXAMPLES) or "none"
            raise UserError(
                f"{self._where!r} holds {program}'s annotations of "
                f"{counted(len(images), 'picture')} ({names}), and none is of the photographs "
                f"({examples([*photos], _EXAMPLES)}): correct config.data.masks"
            )
        self._categories = _categories(images, category, held)
        self.category = self._categories[0] if self._categories else ""
        self._stamps: dict[Path, tuple[int, int]] = {}
        alone = {file: found[0] for file, found in self._found.items() if len(found) == 1}
        self._photos = {file: _photo(photos[file]) for file in alone}
        self._stored = _annotated_as_stored(alone, self._photos)
        self.said = self._describe(program, alone, len(photos), passed_over)

    def find(self, file: str, path: Path) -> RasterisedMask:
        """Mask of an image.

        Raises:
            PhotoError: there is none, several, or an unusable one.
        """
        found = self._found.get(file, [])
        if not found:
            raise PhotoError(Problem(shown(path), NO_MASK, f"{self._where} does not speak of it"))
        if len({id(image) for image in found}) < len(found):
            kind = "one mask for several photographs"
            raise PhotoError(Problem(shown(path), kind, f"{found[0].file}: {found[0].name}"))
        if len(found) > 1:
            names = examples([f"{image.file.name}: {image.name}" for image in found], _SHOWN)
            raise PhotoError(Problem(shown(path), "several masks", names))
        [image] = found
        photo = self._photos[file]
        size, orientation = image.size, photo.orientation
        turned = photo.size[::-1] if photo.size and orientation in _LYING else photo.size
        problem = image.problem
        if size is None:
            size = photo.size if self._stored else turned
            problem = problem or ("" if size else "of a picture of unknown size")
        if problem or size is None:
            raise PhotoError(
                Problem(shown(path), "its annotation gives no mask", f"{image.file}: {problem}")
            )
        if image.file not in self._stamps:
            stat = image.file.stat()
            self._stamps[image.file] = (stat.st_size, stat.st_mtime_ns)
        orientation = orientation if self._stored else 1
        return RasterisedMask(
            image, tuple(self._categories), size, orientation, self._stamps[image.file]
        )

    def _describe(
        self,
        program: str,
        alone: Mapping[str, AnnotatedImage],
        total: int,
        passed_over: Sequence[Path],
    ) -> str:
        drawn = sum(bool(_of(image, self._categories)) for image in alone.values())
        empty = sum(not image.objects and not image.problem for image in alone.values())
        said = (
            f"masks: drawn by {program}'s annotations, {self.category!r} in {drawn:,} of "
            f"{counted(total, 'photograph')}"
        )
        if empty:
            said += f"; in {empty:,} nothing is drawn, which is no hair"
        if self._stored:
            said += "; they were drawn on photographs that EXIF did not turn, and are turned too"
        if passed_over:
            said += f"; not annotations: {examples([path.name for path in passed_over], _SHOWN)}"
        return said


def _of(image: AnnotatedImage, categories: Iterable[str]) -> list[str]:
    return [one.category for one in image.objects if one.category in {*categories}]


def _categories(images: Sequence[AnnotatedImage], category: str, held: str) -> list[str]:
    """Spellings of the category of hair, the most frequent first.

    Raises:
        UserError: the category is ambiguous, absent, or differs from that of a run.
    """
    times = Counter(one.category for image in images for one in image.objects)
    groups: dict[str, list[str]] = defaultdict(list)
    for name, _ in sorted(times.items(), key=lambda item: (-item[1], item[0])):
        groups[class_key(name)].append(name)
    holders = {
        key: sum(bool(_of(image, names)) for image in images) for key, names in groups.items()
    }
    listed = ", ".join(
        f"{groups[key][0]} (in {holders[key]:,})"
        for key in sorted(groups, key=lambda key: -holders[key])[:_SHOWN]
    )
    if category:
        if groups and class_key(category) not in groups:
            raise UserError(
                f"config.data.mask_category is {category!r}, and nothing is annotated so; "
                f"categories are {listed}"
            )
        return groups.get(class_key(category), [category])
    if class_key(held) in groups:
        return groups[class_key(held)]
    if len(groups) > 1:
        guess = next((names[0] for key, names in groups.items() if "hair" in key), "")
        raise UserError(
            "the annotations are of several categories, and which is hair cannot be known: "
            + listed
            + (f"; perhaps {guess}" if guess else "")
            + f": {HOW}"
        )
    if groups and held:
        raise UserError(
            f"the run was trained with annotations of {held!r}, and these are of {listed}: if that "
            "is hair too, say so with --mask_category=NAME"
        )
    return next(iter(groups.values()), [])


def _photo(path: Path) -> _Photo:
    try:
        with open_header(path) as image:
            return _Photo(image.size, orientation_of(image))
    except (PhotoError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return _Photo(None, 1)  # reported on reading


def _annotated_as_stored(
    images: Mapping[str, AnnotatedImage], photos: Mapping[str, _Photo]
) -> bool:
    """True if a set was annotated without EXIF rotation, as its swapped sides show."""
    shown_upright = shown_stored = 0
    for file, image in images.items():
        photo = photos[file]
        if image.size is None or photo.size is None or photo.orientation not in _LYING:
            continue
        if photo.size[0] != photo.size[1]:
            shown_stored += image.size == photo.size
            shown_upright += image.size == photo.size[::-1]
    return shown_stored > 0 and not shown_upright


# Matching of annotated pictures to images ----------------------------------------------------


def _whole(name: str) -> str:
    return name


def _bare(name: str) -> str:
    """Name without image suffix, which may change after annotation."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in SUFFIXES | UNREAD_SUFFIXES else name


def _uploaded(name: str) -> str:
    """Name without Label Studio's upload prefix: eight hexadecimal digits and a hyphen."""
    path = PurePosixPath(_bare(name))
    return str(path.with_name(re.sub("^[0-9a-f]{8}-", "", path.name)))


def match(
    images: Sequence[AnnotatedImage], files: Sequence[str]
) -> dict[str, list[AnnotatedImage]]:
    """Match annotated pictures to images, by one rule for the whole set.

    Compares names with folders, as far as both have them, or, if this matches fewer than half as
    many, without; with suffix, without, or without upload prefix.

    Returns:
        All candidate pictures of each matched image (relative path).
    """
    named = [(one_form(image.name).strip("/"), image) for image in images]
    by_folder, by_name = (
        max((_pairs(named, files, form, deep) for form in (_whole, _bare, _uploaded)), key=_score)
        for deep in (True, False)
    )
    return by_folder if 2 * _score(by_folder) >= _score(by_name) else by_name


def _score(pairs: Mapping[str, list[AnnotatedImage]]) -> int:
    """Number of images with exactly one picture."""
    return sum(len(found) == 1 for found in pairs.values())


def _pairs(
    named: Sequence[tuple[str, AnnotatedImage]],
    files: Sequence[str],
    form: Callable[[str], str],
    deep: bool,
) -> dict[str, list[AnnotatedImage]]:
    """Candidate pictures of each image; a picture of several images counts as several for each."""
    photos: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for file in files:
        formed = form(one_form(file))
        photos[PurePosixPath(formed).name].append((formed, file))
    pairs: dict[str, list[AnnotatedImage]] = defaultdict(list)
    for name, image in named:
        formed = form(name)
        found = [
            file
            for other, file in photos.get(PurePosixPath(formed).name, ())
            if not deep or _is_tail(formed, other) or _is_tail(other, formed)
        ]
        for file in found:
            pairs[file] += [image] * len(found)
    return pairs


def _is_tail(path: str, of: str) -> bool:
    return f"/{of}".endswith(f"/{path}")
