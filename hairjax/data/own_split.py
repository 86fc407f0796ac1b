"""User-defined splits: a file, a manifest column, or folders train, valid, test."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from hairjax.data.options import FOLDERS, SourceOptions
from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.columns import PARTS, find_named
from hairjax.data.sources.formats import SUFFIXES, UNREAD_SUFFIXES
from hairjax.data.sources.lookup import one_form
from hairjax.data.sources.own_parts import describe_names, is_part, part_of, require_parts
from hairjax.data.sources.spelling import subject_key
from hairjax.data.sources.table import Table, read_table, separator
from hairjax.data.split import (
    NEW_SPLIT,
    SPLITS,
    is_written_split,
    read_split,
    require_one_copy,
    require_together,
)
from hairjax.system.errors import UserError, examples

_EXAMPLES = 5
# Names of the split column in a split file.
_SPLIT_NAMES = frozenset({"split", "set", "subset", "partition", "part"})


@dataclass(frozen=True, eq=False)
class OwnSplit:
    """A user-defined split."""

    parts: np.ndarray  # str [n], "train", "validation" or "test"; a part may be absent
    source: str  # description of the origin and of the names in it


def find_own_split(source: SourceOptions, photos: PhotoSet) -> OwnSplit | None:
    """Read the user-defined split of `data.split` or the manifest column; None if there is none.

    Raises:
        UserError: the split is unusable, or separates images of a subject or identical files.
    """
    if source.synthetic or source.data_set:
        return _from_file(source, photos) if source.own_split else None
    if source.own_split == FOLDERS:
        names = [PurePosixPath(file).parts[0] for file in photos.files]
        found = _from_names(photos, names, "the folders")
    elif source.own_split:
        return _from_file(source, photos)
    else:
        further = photos.further
        if not further.split:
            return None
        names = [further.parts[file] for file in photos.files]
        found = _from_names(photos, names, f"the manifest's column {further.split!r}")
    return _checked(found, photos)


def _checked(found: OwnSplit, photos: PhotoSet) -> OwnSplit:
    require_together(photos.subjects, found.parts, found.source)
    require_one_copy(photos.files, photos.sha256, found.parts, found.source)
    return found


def _from_names(photos: PhotoSet, names: Sequence[str], source: str) -> OwnSplit:
    unknown = {name: file for file, name in zip(photos.files, names, strict=True)
              if not is_part(name)}  # fmt: skip
    if unknown:
        named = [f"{name!r} ({file})" for name, file in unknown.items()]
        raise UserError(
            f"{source} name {examples(named, _EXAMPLES)}; the parts of a split are train, "
            "validation (val, valid, dev) and test"
        )
    meant = describe_names({*names})
    return OwnSplit(_parts(names), f"{source}{f' ({meant})' if meant else ''}")


def _parts(names: Sequence[str]) -> np.ndarray:
    return np.array([part_of(name) for name in names], f"<U{max(map(len, SPLITS))}")


def _from_file(source: SourceOptions, photos: PhotoSet) -> OwnSplit:
    path = Path(source.own_split).expanduser()
    form: Callable[[str], str] = subject_key if source.spelling == "merge" else str
    table = read_table(path, "split", "split")
    if is_written_split(table.columns):
        return OwnSplit(read_split(path, photos, form), str(path))
    return _checked(_from_table(table, photos, form), photos)


def _from_table(table: Table, photos: PhotoSet, form: Callable[[str], str]) -> OwnSplit:
    """Split of a table with columns for file and part, and optionally subject.

    An image is looked up by its name, then by its subject.
    """
    split = find_named(table.columns, _SPLIT_NAMES)
    file = find_named(table.columns, PARTS["file"])
    if not split or not file:
        shown = examples([name or "(no name)" for name in table.columns], 12) or "nothing"
        raise UserError(
            f"the split {str(table.path)!r} needs a column file and a column split (a run's "
            f"split.csv also has label, subject and sha256); its first line names "
            f"{shown}{separator(table.columns)}: rename them"
        )
    require_parts(table, split, "split")
    subject = find_named(table.columns, PARTS["subject"])
    rows = [cells for _, cells in table.rows]
    way, by_name = _by_name([row[file] for row in rows], [row[split] for row in rows], photos)
    by_subject = _by_subject(table, subject, split, form) if subject else {}
    names, unknown = [], []
    for one, owner in zip(photos.files, photos.subjects, strict=True):
        name = by_name.get(one) or by_subject.get(owner)
        if name:
            names.append(name)
        else:
            unknown.append(one)
    if unknown:
        listed = examples([row[file] for row in rows], 3)
        raise UserError(
            f"{str(table.path)!r} lists neither the file {'nor the subject ' if subject else ''}of "
            f"{len(unknown):,} of {len(photos):,} photographs: "
            f"{examples(unknown, _EXAMPLES)} (it lists {listed}); {NEW_SPLIT}"
        )
    description = ", ".join(filter(None, (way, describe_names({*names}))))
    return OwnSplit(_parts(names), f"{table.path}{f' ({description})' if description else ''}")


def _by_subject(
    table: Table, subject: str, split: str, form: Callable[[str], str]
) -> dict[str, str]:
    owners = [form(cells[subject]) for _, cells in table.rows]
    parts = [part_of(cells[split]) for _, cells in table.rows]
    require_together(owners, parts, str(table.path))
    return {owner: part for owner, part in zip(owners, parts, strict=True) if owner}


def _by_name(
    listed: Sequence[str], parts: Sequence[str], photos: PhotoSet
) -> tuple[str, dict[str, str]]:
    """Part of each listed image, and the rule by which names were matched.

    One rule for all: exact names, without suffix, without folder, or both; the first with the most
    matches and no ambiguous image.

    Raises:
        UserError: an image is listed in two parts.
    """
    best: tuple[str, dict[str, str]] = "", {}
    for way, key in _WAYS.items():
        keys = [key(file) for file in photos.files]
        if max(Counter(keys).values(), default=0) > 1:
            continue
        named: Mapping[str, dict[str, str]] = defaultdict(dict)
        for name, part in zip(listed, parts, strict=True):
            named[key(name)].setdefault(part_of(part), part)
        found = {file: named[one] for file, one in zip(photos.files, keys, strict=True)
                 if one in named}  # fmt: skip
        if len(found) > len(best[1]):
            conflicts = [
                f"{file} ({', '.join(its)})" for file, its in found.items() if len(its) > 1
            ]
            if conflicts:
                raise UserError(
                    f"the split lists {len(conflicts):,} of the photographs in two parts: "
                    f"{examples(conflicts, _EXAMPLES)}; keep one of each"
                )
            best = way, {file: next(iter(its.values())) for file, its in found.items()}
    return best


def _whole(name: str) -> str:
    return one_form(PurePosixPath(name.replace("\\", "/")).as_posix())


def _stem(name: str) -> str:
    path = PurePosixPath(_whole(name))
    picture = path.suffix.lower() in SUFFIXES | UNREAD_SUFFIXES
    return (path.with_suffix("") if picture else path).as_posix()


_WAYS: Mapping[str, Callable[[str], str]] = {
    "": _whole,
    "names without suffix": _stem,
    "names without folder": lambda name: PurePosixPath(_whole(name)).name,
    "names without folder and suffix": lambda name: PurePosixPath(_stem(name)).name,
}
