"""Classes: their names, those that are given, and the index of each label."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath, PurePosixPath

from hairjax.data.sources.class_order import NUMBER, are_numbered, class_order, number_in
from hairjax.data.sources.manifest import Row
from hairjax.data.sources.own_parts import is_part
from hairjax.data.sources.spelling import class_key, plain
from hairjax.system.errors import UserError
from hairjax.system.wording import as_csv, flag

_LIST = "--config.data.manifest=FILE (of check and evaluate --manifest)"
_FOLDERS = "--config.data.split=folders (of check --split=folders)"
# What makes of a number a stage between two.
_BETWEEN = re.compile(r"[0-9][\s_-]*(?:[a-z]|vertex|anterior)$|[0-9][+-]+$")


def parse_classes(text: str) -> tuple[str, ...]:
    """Return the names that `data.classes` gives, as a line of CSV; none where it is empty.

    Raises:
        UserError: it names fewer than two classes, or one twice.
    """
    if not text:
        return ()
    try:
        [cells] = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise UserError(
            f"config.data.classes is {text!r}, not names with commas between"
        ) from error
    names = tuple(cell.strip() for cell in cells)
    repeated = len(set(names)) < len(names)
    if len(names) < 2 or not all(names) or repeated:
        raise UserError(
            f"config.data.classes is {text!r}; it must name two classes or more, each once, the "
            "lowest first: none,mild,severe"
        )
    return names


def class_names(
    labels: Iterable[str], given: tuple[str, ...], source: str, missing: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the ordered names of the classes that `source`, a folder or a manifest, holds.

    Args:
        labels: the label of every photograph, or each label once.
        given: the names in the order that the user gave; () to tell it from the names.
        source: the folder or the manifest.
        missing: labels that were taken for none.

    Raises:
        UserError: they are fewer than two, or not those given.
    """
    names = class_order(labels)
    if given:
        _require_given(names, given, source)
        return given
    if len(names) < 2:
        left_out = " or ".join(map(repr, sorted(set(missing) - {""})))
        raise UserError(
            f"{source!r} holds {len(names)} class{'es' * (not names)} {', '.join(names)}: at least "
            "two are needed, each a folder of photographs or a label of the manifest"
            + _tables_inside(source)
            + (
                f"; if {left_out} is a class too, name all with --config.data.classes"
                * bool(left_out)
            )
        )
    return names


def _tables_inside(source: str) -> str:
    """Name a table that lies in a folder of `source`, as Roboflow has it; "" for none."""
    tables = sorted(Path(source).expanduser().glob("*/*.csv"))
    if not tables:
        return ""
    folder, table = tables[0].parent, tables[0]
    return (
        f"; {table} is there: if it lists the labels, give {flag('config.data.photos', folder)} "
        f"{flag('config.data.manifest', table)} (of check --photos and --manifest)"
    )


def _require_given(names: Sequence[str], given: tuple[str, ...], source: str) -> None:
    """Refuse labels that are none of the classes given, and classes without photographs."""
    found = {name: find_class(name, given) for name in names}
    # A name that is itself given is that class alone.
    for name, place in found.items():
        if place is not None and name != given[place] and given[place] in found:
            found[name] = None
    unknown = [name for name, place in found.items() if place is None]
    empty = [name for place, name in enumerate(given) if place not in found.values()]
    if unknown or empty:
        said = [
            f"{source!r} has {', '.join(map(repr, unknown))} too" if unknown else "",
            f"no photograph is of {', '.join(map(repr, empty))}" if empty else "",
        ]
        raise UserError(
            f"config.data.classes names {', '.join(given)}, but {' and '.join(filter(None, said))}:"
            " name each class that there is, and no other"
        )


def find_class(label: str, classes: tuple[str, ...]) -> int | None:
    """Return the index of `label`, a class's name or the bare number of a class; None of no class.

    Case, spaces and separators may differ where one class alone then fits. A run trained on folders
    `level_0 …` reads a manifest that says 0 … or, as spreadsheets and pandas write columns with
    gaps, 0.0 …; and the other way round.
    """
    if label in classes:
        return classes.index(label)
    alike = [name for name in classes if class_key(name) == class_key(label)]
    if len(alike) == 1:
        return classes.index(alike[0])
    same = [name for name in classes if number_in(name) == number_in(label) is not None]
    # `3v` is another stage than 3.
    if any(_BETWEEN.search(plain(name)) for name in (label, *same)):
        return None
    # `2-3` is between two of them.
    alone = len(re.findall(NUMBER, label)) == 1
    if len(same) == 1 and (_is_number(label) or (_is_number(same[0]) and alone)):
        return classes.index(same[0])
    return None


def label_index(label: str, classes: tuple[str, ...]) -> int:
    """Return the index of `label` as `find_class` finds it.

    Raises:
        UserError: there is no such class.
    """
    place = find_class(label, classes)
    if place is None:
        raise UserError(
            f"the class {label!r} is not one of the run's classes: {', '.join(classes)}; rename "
            "its folder (or label), or move it elsewhere"
        )
    return place


def require_classes_on_top(photos: str, rows: Iterable[Row], given: Sequence[str] = ()) -> None:
    """Refuse `photos/train/level_0 …`, where train, val and test would be read as the classes.

    Class folders that all hold the same folders, such as one per camera, are refused too, unless
    the outer names are numbered and the inner are not: only their owner knows which are meant.

    Args:
        photos: the folder.
        rows: the photographs in it, by their outer folders.
        given: the names of the classes that the user gave.

    Raises:
        UserError: the folders in `photos` are those of a split, or all hold the same folders and
            no photographs.
    """
    inside: dict[str, set[str]] = {}
    photographs: Counter[str] = Counter()
    for row in rows:
        outer, inner, *_ = *PurePosixPath(row.file).parts, ""
        photographs[outer] += 1
        inside.setdefault(outer, set()).add(inner if row.file.count("/") > 1 else "")
    if not inside:
        return
    flat = any("" in names for names in inside.values())
    every = max(inside.values(), key=len)
    common = set.intersection(*inside.values())
    same = not flat and len(common) > 1 and all(names <= every for names in inside.values())
    parts = len(inside) > 1 and all(is_part(name) for name in inside) and not {*inside} & {*given}
    if same and not (are_numbered([*inside]) and not are_numbered([*every])):
        # Of folders of photographs and of masks the former.
        named = {name: count for name, count in photographs.items() if "mask" not in name.lower()}
        largest = max(named or photographs, key=photographs.__getitem__)
        divide = f"divide them as these folders do with {_FOLDERS}, or " if parts else ""
        one = flag("config.data.photos", PurePath(photos, largest))
        raise UserError(
            f"each folder in {photos!r} ({_few(sorted(inside))}) holds folders of the same names "
            f"({_few(class_order(every))}), so which are the classes? If the inner ones, {divide}"
            f"give one of the outer ones, as in {one}; if the outer ones, list the photographs "
            f"with {_LIST}"
        )
    if parts:
        raise UserError(
            f"the folders in {photos!r} ({_few(sorted(inside))}) are named like the parts of a "
            f"split, not like classes: where class folders are in them, give {_FOLDERS}; where "
            f"photographs are, list them with {_LIST}; if these are classes, give "
            f"{flag('config.data.classes', as_csv(sorted(inside)))}"
        )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + ", …" * (len(names) > 4)


def _is_number(name: str) -> bool:
    """True if a name is nothing but a number."""
    return re.fullmatch(NUMBER, name) is not None
