"""Find the masks of images: files in a folder, or annotations."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from hairjax.data.sources.annotated import AnnotatedMasks
from hairjax.data.sources.listed import OUTSIDE, Listed
from hairjax.data.sources.lookup import Lookup, one_form
from hairjax.data.sources.manifest import Row
from hairjax.data.sources.mask_like import are_like_masks
from hairjax.data.sources.mask_names import (
    PLAIN,
    FolderNames,
    MaskName,
    by_folder,
    is_picture,
    masks_of,
    other_masks,
    parse_naming,
    tell_naming,
)
from hairjax.data.sources.mask_rule import NOT_FOUND, MaskFacts, MaskRule
from hairjax.data.sources.problems import NO_MASK, PROBLEMS_SHOWN, PhotoError, Problem, shown
from hairjax.data.sources.record import File
from hairjax.system.errors import UserError, examples

ANNOTATIONS = ".json"
_SHOWN = 3
_WALKED = 20_000  # maximum number of files to describe in a message
# Of two images of one name, the lossy one is the photograph, the lossless one its mask.
_LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".heic", ".heif", ".avif"})


def mask_folder(value: str) -> str:
    """Folder of masks; "" for an annotation file."""
    path = Path(value).expanduser()
    return "" if path.suffix.lower() == ANNOTATIONS and path.is_file() else value


class Masks:
    """Masks of a set of images.

    Attributes:
        facts: rule by which they were matched.
        beside: relative paths of masks in the folder of images, True if the image exists.
    """

    def __init__(
        self,
        place: Path,
        photos: Mapping[str, Path],
        rule: MaskRule,
        among: bool | None = None,
        listed: Listed | None = None,
    ):
        """Infer the naming of the masks, or read the annotation files.

        Args:
            place: folder of masks, or annotation file.
            photos: path of each image by its relative path.
            rule: rule for matching masks.
            among: None if images are in another folder; True if `photos` are all images of this
                folder, including masks; False if they are images only.
            listed: resolved mask paths of a manifest; None without one.

        Raises:
            UserError: the masks are ambiguous.
        """
        self._place, self._lookup, self._listed = place, Lookup(place), listed
        self._naming = PLAIN
        self._drawn: AnnotatedMasks | None = None
        self._by_core: dict[Path, dict[str, list[str]]] = {}
        self._taken: frozenset[str] = frozenset() if among is None else frozenset(photos)
        self._hinted = 0
        self._flat = among is None and self._is_flat(photos)
        self.beside: dict[str, bool] = {}
        self.facts = NOT_FOUND
        if not photos:  # the manifest names all masks
            return
        if rule.category or place.is_file() or not self._find_pictures(photos, rule, bool(among)):
            self._read_annotations(photos, rule)

    def _find_pictures(self, photos: Mapping[str, Path], rule: MaskRule, among: bool) -> bool:
        """Infer the naming; True if any image has a mask file."""

        def names(folder: str) -> list[str]:
            found = self._names(self._lookup.find(folder))
            return found if among else [name for name in found if not self._is_taken(folder, name)]

        folders = by_folder(map(self._at, photos), names)
        naming = parse_naming(rule.name)
        if naming is None:
            naming = tell_naming(folders, parse_naming(rule.held_name), among)
        self._naming = naming
        if among:
            self.beside = beside(folders, naming)
            self._taken = frozenset(photos) - self.beside.keys()
        left = by_folder((self._at(file) for file in photos if file not in self.beside), names)
        having = {
            PurePosixPath(folder.path, name).as_posix()
            for folder in left
            for cores in [masks_of(naming, self._untaken(folder.path, folder.masks))]
            for name in folder.photos
            if naming.key(name) in cores
        }
        others = self._leave_out_others(left, photos, having) if among else []
        where = ", beside them" if among else ", all in one folder" if self._flat else ""
        total = len(photos) - len(self.beside)
        told = not naming.is_plain or self.beside or self._flat
        said = f"masks: named {naming}{where}, of {len(having):,} of {total:,} photographs"
        said += "".join(f"; {name} are masks of something else, and left out" for name in others)
        self.facts = MaskFacts(str(naming), "", said if told else "")
        return len(having) > 0

    def _leave_out_others(
        self, folders: Sequence[FolderNames], photos: Mapping[str, Path], having: set[str]
    ) -> list[str]:
        """Take masks of something else for no photographs; how they are named."""
        if len(having) == len(photos) - len(self.beside):
            return []
        left = [
            FolderNames(one.path, one.photos, [m for m in one.masks if m in {*one.photos}])
            for one in folders
        ]
        said = []
        for naming, files in other_masks(left, self._naming, having).items():
            if are_like_masks([photos[file] for file in files]):
                self.beside |= dict.fromkeys(files, True)
                said.append(str(naming))
        self._taken = frozenset(photos) - self.beside.keys()
        return said

    def _is_flat(self, photos: Mapping[str, Path]) -> bool:
        """True if all masks are in one folder and image names are unique."""
        files = [PurePosixPath(one_form(file)) for file in photos]
        folders = {file.parent.as_posix() for file in files} - {"."}
        return (
            bool(folders)
            and len({file.stem for file in files}) == len(files)
            and not any(self._lookup.find(folder).is_dir() for folder in folders)
            and any(map(is_picture, self._names(self._place)))
        )

    def _at(self, file: str) -> str:
        """Path of an image relative to the folder of masks."""
        return PurePosixPath(file).name if self._flat else file

    def _read_annotations(self, photos: Mapping[str, Path], rule: MaskRule) -> None:
        alone = self._place.is_file()
        files = [self._place] if alone else [*_below(self._place, ANNOTATIONS)]
        if files:
            root = self._place.parent if alone else self._place
            self._drawn = AnnotatedMasks(files, root, photos, rule.category, rule.held_category)
            self.facts = MaskFacts("", self._drawn.category, self._drawn.said)
            self.beside = {}
        elif rule.category:
            raise UserError(
                f"config.data.mask_category is {rule.category!r}, and {str(self._place)!r} holds "
                "no annotations (.json)"
            )

    def find(self, row: Row, path: Path) -> File:
        """Mask of `row`.

        Raises:
            PhotoError: there is none, several, or an invalid path.
        """
        if row.mask and self._listed:
            return self._named(self._listed, row, path)
        if self._drawn:
            return self._drawn.find(row.file, path)
        file = PurePosixPath(self._at(row.file))
        folder = self._lookup.find(file.parent.as_posix())
        try:
            names = self._masks(folder, file.parent.as_posix()).get(self._naming.key(file.name), [])
        except OSError as error:
            detail = f"{shown(folder)}: {error.strerror}"
            raise PhotoError(Problem(shown(path), "masks cannot be read", detail)) from error
        if len(names) > 1:
            raise PhotoError(Problem(shown(path), "several masks", ", ".join(names)))
        if not names:
            wanted = shown(folder / f"{self._stem(file)}.*")
            raise PhotoError(Problem(shown(path), NO_MASK, wanted + self._there(file)))
        return folder / names[0]

    def expected(self, row: Row) -> str:
        """Expected mask of an image, and the actual contents of the folder, for messages."""
        file = PurePosixPath(self._at(row.file))
        wanted = row.mask or f"{file.with_name(self._stem(file))}.*"
        if self._drawn:
            return f"{wanted!r} there; {self._drawn.said.removeprefix('masks: ')}"
        kinds = Counter(path.suffix.lower() or "without suffix" for path in _below(self._place))
        held = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(_SHOWN))
        return f"{wanted!r} there, and the folder holds {held or 'nothing'}{self._there(file)}"

    def _stem(self, file: PurePosixPath) -> str:
        between = file.name if self._naming.whole else file.stem
        return f"{self._naming.before}{between}{self._naming.after}"

    def _there(self, file: PurePosixPath) -> str:
        """Files containing an image's name, for messages."""
        self._hinted += 1
        if self._hinted > PROBLEMS_SHOWN:
            return ""
        stem, folder = re.escape(one_form(file.stem)), self._lookup.find(file.parent.as_posix())
        # Whole words and numbers only: 1 is not in 11.
        before, after = (_more(edge) for edge in (file.stem[0], file.stem[-1]))
        held = re.compile(f"(?<!{before}){stem}(?!{after})", re.IGNORECASE)
        for place in dict.fromkeys((folder, self._place)):
            there = [
                shown((place / name).relative_to(self._place))
                for name in self._names(place)
                if is_picture(name)
                and held.search(one_form(name))
                and not self._is_taken(place.relative_to(self._place).as_posix(), name)
            ]
            if there:
                return f"; {examples(there, _SHOWN)} {'is' if len(there) == 1 else 'are'} there"
        return ""

    def _named(self, listed: Listed, row: Row, path: Path) -> Path:
        """Return the mask that a manifest names."""
        found = listed.place(row.mask)
        if found.why_not == OUTSIDE:
            kind = "the mask is not a path below config.data.masks"
            raise PhotoError(Problem(shown(path), kind, row.mask))
        mask = self._place / found.file
        if found.why_not:
            self._hinted += 1
            hint = listed.hint(found.file) if self._hinted <= PROBLEMS_SHOWN else ""
            said = f"{shown(mask)}: {found.detail}{f'; {hint}' if hint else ''}"
            raise PhotoError(Problem(shown(path), NO_MASK, said))
        return mask

    def _masks(self, folder: Path, below: str) -> Mapping[str, list[str]]:
        """Masks in a folder by their key."""
        if folder not in self._by_core:
            names = [name for alike in self._lookup.names(folder).values() for name in alike]
            self._by_core[folder] = masks_of(self._naming, self._untaken(below, names))
        return self._by_core[folder]

    def _untaken(self, below: str, names: Iterable[str]) -> list[str]:
        return [name for name in names if not self._is_taken(below, name)]

    def _is_taken(self, below: str, name: str) -> bool:
        """True if a file is one of the images."""
        return bool(self._taken) and (name if below == "." else f"{below}/{name}") in self._taken

    def _names(self, folder: Path) -> list[str]:
        """Names in a folder; [] if unreadable, which is reported by `find`."""
        try:
            return [name for alike in self._lookup.names(folder).values() for name in alike]
        except OSError:
            return []


