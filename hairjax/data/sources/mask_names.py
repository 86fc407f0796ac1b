"""Names of masks: how they are made of the photographs' names, told once for a whole set."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from hairjax.data.sources.formats import SUFFIXES
from hairjax.data.sources.lookup import one_form
from hairjax.system.errors import UserError

_NAME, _FILE = "{name}", "{file}"
_LEAST = 2  # photographs from which a naming is learnt, where there are masks of other names
_SHOWN = 5
HOW = (
    "say how masks are named with config.data.mask_name, as {name}_mask (of check, evaluate, "
    "explain and predict --mask_name={name}_mask)"
)


@dataclass(frozen=True)
class MaskName:
    """How the name of a mask is made: what stands before and after the photograph's.

    Attributes:
        before: text before the photograph's name, in one case.
        after: text behind it, before the mask's own suffix.
        whole: True if the photograph's name is meant with its suffix (``a.jpg.png``).
    """

    before: str = ""
    after: str = ""
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.before}{_FILE if self.whole else _NAME}{self.after}"

    @property
    def is_plain(self) -> bool:
        """True if a mask is named like its photograph."""
        return self == PLAIN

    def key(self, name: str) -> str:
        """Return what a mask of the photograph `name` must hold between the affixes."""
        file = PurePosixPath(one_form(name))
        return file.stem + file.suffix.lower() if self.whole else file.stem

    def core(self, name: str) -> str | None:
        """Return what the mask `name` holds between the affixes, as `key`; None without them."""
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
    """Parse ``data.mask_name``; None where it is empty, so that the naming is to be told.

    Raises:
        UserError: it does not hold ``{name}`` or ``{file}`` once, or leads to another folder.
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
    """Photographs that have a mask of one naming, and these masks, as (folder, name)."""

    photos: set[tuple[str, str]] = field(default_factory=set)
    masks: set[tuple[str, str]] = field(default_factory=set)
    joined: bool = False  # letter to letter, as in annamask


@dataclass(frozen=True)
class FolderNames:
    """Names in one folder: of photographs, and of the pictures where their masks are looked for."""

    path: str
    photos: Sequence[str]
    masks: Sequence[str]


def tell_naming(
    folders: Sequence[FolderNames], held: MaskName | None, shared: bool, ask: bool = True
) -> MaskName:
    """Return the one naming that makes the masks of a set fit its photographs.

    It is that of the photographs' own names unless more of them have a mask by another, whose
    affix holds a letter and does not continue a number of the name: `1_mask` is no mask of `a1`
    and `12` none of `1`.

    Args:
        folders: what lies where.
        held: the naming of a run, which is preferred where several fit; None for none.
        shared: True if masks and photographs lie in the same folders.
        ask: True to refuse what cannot be known, False to take what fits most.

    Raises:
        UserError: several namings fit the same photographs, or the one that fits has another
            affix than the one held.
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
    # Of equally many the photographs' own names, or the shortest affix.
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
    """True if a naming may be meant too: of other masks, or of as many other photographs."""
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
    """Every naming by which a mask holds a photograph's name and more."""
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
    """Yield the photographs whose names are in the stem of a mask, and how it is then named."""
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
    """Group photographs by folder, each with the names where its masks are looked for."""
    photos: dict[str, list[str]] = defaultdict(list)
    for file in files:
        path = PurePosixPath(file)
        photos[path.parent.as_posix()].append(path.name)
    return [
        FolderNames(folder, inside, [name for name in names(folder) if is_picture(name)])
        for folder, inside in photos.items()
    ]


def is_picture(name: str) -> bool:
    """True if a visible file is named like a picture that is read."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES and not name.startswith(".")


def masks_of(naming: MaskName, names: Iterable[str]) -> dict[str, list[str]]:
    """Map what each mask in a folder has in common with its photograph's name to its names."""
    masks: dict[str, list[str]] = {}
    for name in names:
        core = naming.core(name) if is_picture(name) else None
        if core is not None:
            masks.setdefault(core, []).append(name)
    return masks
