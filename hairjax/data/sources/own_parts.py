"""Names of the parts of a split, and the split column of a table."""

from hairjax.data.sources.spelling import plain
from hairjax.data.sources.table import Table
from hairjax.system.errors import UserError, examples

_SHOWN = 5  # values, and lines of each
_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
_PART_OF = {name: part for part, names in _NAMES.items() for name in names}


def is_part(name: str) -> bool:
    """True for a name of train, validation or test, in any case."""
    return plain(name) in _PART_OF


def part_of(name: str) -> str:
    """``train``, ``validation`` or ``test`` by name.

    Raises:
        KeyError: no such part.
    """
    return _PART_OF[plain(name)]


def describe_names(names: set[str]) -> str:
    """Description of the mapping of other names; "" for none."""
    said = [f"{name} is {part_of(name)}" for name in sorted(names) if name != part_of(name)]
    return ", ".join(said)


def split_column(table: Table, name: str, *, asked: bool) -> str:
    """The column if its values are parts of a split; "" if none is.

    Raises:
        UserError: only some are, or none though ``asked`` for.
    """
    if not asked and not any(is_part(cells[name]) for _, cells in table.rows):
        return ""
    require_parts(table, name)
    return name


def require_parts(table: Table, name: str, what: str = "manifest") -> None:
    """Raise unless all values of a column are parts of a split; `what`: ``manifest`` or ``split``.

    Raises:
        UserError: names the other values with their lines.
    """
    others: dict[str, list[str]] = {}
    for line, cells in table.rows:
        if not is_part(cells[name]):
            others.setdefault(cells[name], []).append(str(line))
    if not others:
        return
    said = [
        f"{repr(value) if value else 'nothing'} in line {examples(lines, _SHOWN)}"
        for value, lines in others.items()
    ]
    aside = (
        ", or leave the column aside with --config.data.columns=split= (of check, evaluate and "
        "explain --columns=…)"
    )
    raise UserError(
        f"the column {name!r} of {str(table.path)!r} holds {examples(said, _SHOWN)}: a "
        "photograph is in one of train, validation (val, valid, dev) and test; correct it"
        f"{aside if what == 'manifest' else ''}"
    )
