"""Find files by user-written relative paths below a folder."""

import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath


def leads_outside(file: str) -> bool:
    """True if a relative path, with either separator, is absolute or leaves the folder."""
    windows = PureWindowsPath(file)
    return PurePosixPath(file).is_absolute() or windows.is_absolute() or ".." in windows.parts


def missing(path: Path) -> str:
    """Reason for the absence of a file at `path`, from the operating system; "" if present."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return error.strerror or str(error)
    # Reading a pipe or a device might never end.
    return "" if stat.S_ISREG(mode) else "not a file"


def one_form(text: str) -> str:
    """Unicode NFC form of `text`."""
    return unicodedata.normalize("NFC", text)


class Lookup:
    """Path lookup below `root`, listing each folder once.

    Names match in any Unicode normal form (macOS writes NFD, other systems NFC); exact names take
    precedence.
    """

    def __init__(self, root: Path):
        self._root = root
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def find(self, file: str) -> Path:
        """Path of `file` below the root, existing or not."""
        written = self._root / file
        if not missing(written):
            return written
        path = self._root
        try:
            for part in PurePosixPath(file).parts:
                alike = self.names(path).get(one_form(part), [part])
                path = path / (alike[0] if len(alike) == 1 else part)
        except OSError:
            # Unlistable folder: take the path literally.
            return written
        return path

    def names(self, folder: Path) -> Mapping[str, list[str]]:
        """Names in `folder` by NFC form; {} without the folder.

        Raises:
            OSError: the folder cannot be listed.
        """
        if folder not in self._listed:
            names: dict[str, list[str]] = {}
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                names.setdefault(one_form(path.name), []).append(path.name)
            self._listed[folder] = names
        return self._listed[folder]
