"""Resolve listed paths below the folder of images or masks.

One rule for the whole list: as written, with Windows separators, or without suffix.
"""

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hairjax.data.sources.formats import SUFFIXES, UNREAD_SUFFIXES
from hairjax.data.sources.holdings import describe_holdings, near_name
from hairjax.data.sources.lookup import Lookup, leads_outside, missing, one_form
from hairjax.system.errors import UserError, examples
from hairjax.system.wording import as_csv, flag

_FLAGS = "of check, evaluate and explain"
_PICTURES = SUFFIXES | UNREAD_SUFFIXES
_EXAMPLES = 3


@dataclass(frozen=True)
class ListedFile:
    """Resolved path.

    Attributes:
        file: path below the root as in the file system; as listed if nothing exists.
        why_not: reason if unreadable; "" otherwise.
        detail: further details of the reason.
    """

    file: str
    why_not: str = ""
    detail: str = ""


PHOTOS, MASKS = "photos", "masks"
OUTSIDE = "not a path below config.data.photos"
NO_FILE = "no such file"
SEVERAL = "several files of this name"


def parse_prefix(text: str) -> tuple[str, ...]:
    """Return the starts that `data.prefix` gives, as a line of CSV, each with one / at its end.

    Raises:
        UserError: it is no such line.
    """
    try:
        cells = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise UserError(
            f"config.data.prefix is {text!r}; it can be the start of paths, or several with commas "
            "between"
        ) from error
    starts = (cell.strip().replace("\\", "/") for cell in cells)
    return tuple(f"{start.rstrip('/')}/" for start in starts if start)


def require_prefixes(prefixes: Sequence[str], paths: Sequence[str]) -> None:
    """Refuse a start with which no path of the manifest begins.

    Raises:
        UserError: names it, and some paths.
    """
    for prefix in prefixes:
        if paths and not any(_plain(path).startswith(prefix) for path in paths):
            raise UserError(
                f"config.data.prefix is {prefix!r}, and no path of the manifest begins with it: "
                f"{examples(paths, _EXAMPLES)}; correct it or leave it out"
            )


