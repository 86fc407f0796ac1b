"""Find images in a folder per class, following links; report unusable entries."""

import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from hairjax.data.sources.formats import SUFFIXES, UNREAD_SUFFIXES, usable_name
from hairjax.data.sources.holdings import describe_holdings
from hairjax.data.sources.lookup import missing
from hairjax.data.sources.manifest import Row
from hairjax.data.sources.own_parts import is_part
from hairjax.data.sources.problems import Problem, shown
from hairjax.system.errors import UserError, examples

# Folders of macOS archives and Synology devices, with previews and metadata.
_SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir"})


def walk_classes(root: Path, problems: list[Problem]) -> tuple[list[Row], list[str]]:
    """Images below each class folder of `root`, and the class names.

    Raises:
        UserError: `root` is unreadable or without folders; a class folder is empty or has an
            unencodable name.
    """
    try:
        inside = [path for path in sorted(root.iterdir()) if not _is_hidden(path.name)]
        folders = [path for path in inside if path.is_dir()]
    except OSError as error:
        raise UserError(f"the folder {str(root)!r} cannot be read: {error.strerror}") from error
    if not folders:
        raise UserError(
            f"{str(root)!r} holds no folders, but {describe_holdings(root)}: put the photographs "
            "of each class in a folder of its own, such as level_0, level_1, or list them with "
            "--config.data.manifest=FILE (of check, evaluate and explain --manifest=FILE)"
            f"{_beside(root)}"
        )
    for path in inside:
        if path in folders or _is_broken_link(path, problems):
            continue
        if path.suffix.lower() in SUFFIXES | UNREAD_SUFFIXES:
            problems.append(Problem(shown(path), "in no class folder", ""))
    # A link must not add the images of one class to another.
    known = {os.path.realpath(path) for path in (root, *folders)}
    rows = [row for folder in folders for row in _class_rows(root, folder, known, problems)]
    return rows, [folder.name for folder in folders]


def walk_parts(root: Path, problems: list[Problem]) -> tuple[list[Row], list[str]]:
    """Images of class folders inside `train`, `valid` and `test`, and the class names.

    Raises:
        UserError: as `walk_classes`, or a folder in `root` is no part of a split.
    """
    names = [path.name for path in sorted(root.iterdir()) if path.is_dir()]
    names = [name for name in names if not _is_hidden(name)]
    others = [name for name in names if not is_part(name)]
    if others or not names:
        raise UserError(
            f"config.data.split=folders takes the folders in {str(root)!r} for the split, and "
            f"{examples(others, 5) + ' is none of' if others else 'it holds none of'} train, "
            "validation (val, valid, dev) and test: move it elsewhere, or leave config.data.split "
            f"empty; there is {describe_holdings(root)}"
        )
    rows: list[Row] = []
    labels: set[str] = set()
    for name in names:
        inside, found = walk_classes(root / name, problems)
        rows += [replace(row, file=f"{name}/{row.file}") for row in inside]
        labels.update(found)
    return rows, sorted(labels)


def _beside(root: Path) -> str:
    """Hint at a table in the folder, or at its parent if it is a class folder.

    Starts with a semicolon; "" for none.
    """
    tables = sorted(path.name for path in root.glob("*.csv"))
    if tables:
        return f"; is it {root / tables[0]}?"
    above = root.absolute().parent
    try:
        classes = [path for path in above.iterdir() if path.is_dir() and _holds_photograph(path)]
    except OSError:
        return ""
    if root.resolve() in [path.resolve() for path in classes] and len(classes) > 1:
        names = examples(sorted(path.name for path in classes), 4)
        return f"; if it is one class of {names}, give the folder above: {above}"
    return ""


def _holds_photograph(folder: Path) -> bool:
    return any(path.suffix.lower() in SUFFIXES for path in folder.iterdir())


def _class_rows(
    root: Path, folder: Path, known: Collection[str], problems: list[Problem]
) -> list[Row]:
    """Images of one class; raises if there are neither images nor problems."""
    if shown(folder) != str(folder):
        raise UserError(
            f"the name of the class folder '{shown(folder)}' is not UTF-8, in which every output "
            "is written: rename it"
        )
    before = len(problems)
    rows = [
        Row(path.relative_to(root).as_posix(), folder.name, "", "")
        for path in walk_photos(folder, known, problems)
    ]
    if not rows and len(problems) == before:
        raise UserError(
            f"the class folder {str(folder)!r} holds no photograph "
            f"({', '.join(sorted(SUFFIXES))}), but {describe_holdings(folder)}: fill it or remove "
            "it"
        )
    return rows


def walk_photos(folder: Path, known: Collection[str], problems: list[Problem]) -> Iterator[Path]:
    """Yield every visible image below `folder`, following links, each folder once.

    Folders with a real path in `known` are skipped.
    """

    def unreadable(error: OSError) -> None:
        problems.append(
            Problem(shown(Path(error.filename)), "folder cannot be read", error.strerror or "")
        )

    seen = {*known}
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=unreadable):
        seen.add(os.path.realpath(parent))
        # Skip links to parent folders: endless recursion.
        folders[:] = sorted(
            name
            for name in folders
            if not _is_hidden(name) and os.path.realpath(Path(parent, name)) not in seen
        )
        for path in (Path(parent, name) for name in sorted(files) if not _is_hidden(name)):
            if not _is_broken_link(path, problems) and usable_name(path, problems):
                yield path


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEM_FOLDERS


def _is_broken_link(path: Path, problems: list[Problem]) -> bool:
    """Report a dangling link, which may have been a folder of images."""
    try:
        reason = missing(path) if path.is_symlink() else ""
    except OSError:
        # The folder cannot be entered; reported on reading.
        return False
    if reason:
        problems.append(Problem(shown(path), "the link cannot be followed", reason))
    return bool(reason)
