"""Paths that a person gives."""

from collections.abc import Mapping
from pathlib import Path

from hairjax.errors import UserError


def placed(path: str | Path) -> str:
    """The path as given, and where it was looked for."""
    given = repr(str(path))
    absolute = Path(path).expanduser().is_absolute()
    return given if absolute else f"{given} in {Path.cwd()}"


def require_paths(
    *, folders: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None
) -> None:
    """Refuse a path that was given (is not empty) and is not there.

    Raises:
        UserError: names what the path was given for.
    """
    for name, path in (folders or {}).items():
        if path and not Path(path).expanduser().is_dir():
            raise UserError(f"{name}: there is no folder {placed(path)}")
    for name, path in (files or {}).items():
        if path and not Path(path).expanduser().is_file():
            raise UserError(f"{name}: there is no file {placed(path)}")