class Listed:
    """Resolver of a list's paths.

    Attributes:
        named: paths as listed.
        said: description of the rule; "" for paths as written.
    """

    def __init__(
        self, paths: Sequence[str], root: Path, prefix: str, exact: bool, key: str = PHOTOS
    ):
        """Choose the rule for `paths` ("" for none) below `root`, the folder of the given `key`.

        `exact`: take them literally.
        """
        self._root, self._lookup, self._key = root, Lookup(root), key
        self._roots = tuple(dict.fromkeys((root.absolute(), root.resolve())))
        self._prefixes, self._exact = parse_prefix(prefix), exact
        self._slashes = self._suffixless = False
        self._stems: dict[Path, dict[str, list[str]]] = {}
        self._places: dict[str, ListedFile] = {}
        self.said = ""
        self.named = [path for path in paths if path]
        self._found = 0 if exact else self._choose(self.named)

    def require_found(self) -> None:
        """Raise if no path resolves, or most resolve from another folder.

        Raises:
            UserError: no path resolves; describes the folder.
        """
        self.require_start()
        if self.named and not self._exact and not self._found:
            self._refuse(self.named)

    def require_start(self) -> None:
        """Refuse a list most of which is there, but from another start.

        Raises:
            UserError: names the start.
        """
        named = self.named
        if self._exact or not named or 2 * self._found > len(named):
            return
        wanted = [_plain(self._below(path)) for path in named]
        starts = other_starts(wanted, walk_names(self._root))
        (dropped, added), count = starts.most_common(1)[0] if starts else (("", ""), 0)
        if 2 * count > len(named):
            raise UserError(self._other_start(named, dropped, added, count))

    def place(self, path: str) -> ListedFile:
        """Resolve a path."""
        if path not in self._places:
            self._places[path] = self._look(path)
        return self._places[path]

    def _look(self, path: str) -> ListedFile:
        file = self._below(path)
        if leads_outside(file):
            return ListedFile(path, OUTSIDE, path)
        if self._suffixless and PurePosixPath(file).suffix.lower() not in _PICTURES:
            return self._with_suffix(file)
        found = self._lookup.find(file)
        reason = missing(found)
        below = found.relative_to(self._root).as_posix()
        return ListedFile(below, NO_FILE, reason) if reason else ListedFile(below)

    def hint(self, file: str) -> str:
        """Name of a similar file; "" for none."""
        path = self._lookup.find(file)
        try:
            there = [one for names in self._lookup.names(path.parent).values() for one in names]
        except OSError:
            return ""
        name = near_name(path.name, there)
        return f"{PurePosixPath(file).with_name(name)} is there" if name else ""

    def _choose(self, named: Sequence[str]) -> int:
        """Choose the first rule that resolves more than half of the paths; return their number."""
        slashes = any("\\" in path for path in named)
        ways = [(False, False), (True, False), (False, True), (True, True)]
        found = 0
        for self._slashes, self._suffixless in ways:
            if self._slashes and not slashes:
                continue
            self._places.clear()
            count = sum(not self.place(path).why_not for path in named)
            if 2 * count > len(named):
                self.said = self._described(named)
                return count
            found = max(found, count)
        self._slashes = self._suffixless = False
        self._places.clear()
        return found

    def _described(self, named: Sequence[str]) -> str:
        said = [r"\ in paths is read as /"] if self._slashes else []
        if self._suffixless:
            written = next(path for path in named if not self.place(path).why_not)
            said.append(f"names lack their suffix: {written} is {self.place(written).file}")
        dropped = [one for one in self._prefixes if any(_plain(n).startswith(one) for n in named)]
        if dropped:
            said.append(f"{' or '.join(dropped)} at the start of paths is dropped")
        return ", ".join(said)

    def _below(self, path: str) -> str:
        """Path below the root, without `./`; absolute paths below the root become relative."""
        if self._exact:
            return PurePosixPath(path).as_posix()
        if self._slashes:
            path = _plain(path)
        if start := self._start_of(path):
            path = _plain(path)[len(start) :].lstrip("/")
        pure = PurePosixPath(path)
        for root in self._roots if pure.is_absolute() and ".." not in pure.parts else ():
            if pure.is_relative_to(root):
                return pure.relative_to(root).as_posix()
        return pure.as_posix()

    def _start_of(self, path: str) -> str:
        """The longest start that is dropped of a path; "" for none."""
        starts = (one for one in self._prefixes if _plain(path).startswith(one))
        return max(starts, key=len, default="")

    def _with_suffix(self, file: str) -> ListedFile:
        """Resolve a path without suffix to the only image of that name."""
        folder = self._lookup.find(PurePosixPath(file).parent.as_posix())
        name = PurePosixPath(file).name
        if folder not in self._stems:
            stems: dict[str, list[str]] = defaultdict(list)
            try:
                for names in self._lookup.names(folder).values():
                    for one in names:
                        if Path(one).suffix.lower() in _PICTURES and not one.startswith("."):
                            stems[one_form(Path(one).stem)].append(one)
            except OSError as error:
                return ListedFile(file, NO_FILE, error.strerror or "")
            self._stems[folder] = stems
        found = self._stems[folder].get(one_form(name), [])
        if len(found) == 1:
            return ListedFile((folder / found[0]).relative_to(self._root).as_posix())
        if found:
            return ListedFile(
                file, SEVERAL, f"{', '.join(sorted(found))}: name one with its suffix"
            )
        return ListedFile(file, NO_FILE, "nor with a suffix")

    def _refuse(self, named: Sequence[str]) -> None:
        """Describe the folder if no path resolves."""
        below = walk_names(self._root)
        first = _plain(self._below(named[0]))
        hint = self.hint(first) if not leads_outside(first) else ""
        like = [one for one in below.get(one_form(PurePosixPath(first).name), []) if one != first]
        if not hint and like:
            hint = f"{examples(like, _EXAMPLES)} is there"
        raise UserError(
            f"not one of the {len(named):,} photographs of the manifest is below "
            f"{str(self._root)!r}: the first is {named[0]!r}"
            f"{f', and {hint}' if hint else ''}; the folder holds {describe_holdings(self._root)}; "
            f"correct --config.data.photos ({_FLAGS} --photos) or the column of files"
        )

    def _other_start(self, named: Sequence[str], dropped: str, added: str, count: int) -> str:
        key = self._key
        ways = []
        if added:
            there = self._root / added
            ways.append(f"{flag(f'config.data.{key}', there)} ({_FLAGS} --{key})")
        if dropped:
            start = f"{self._start_of(named[0])}{dropped.rstrip('/')}/"
            starts = as_csv([*self._prefixes, start])
            ways.append(f"{flag('config.data.prefix', starts)} ({_FLAGS} --prefix)")
        start = f"{count:,} of {len(named):,}"
        what = [f"without {dropped.rstrip('/')}/ at their start"] if dropped else []
        what += [f"in its folder {added}"] if added else []
        of, name = "the paths", "photographs"
        if key == MASKS:
            of, name = "the paths of masks", "masks"
        return (
            f"{of} of the manifest, such as {named[0]!r}, do not start from "
            f"{str(self._root)!r}, but {start} are there {' and '.join(what)}: if these are the "
            f"{name}, give {' and '.join(ways)}"
        )


def _plain(path: str) -> str:
    return path.replace("\\", "/")


def walk_names(root: Path) -> Mapping[str, list[str]]:
    """Paths below a folder by file name, with and without suffix."""
    found: dict[str, list[str]] = defaultdict(list)
    for parent, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(parent, name).relative_to(root)
            if path.suffix.lower() in _PICTURES and not name.startswith("."):
                for key in {one_form(name), one_form(path.stem)}:
                    found[key].append(path.as_posix())
    return found


def other_starts(wanted: Iterable[str], below: Mapping[str, list[str]]) -> Counter[tuple[str, str]]:
    """Number of resolved paths by (dropped, added) leading folders."""
    counts: Counter[tuple[str, str]] = Counter()
    for path in wanted:
        parts = [part for part in PurePosixPath(path).parts if part != "."]
        best: set[tuple[str, str]] = set()
        longest = 0
        for other in below.get(one_form(parts[-1]), []) if parts else []:
            there = PurePosixPath(other).parts
            common = 1
            while common < min(len(parts), len(there)) and parts[-common - 1] == there[-common - 1]:
                common += 1
            if common > longest:
                best, longest = set(), common
            if common == longest:
                start = PurePosixPath(*parts[:-common]).as_posix() if parts[:-common] else ""
                best.add((start, "/".join(there[:-common])))
        counts.update(best - {("", "")})
    return counts
