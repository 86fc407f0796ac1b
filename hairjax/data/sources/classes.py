"""Class names, given or found, and label indices."""

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
# Suffixes of a number that name a stage between two.
_BETWEEN = re.compile(r"[0-9][\s_-]*(?:[a-z]|vertex|anterior)$|[0-9][+-]+$")


def parse_classes(text: str) -> tuple[str, ...]:
    """Parse `data.classes`, a line of CSV; () if empty.

    Raises:
        UserError: fewer than two classes, or a repeated one.
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
    """Ordered class names of a folder or manifest, by the labels of all images.

    `given` are class names ordered by the user, () to infer the order, `missing` labels treated as
    missing.

    Raises:
        UserError: fewer than two classes, or not the given ones.
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
    """Hint at a table inside a folder of `source`, as in Roboflow exports; "" for none."""
    tables = sorted(Path(source).expanduser().glob("*/*.csv"))
    if not tables:
        return ""
    folder, table = tables[0].parent, tables[0]
    return (
        f"; {table} is there: if it lists the labels, give {flag('config.data.photos', folder)} "
        f"{flag('config.data.manifest', table)} (of check --photos and --manifest)"
    )


def _require_given(names: Sequence[str], given: tuple[str, ...], source: str) -> None:
    found = {name: find_class(name, given) for name in names}
    # A given name stands for that class only.
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
    """Index of a label, a class name or the number of a class; None if absent.

    Case, spaces and separators may differ if the match is unique. Labels 0 …, or 0.0 … as written
    by spreadsheets and pandas, match classes `level_0` …, and vice versa.
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
    # `2-3` lies between two classes.
    alone = len(re.findall(NUMBER, label)) == 1
    if len(same) == 1 and (_is_number(label) or (_is_number(same[0]) and alone)):
        return classes.index(same[0])
    return None


def label_index(label: str, classes: tuple[str, ...]) -> int:
    """Index of a label by `find_class`.

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
    """Raise if the outer folders of `rows` are no classes, as in `photos/train/level_0`.

    Class folders with identical subfolders, such as one per camera, are ambiguous, unless only the
    outer names are numbered or the classes are given.

    Raises:
        UserError: the folders in `photos` are parts of a split, or all hold the same subfolders and
            no images.
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
        # Folders of images rather than masks.
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
    return re.fullmatch(NUMBER, name) is not None