def _more(edge: str) -> str:
    """Regular expression continuing a number or word ending in `edge`."""
    return "[0-9]" if edge.isdigit() else r"[^\W\d_]"


def beside(folders: Iterable[FolderNames], naming: MaskName) -> dict[str, bool]:
    """Masks in the folders of images, True if the image exists."""
    found: dict[str, bool] = {}
    for folder in folders:
        cores = masks_of(naming, folder.photos)
        if naming.is_plain:
            masks = {name: True for names in cores.values() for name in _lossless(names)}
        else:
            keys = {naming.key(name) for name in folder.photos}
            masks = {name: core in keys for core, names in cores.items() for name in names}
        found |= {PurePosixPath(folder.path, name).as_posix(): its for name, its in masks.items()}
    return found


def _lossless(names: list[str]) -> list[str]:
    """The lossless one of two files with one name; [] otherwise."""
    other = [name for name in names if PurePosixPath(name).suffix.lower() not in _LOSSY]
    return other if len(names) == 2 and len(other) == 1 else []


def _below(folder: Path, suffix: str = "") -> Iterator[Path]:
    """Yield the visible files below a folder by suffix, sorted."""
    walked, seen = 0, set()
    for parent, inside, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        inside[:] = sorted(
            name
            for name in inside
            if not name.startswith(".") and os.path.realpath(Path(parent, name)) not in seen
        )
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(suffix):
                yield Path(parent, name)
                walked += 1
                if not suffix and walked >= _WALKED:
                    return
