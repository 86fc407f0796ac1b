"""Naming of masks relative to images, inferred for a whole set."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from hairjax.data.sources.formats import SUFFIXES
from hairjax.data.sources.lookup import one_form
from hairjax.system.errors import UserError

_NAME, _FILE = "{name}", "{file}"
_LEAST = 2  # images required to infer a naming, if there are other masks
_SHOWN = 5
HOW = (
    "say how masks are named with config.data.mask_name, as {name}_mask (of check, evaluate, "
    "explain and predict --mask_name={name}_mask)"
)


@dataclass(frozen=True)
class MaskName:
    """Naming of a mask: affixes around the image's name.

    Attributes:
        before: prefix, case-folded.
        after: suffix before the mask's file suffix, case-folded.
        whole: True if the image's name includes its file suffix (``a.jpg.png``).
    """

    before: str = ""
    after: str = ""
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.before}{_FILE if self.whole else _NAME}{self.after}"

    @property
    def is_plain(self) -> bool:
        """True if masks are named like their images."""
        return self == PLAIN

    def key(self, name: str) -> str:
        """Text between the affixes of a mask of the image `name`."""
        file = PurePosixPath(one_form(name))
        return file.stem + file.suffix.lower() if self.whole else file.stem

    def core(self, name: str) -> str | None:
        """Text between the affixes of the mask `name`, as `key`; None without the affixes."""
        stem = PurePosixPath(one_form(name)).stem
        end = len(stem) - len(self.after)
        if end <= len(self.before) or stem[: len(self.before)].lower() != self.before:
            return None
        if stem[end:].lower() != self.after:
            return None
        core = stem[len(self.before) : end]
        return self.key(core) if self.whole else core


PLAIN = MaskName()


def parse_naming(text: str) -> MaskName | None:
    """Parse ``data.mask_name``; None if empty (inferred).

    Raises:
        UserError: ``{name}`` or ``{file}`` does not occur exactly once, or it names a folder.
    """
    found = one_form(text.strip())
    if not found:
        return None
    if PurePosixPath(found).suffix.lower() in SUFFIXES:
        found = PurePosixPath(found).stem
    hole = _FILE if _FILE in found else _NAME
    before, there, after = found.partition(hole)
    if not there or {*"{}/\\"} & {*before, *after}:
        raise UserError(
            f"config.data.mask_name is {text!r}; it must hold {_NAME}, which stands for the name "
            f"of a photograph without its suffix, or {_FILE}, with it, and no folder: "
            f"{_NAME}_mask, mask_{_NAME}, or {_NAME} where a mask is named like its photograph"
        )
    return MaskName(before.lower(), after.lower(), hole == _FILE)


@dataclass
class _Fit:
    """Images with a mask under one naming, and these masks, as (folder, name)."""

    photos: set[tuple[str, str]] = field(default_factory=set)
    masks: set[tuple[str, str]] = field(default_factory=set)
    joined: bool = False  # without separator, as in annamask


@dataclass(frozen=True)
class FolderNames:
    """Names of the images in a folder, and of the candidate masks."""

    path: str
    photos: Sequence[str]
    masks: Sequence[str]


def tell_naming(
    folders: Sequence[FolderNames], held: MaskName | None, shared: bool, ask: bool = True
) -> MaskName:
    """Infer the naming of the masks of a set.

    The plain naming, unless another matches more images; its affix must contain a letter and not
    continue a number: `1_mask` is no mask of `a1`, nor `12` of `1`.

    Args:
        folders: names by folder.
        held: naming stored by a run, preferred among several; None for none.
        shared: True if masks and images share folders.
        ask: True to raise on ambiguity, False to take the best match.

    Raises:
        UserError: several namings match the same images, or the naming differs from ``held``.
    """
    plain = _Fit() if shared else _plain_fit(folders)
    total = sum(len(folder.photos) for folder in folders)
    if len(plain.photos) == total and (held or PLAIN).is_plain:
        return PLAIN
    fits = _fits(folders)
    pictures = {(folder.path, name) for folder in folders for name in folder.masks}
    for naming in [*fits]:
        fit = fits[naming]
        people = total - len(fit.masks) if shared else total
        enough = len(fit.photos) >= _LEAST or fit.masks == pictures - (
            fit.photos if shared else set()
        )
        if (naming != held and not enough) or (fit.joined and 2 * len(fit.photos) <= people):
            del fits[naming]
    if not shared:
        fits[PLAIN] = plain
    if not fits:
        return PLAIN
    return _chosen(fits, pictures, total, held, shared, ask)


def _chosen(
    fits: Mapping[MaskName, _Fit],
    pictures: set[tuple[str, str]],
    total: int,
    held: MaskName | None,
    shared: bool,
    ask: bool,
) -> MaskName:
    # Ties: plain naming first, then the shortest affix.
    order = sorted(fits, key=lambda one: (-len(fits[one].photos), len(str(one)), str(one)))
    best = order[0]
    most = len(fits[best].photos)
    if most and held is not None and held in fits and 2 * len(fits[held].photos) >= most:
        return held
    if best.is_plain:
        return PLAIN
    fit = fits[best]
    other = pictures - fit.masks - (fit.photos if shared else set())
    rivals = [one for one in order[1:] if _rivals(fits[one], fit, other)]
    if rivals and ask:
        raise UserError(
            "the masks are named in several ways, and whose are of hair cannot be known: "
            + ", ".join(
                f"{one} (of {len(fits[one].photos):,} photographs)"
                for one in (best, *rivals)[:_SHOWN]
            )
            + f"; {HOW}"
        )
    photos = total - len(fit.masks) if shared else total
    if 2 * len(fit.photos) <= photos and 2 * len(fit.masks) <= len(pictures - fit.photos):
        return PLAIN
    if held is not None and held != best and not held.is_plain:
        raise UserError(
            f"the run was trained with masks named {held}, and these are named {best}: if they are "
            f"of hair too, say so with --mask_name={best}"
        )
    return best


def _rivals(one: _Fit, best: _Fit, other: set[tuple[str, str]]) -> bool:
    """True if a naming is an alternative: of other masks, or of as many other images."""
    if len(one.photos) == len(best.photos) and one.photos != best.photos:
        return True
    return bool(one.masks & other) and 2 * len(one.photos) >= len(best.photos)


def _plain_fit(folders: Iterable[FolderNames]) -> _Fit:
    fit = _Fit()
    for folder in folders:
        stems = {PLAIN.core(name): name for name in folder.masks}
        for photo in folder.photos:
            if mask := stems.get(PLAIN.key(photo)):
                fit.photos.add((folder.path, photo))
                fit.masks.add((folder.path, mask))
    return fit


def _fits(folders: Iterable[FolderNames]) -> dict[MaskName, _Fit]:
    """Namings by which a mask contains an image's name."""
    fits: dict[MaskName, _Fit] = defaultdict(_Fit)
    for folder in folders:
        photos: dict[str, list[str]] = defaultdict(list)
        for photo in folder.photos:
            photos[PLAIN.key(photo)].append(photo)
        lengths = sorted({len(stem) for stem in photos})
        for mask in folder.masks:
            stem = PLAIN.core(mask) or ""
            for name, naming, joined in _inside(stem, photos, lengths):
                if name != mask:
                    fits[naming].photos.add((folder.path, name))
                    fits[naming].masks.add((folder.path, mask))
                    fits[naming].joined |= joined
    return fits


