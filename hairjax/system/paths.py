"""Paths given by users."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from hairjax.system.errors import UserError, examples

_RUNS_SHOWN = 5


def placed(path: str | Path) -> str:
    """The path as given, with the location it resolves to."""
    given, full = repr(str(path)), Path(path).expanduser()
    if str(full) != str(Path(path)):
        return f"{given}, which is {str(full)!r}"
    return given if full.is_absolute() else f"{given} in {Path.cwd()}"


def absolute(path: str) -> Path:
    """Absolute path without ``~`` and ``..``; links are not resolved."""
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 (which follows links)


def require_run(workdir: Path) -> None:
    """Raise if a folder holds no run.

    Raises:
        UserError: no configuration there; suggests runs beside or inside it.
    """
    if (workdir / "config.json").is_file():
        return
    runs = [path.parent.name for path in sorted(workdir.parent.glob("*/config.json"))]
    near = difflib.get_close_matches(workdir.name, runs, n=1, cutoff=0.6)
    inside = [str(path.parent) for path in sorted(workdir.glob("*/config.json"))]
    hint = "; the runs in it are " + examples(inside, _RUNS_SHOWN) if inside else ""
    if near:
        hint = f"; did you mean {workdir.parent / near[0]}?"
    raise UserError(f"there is no run at {workdir} (no config.json){hint}")


def require_paths(
    *, folders: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None
) -> None:
    """Raise if a given (non-empty) path does not exist.

    Raises:
        UserError: names the key or flag and the path.
    """
    for name, path in (folders or {}).items():
        if path and not Path(path).expanduser().is_dir():
            raise UserError(f"{name}: there is no folder {placed(path)}{_meant(path)}")
    for name, path in (files or {}).items():
        if path and not Path(path).expanduser().is_file():
            raise UserError(f"{name}: there is no file {placed(path)}{_meant(path)}")


def nearest_path(path: Path) -> str:
    """Existing path beside a missing one with a similar name; "" if there is none."""
    try:
        names = [one.name for one in path.parent.iterdir()]
    except OSError:
        return ""
    folded = [name for name in names if name.casefold() == path.name.casefold()]
    near = folded or difflib.get_close_matches(path.name, names, n=1, cutoff=0.7)
    return str(path.with_name(near[0])) if near and near[0] != path.name else ""


def _meant(path: str) -> str:
    near = nearest_path(Path(path).expanduser())
    return f"; did you mean {near}?" if near else ""
