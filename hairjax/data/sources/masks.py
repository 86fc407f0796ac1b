"""Finding the masks of photographs: pictures in a folder, or what annotation files draw."""

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
_WALKED = 20_000  # files, at most, of which a message tells what a folder holds
# Of two pictures of one name the photograph is the one that loses something, and the mask not.
_LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".heic", ".heif", ".avif"})


def mask_folder(value: str) -> str:
    """Return the folder of masks that a path must be; "" where it is a file of annotations."""
    path = Path(value).expanduser()
    return "" if path.suffix.lower() == ANNOTATIONS and path.is_file() else value


class Masks:
    """The masks of a set of photographs.

    Attributes:
        facts: how they were found.
        beside: relative paths of the masks that lie among the photographs; of each whether its
            photograph is there.
    """

    def __init__(
        self,
        place: Path,
        photos: Mapping[str, Path],
        rule: MaskRule,
        among: bool | None = None,
        listed: Listed | None = None,
    ):
        """Tell how the masks are named, or read the annotation files.

        Args:
            place: the folder of the masks, or an annotation file.
            photos: where each photograph is, by its path below its folder.
            rule: how masks are looked for.
            among: None if photographs lie in another folder; else they lie in this one, and
                `photos` are all of its pictures, masks among them (True), or photographs (False).
            listed: where the paths lead that a manifest gives; None without one.

        Raises:
            UserError: it cannot be known which masks are meant.
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
        if not photos:  # a manifest names the mask of every one
            return
        if rule.category or place.is_file() or not self._find_pictures(photos, rule, bool(among)):
            self._read_annotations(photos, rule)

    def _find_pictures(self, photos: Mapping[str, Path], rule: MaskRule, among: bool) -> bool:
        """Tell how the masks are named; True if a photograph has one that is a picture."""

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
        """True if all masks lie in one folder, and no two photographs in others have one name."""
        files = [PurePosixPath(one_form(file)) for file in photos]
        folders = {file.parent.as_posix() for file in files} - {"."}
        return (
            bool(folders)
            and len({file.stem for file in files}) == len(files)
            and not any(self._lookup.find(folder).is_dir() for folder in folders)
            and any(map(is_picture, self._names(self._place)))
        )

    def _at(self, file: str) -> str:
        """Return the path of a photograph as that of its mask below the folder of the masks."""
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
        """Return the mask of `row`, or raise PhotoError for the photograph `path`."""
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
        """Return where below the folder the mask of a photograph would be, and what is there."""
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
        """Say which files have the name of a photograph in theirs, for as many as are shown."""
        self._hinted += 1
        if self._hinted > PROBLEMS_SHOWN:
            return ""
        stem, folder = re.escape(one_form(file.stem)), self._lookup.find(file.parent.as_posix())
        # 1 is not in 11, and a not in anna.
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
        """Map what each mask in a folder shares with its photograph's name to its names."""
        if folder not in self._by_core:
            names = [name for alike in self._lookup.names(folder).values() for name in alike]
            self._by_core[folder] = masks_of(self._naming, self._untaken(below, names))
        return self._by_core[folder]

    def _untaken(self, below: str, names: Iterable[str]) -> list[str]:
        return [name for name in names if not self._is_taken(below, name)]

    def _is_taken(self, below: str, name: str) -> bool:
        """True if a picture is one of the photographs."""
        return bool(self._taken) and (name if below == "." else f"{below}/{name}") in self._taken

    def _names(self, folder: Path) -> list[str]:
        """Names in a folder; none where it cannot be read, which finding a mask there reports."""
        try:
            return [name for alike in self._lookup.names(folder).values() for name in alike]
        except OSError:
            return []


def _more(edge: str) -> str:
    """Return, as an expression, what goes on with a number or a word that ends in `edge`."""
    return "[0-9]" if edge.isdigit() else r"[^\W\d_]"


def beside(folders: Iterable[FolderNames], naming: MaskName) -> dict[str, bool]:
    """Which of the pictures of a folder are masks, and of each whether its photograph is there."""
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
    """Return the picture that no camera saves so, of two of one name; none in any other case."""
    other = [name for name in names if PurePosixPath(name).suffix.lower() not in _LOSSY]
    return other if len(names) == 2 and len(other) == 1 else []


def _below(folder: Path, suffix: str = "") -> Iterator[Path]:
    """Yield the visible files below a folder, in order, whose names end in `suffix`."""
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