def _inside(
    stem: str, photos: Mapping[str, list[str]], lengths: Sequence[int]
) -> Iterator[tuple[str, MaskName, bool]]:
    """Yield the images with a name inside the stem of a mask, and the resulting naming."""
    for length in lengths:
        for start in range(len(stem) - length + 1):
            end = start + length
            before, name, after = stem[:start], stem[start:end], stem[end:]
            if name not in photos or not (before or after):
                continue
            edges = (before[-1:] + name[0], name[-1] + after[:1])
            if any(len(edge) == 2 and edge.isdigit() for edge in edges):
                continue
            joined = any(len(edge) == 2 and edge.isalpha() for edge in edges)
            before, after = before.lower(), after.lower()
            for photo in photos[name]:
                suffix = PurePosixPath(photo).suffix.lower()
                if after.startswith(suffix):
                    yield photo, MaskName(before, after.removeprefix(suffix), True), joined
                elif any(letter.isalpha() for letter in before + after):
                    yield photo, MaskName(before, after), joined


def other_masks(
    folders: Iterable[FolderNames], naming: MaskName, having: Collection[str]
) -> dict[MaskName, list[str]]:
    """Find masks of something else beside masks of hair: `a_skin.png` beside `a_hair.png`.

    Args:
        folders: what lies where; photographs and masks are the same pictures.
        naming: that of the masks of hair.
        having: relative paths of the photographs that have one.

    Returns:
        By their naming, the pictures that hold the name of such a photograph and have no mask
        themselves.
    """
    found, known = {}, {*having}
    for other, fit in _fits(folders).items():
        masks = {PurePosixPath(*mask).as_posix() for mask in fit.masks}
        photos = {PurePosixPath(*photo).as_posix() for photo in fit.photos}
        if len(masks) >= _LEAST and other != naming and photos <= known and not masks & known:
            found[other] = sorted(masks)
    return found


def by_folder(files: Iterable[str], names: Callable[[str], Iterable[str]]) -> list[FolderNames]:
    """Group images by folder, with the candidate masks of each."""
    photos: dict[str, list[str]] = defaultdict(list)
    for file in files:
        path = PurePosixPath(file)
        photos[path.parent.as_posix()].append(path.name)
    return [
        FolderNames(folder, inside, [name for name in names(folder) if is_picture(name)])
        for folder, inside in photos.items()
    ]


def is_picture(name: str) -> bool:
    """True for a visible file with a supported image suffix."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES and not name.startswith(".")


def masks_of(naming: MaskName, names: Iterable[str]) -> dict[str, list[str]]:
    """Masks in a folder by their key (`MaskName.core`)."""
    masks: dict[str, list[str]] = {}
    for name in names:
        core = naming.core(name) if is_picture(name) else None
        if core is not None:
            masks.setdefault(core, []).append(name)
    return masks
