"""Classes: their names, their order, and the index of each label."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePath, PurePosixPath

from hairjax.data.sources.manifest import Row
from hairjax.system.errors import UserError

# Within a name a hyphen is no sign: `stage-1` is 1.
_NUMBER = "(?:^-)?[0-9]+(?:[.,][0-9]+)?"


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Order class names by number where each has its own, else alphabetically.

    The number is the one that ends the name (`level_10`), else the first in it (`2 mild`); it may
    have decimals (`1.5`), and where nothing comes before it a sign (`-1`).
    """
    names = sorted(set(names))
    if not _are_numbered(names):
        return tuple(names)
    return tuple(sorted(names, key=lambda name: _number(name) or 0))


def class_names(labels: Iterable[str], source: str) -> tuple[str, ...]:
    """Return the ordered names of the classes that `source`, a folder or a manifest, holds.

    Raises:
        UserError: they are fewer than two.
    """
    names = class_order(labels)
    if len(names) < 2:
        raise UserError(
            f"{source!r} holds {len(names)} class{'es' * (not names)} {', '.join(names)}: at least "
            "two are needed, each a folder of photographs or a label of the manifest"
        )
    return names


def label_index(label: str, classes: tuple[str, ...]) -> int:
    """Return the index of `label`, a class's name or the bare number of a class.

    A run trained on folders `level_0 …` reads a manifest that says 0 … or, as spreadsheets and
    pandas write columns with gaps, 0.0 …; and the other way round.

    Raises:
        UserError: there is no such class.
    """
    if label in classes:
        return classes.index(label)
    same = [name for name in classes if _number(name) == _number(label) is not None]
    # `2-3` is between two of them.
    alone = len(re.findall(_NUMBER, label)) == 1
    if len(same) == 1 and (_is_number(label) or (_is_number(same[0]) and alone)):
        return classes.index(same[0])
    raise UserError(
        f"the class {label!r} is not one of the run's classes: {', '.join(classes)}; rename its "
        "folder (or label), or move it elsewhere"
    )


def require_classes_on_top(photos: str, rows: Iterable[Row]) -> None:
    """Refuse `photos/train/level_0 …`, where train, val and test would be read as the classes.

    Class folders that all hold the same folders, such as one per camera, are refused too, unless
    the outer names are numbered and the inner are not: only their owner knows which are meant.

    Raises:
        UserError: the folders in `photos` all hold the same folders and no photographs.
    """
    inside: dict[str, set[str]] = {}
    photographs: Counter[str] = Counter()
    for row in rows:
        outer, inner, *_ = *PurePosixPath(row.file).parts, ""
        photographs[outer] += 1
        inside.setdefault(outer, set()).add(inner if row.file.count("/") > 1 else "")
    if not inside or any("" in names for names in inside.values()):
        return
    every = max(inside.values(), key=len)
    common = set.intersection(*inside.values())
    same = len(common) > 1 and all(names <= every for names in inside.values())
    if same and not (_are_numbered([*inside]) and not _are_numbered([*every])):
        [(largest, _)] = photographs.most_common(1)
        raise UserError(
            f"each folder in {photos!r} ({_few(sorted(inside))}) holds folders of the same names "
            f"({_few(class_order(every))}), so which are the classes? If the inner ones, put the "
            "photographs of each class into one folder (hairjax splits them itself) or give one "
            f"of the outer ones, as in --config.data.photos={PurePath(photos, largest)}; if the "
            "outer ones, list the photographs with --config.data.manifest=FILE (of check, evaluate "
            "and explain --manifest=FILE)"
        )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + ", …" * (len(names) > 4)


def _are_numbered(names: Sequence[str]) -> bool:
    """True if each of the names has a number of its own."""
    numbers = [_number(name) for name in names]
    return None not in numbers and len(set(numbers)) == len(numbers)


def _number(name: str) -> float | None:
    match = re.search(f"{_NUMBER}$", name) or re.search(_NUMBER, name)
    return float(match[0].replace(",", ".")) if match else None


def _is_number(name: str) -> bool:
    """True if a name is nothing but a number."""
    return re.fullmatch(_NUMBER, name) is not None
