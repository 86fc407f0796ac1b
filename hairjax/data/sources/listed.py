"""Resolve listed paths below the folder of images.

One rule for the whole list: as written, with Windows separators, or without suffix.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hairjax.data.sources.formats import SUFFIXES, UNREAD_SUFFIXES
from hairjax.data.sources.holdings import describe_holdings, near_name
from hairjax.data.sources.lookup import Lookup, leads_outside, missing, one_form
from hairjax.system.errors import UserError, examples

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


OUTSIDE = "not a path below config.data.photos"
NO_FILE = "no such file"
SEVERAL = "several files of this name"


class Listed:
    """Resolver of a list's paths.

    Attributes:
        said: description of the rule; "" for paths as written.
    """

    def __init__(self, paths: Sequence[str], root: Path, prefix: str, exact: bool):
        """Choose the rule for `paths` ("" for none); `exact`: take them literally."""
        self._root, self._lookup = root, Lookup(root)
        self._roots = tuple(dict.fromkeys((root.absolute(), root.resolve())))
        prefix = prefix.replace("\\", "/")
        self._prefix, self._exact = f"{prefix.rstrip('/')}/" if prefix else "", exact
        self._slashes = self._suffixless = False
        self._stems: dict[Path, dict[str, list[str]]] = {}
        self._places: dict[str, ListedFile] = {}
        self.said = ""
        self._named = [path for path in paths if path]
        self._found = 0 if exact else self._choose(self._named)

    def require_found(self) -> None:
        """Raise if no path resolves, or most resolve from another folder.

        Raises:
            UserError: no path has the prefix; suggests the folder or prefix by which most paths
                would resolve, or describes the folder.
        """
        named = self._named
        if self._exact or not named:
            return
        if self._prefix and not any(self._plain(one).startswith(self._prefix) for one in named):
            raise UserError(
                f"config.data.prefix is {self._prefix!r}, and no path of the manifest begins with "
                f"it: {examples(named, _EXAMPLES)}; correct it or leave it out"
            )
        if 2 * self._found <= len(named):
            self._refuse(named)

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
        if self._prefix:
            said.append(f"{self._prefix} at the start of paths is dropped")
        return ", ".join(said)

    def _plain(self, path: str) -> str:
        return path.replace("\\", "/")

    def _below(self, path: str) -> str:
        """Path below the root, without `./`; absolute paths below the root become relative."""
        if self._exact:
            return PurePosixPath(path).as_posix()
        if self._slashes:
            path = self._plain(path)
        if self._prefix and self._plain(path).startswith(self._prefix):
            path = self._plain(path)[len(self._prefix) :].lstrip("/")
        pure = PurePosixPath(path)
        for root in self._roots if pure.is_absolute() and ".." not in pure.parts else ():
            if pure.is_relative_to(root):
                return pure.relative_to(root).as_posix()
        return pure.as_posix()

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
        below = walk_names(self._root)
        wanted = [self._plain(self._below(path)) for path in named]
        starts = other_starts(wanted, below)
        if starts:
            (dropped, added), count = starts.most_common(1)[0]
            if 2 * count > len(named):
                raise UserError(self._other_start(named, dropped, added, count))
        if self._found:
            return
        first = wanted[0]
        hint = self.hint(first) if not leads_outside(first) else ""
        like = [one for one in below.get(one_form(PurePosixPath(first).name), []) if one != first]
        if not hint and like:
            hint = f"{examples(like, _EXAMPLES)} is there"
        raise UserError(
            f"not one of the {len(named):,} photographs of the manifest is below "
            f"{str(self._root)!r}: the first is {named[0]!r}"
            f"{f', and {hint}' if hint else ''}; the folder holds {describe_holdings(self._root)}; "
            "correct --config.data.photos (of check, evaluate and explain --photos) or the "
            "column of files"
        )

    def _other_start(self, named: Sequence[str], dropped: str, added: str, count: int) -> str:
        ways = []
        if added:
            there = self._root / added
            ways.append(f"--config.data.photos={there} ({_FLAGS} --photos={there})")
        if dropped:
            start = f"{dropped.rstrip('/')}/"
            ways.append(f"--config.data.prefix={start} ({_FLAGS} --prefix={start})")
        start = f"{count:,} of {len(named):,}"
        what = [f"without {dropped.rstrip('/')}/ at their start"] if dropped else []
        what += [f"in its folder {added}"] if added else []
        return (
            f"the paths of the manifest, such as {named[0]!r}, do not start from "
            f"{str(self._root)!r}, but {start} are there {' and '.join(what)}: if these are the "
            f"photographs, give {' and '.join(ways)}"
        )


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
