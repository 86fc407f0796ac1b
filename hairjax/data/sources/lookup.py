"""Finding files by the relative paths that people write, below one folder."""

import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath


def leads_outside(file: str) -> bool:
    """True if a relative path, with / or Windows' separator, is absolute or goes up."""
    windows = PureWindowsPath(file)
    return PurePosixPath(file).is_absolute() or windows.is_absolute() or ".." in windows.parts


def missing(path: Path) -> str:
    """Say in the system's words why there is no file at `path`; "" where there is one."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return error.strerror or str(error)
    # A pipe or a device would be waited for, or read, without end.
    return "" if stat.S_ISREG(mode) else "not a file"


def one_form(text: str) -> str:
    """Return the form of `text` in which é is one character, as it may be written with two."""
    return unicodedata.normalize("NFC", text)


class Lookup:
    """Finds paths below `root`; each folder is listed once, however many files are looked for.

    Where no name is written alike, the one that reads alike is taken: macOS writes é and 가 as
    several characters (NFD), other systems as one (NFC), and copies keep either.
    """

    def __init__(self, root: Path):
        self._root = root
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def find(self, file: str) -> Path:
        """Return the path of `file` below the root, which need not exist."""
        written = self._root / file
        if not missing(written):
            return written
        path = self._root
        try:
            for part in PurePosixPath(file).parts:
                alike = self.names(path).get(one_form(part), [part])
                path = path / (alike[0] if len(alike) == 1 else part)
        except OSError:
            # What cannot be listed can only be what was written.
            return written
        return path

    def names(self, folder: Path) -> Mapping[str, list[str]]:
        """Map the one form of every name in `folder` to its names; empty without the folder.

        Raises:
            OSError: the folder is there and cannot be listed.
        """
        if folder not in self._listed:
            names: dict[str, list[str]] = {}
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                names.setdefault(one_form(path.name), []).append(path.name)
            self._listed[folder] = names
        return self._listed[folder]
