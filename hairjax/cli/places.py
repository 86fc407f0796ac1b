"""Default output folders of commands, and checks that they can be written."""

import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from hairjax.config.load import split_source
from hairjax.data.sources.columns import parse_columns
from hairjax.system.errors import UserError


def default_workdir(source: str) -> Path:
    """configs/top.py:demo → runs/top-demo; runs/top/config.json → runs/top-again."""
    path, variant = split_source(source)
    if path.name == "config.json":
        return Path("runs") / f"{path.absolute().parent.name}-again"
    return Path("runs") / "-".join(filter(None, (path.stem, variant)))


def beside(source: str, verb: str) -> Path:
    """configs/top.py:demo and show → runs/top-demo-show."""
    workdir = default_workdir(source)
    return workdir.with_name(f"{workdir.name}-{verb}")


def default_comparison(workdirs: list[Path]) -> Path:
    """runs/top, runs/rgb → runs/compare-top-rgb; of many, the first three are named."""
    names = [path.resolve().name for path in workdirs]
    if len(set(names)) < len(names):
        names = ["-".join(path.resolve().parts[-2:]) for path in workdirs]
    more = [f"and-{len(names) - 3}-more"] if len(names) > 3 else []
    return Path("runs") / "-".join(["compare", *names[:3], *more])


def different_runs(verb: str, workdirs: Sequence[str], *, least: int, example: str) -> list[Path]:
    """Paths of at least ``least`` distinct runs."""
    runs = [Path(workdir).expanduser() for workdir in workdirs]
    if len({run.resolve() for run in runs}) < max(least, len(runs)):
        raise UserError(
            f"{verb} needs {'two different runs or more' if least > 1 else 'different runs'}, not "
            f"{', '.join(workdirs) or 'none'}; e.g. {verb} {example}"
        )
    return runs


def require_manifest(given: Namespace) -> None:
    """Raise if flags of a manifest are invalid or given without one."""
    parse_columns(given.columns)
    for name in ("columns", "prefix"):
        if vars(given)[name] and not given.manifest:
            raise UserError(
                f"--{name} says how a manifest is read, and needs --manifest, the CSV file"
            )


def require_outside_runs(flag: str, path: Path) -> None:
    """Raise if a path is a run or inside one."""
    for folder in (path, *path.absolute().parents):
        if all((folder / name).is_file() for name in ("config.json", "classes.json")):
            raise UserError(f"{flag}={path} is in a run, which is left as it is; give another")


def require_writable(flag: str, folder: Path) -> None:
    """Raise if a folder cannot be created or written."""
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        what = "cannot be written to" if there.is_dir() else "is a file, not a folder"
        raise UserError(f"{flag}={folder}: {there} {what}; give another {flag}")
