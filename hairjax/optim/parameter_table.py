"""Parameter table of a run: group, peak rate, decay and first epoch of every parameter."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flax import traverse_util

from hairjax.optim.groups import ParameterGroup
from hairjax.optim.layer_decay import layer_distances
from hairjax.optim.optimizer import decays
from hairjax.optim.options import OptimOptions
from hairjax.optim.parts import FROZEN, STATISTICS, label_parameters
from hairjax.system.errors import UserError
from hairjax.system.files import replacing, write_csv

_REMOVE = "was it edited? Remove it to rebuild it from config.json"
_COLUMNS = ("parameter", "shape", "group", "peak_rate", "decay", "first_epoch")


@dataclass(frozen=True)
class ParameterRow:
    """One array of a model."""

    parameter: str  # dotted path
    shape: tuple[int, ...]  # sizes; () for a scalar
    # early, middle, late, a part's name if its group is split, ``frozen`` (with LoRA) or
    # ``statistics`` (of batch norms)
    group: str
    peak_rate: float  # peak learning rate; 0 if always frozen
    decay: float  # weight decay
    first_epoch: int  # first epoch of training; 0: always frozen

    @property
    def part(self) -> str:
        """Part of the model: ``stem``, ``stages.0`` … or ``head``."""
        first, _, rest = self.parameter.partition(".")
        return f"{first}.{rest.partition('.')[0]}" if first == "stages" else first

    @property
    def is_parameter(self) -> bool:
        """False for a running statistic."""
        return self.group != STATISTICS

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def cells(self) -> tuple[str, ...]:
        """Cells of the row as text for ``groups.txt`` and the report."""
        size = " × ".join(map(str, self.shape))
        if not self.is_parameter:
            return self.parameter, size, self.group, "-", "-", "with its part"
        trains = f"from epoch {self.first_epoch}" if self.first_epoch else "never"
        return self.parameter, size, self.group, f"{self.peak_rate:g}", f"{self.decay:g}", trains


def make_parameter_table(
    params: dict, groups: Mapping[str, ParameterGroup], optim: OptimOptions
) -> list[ParameterRow]:
    """One row per parameter (or shape)."""
    labels = traverse_util.flatten_dict(label_parameters(params, groups))
    distances = traverse_util.flatten_dict(layer_distances(params))
    never = ParameterGroup((), 0.0, 0)
    groups = {**groups, FROZEN: never, STATISTICS: never}
    rows = []
    for path, leaf in traverse_util.flatten_dict(params).items():
        group = groups[labels[path]]
        trains = group.first > 0
        rows.append(
            ParameterRow(
                parameter=".".join(map(str, path)),
                shape=tuple(leaf.shape),
                group=labels[path],
                peak_rate=group.peak * optim.layer_decay ** distances[path] if trains else 0.0,
                decay=optim.weight_decay if decays(path) and trains else 0.0,
                first_epoch=group.first,
            )
        )
    return rows


def write_groups_text(rows: Sequence[ParameterRow], groups: Sequence[str], file: Path) -> None:
    """Write ``groups.txt``: the table, and parameter counts in the order of ``groups``."""
    header = ("parameter", "shape", "group", "peak rate", "decay", "trains")
    table = [header, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in table]
    counts = {name: sum(row.count for row in rows if row.group == name) for name in groups}
    lines += ["", *(f"{name}: {count:,} parameters" for name, count in counts.items() if count)]
    with replacing(file) as unfinished:
        unfinished.write_text("\n".join(lines) + "\n")


def write_groups_csv(rows: Sequence[ParameterRow], file: Path) -> None:
    """Write the parameter table as ``groups.csv``; `read_groups_csv` returns equal rows."""
    cells = (
        (r.parameter, " ".join(map(str, r.shape)), r.group, r.peak_rate, r.decay, r.first_epoch)
        for r in rows
    )
    write_csv(file, _COLUMNS, cells)


def read_groups_csv(file: Path) -> list[ParameterRow]:
    """Read the parameter table from ``groups.csv``.

    Raises:
        UserError: other columns, or a row that cannot be parsed.
    """
    with file.open(encoding="utf-8", newline="") as text:
        header, *rows = list(csv.reader(text)) or [[]]
    if tuple(header) != _COLUMNS:
        raise UserError(
            f"{file} has the columns {', '.join(header) or 'none'}, not {', '.join(_COLUMNS)}; "
            f"{_REMOVE}"
        )
    return [_read_row(row, f"{file}, line {line}") for line, row in enumerate(rows, 2)]


def _read_row(row: Sequence[str], where: str) -> ParameterRow:
    try:
        name, shape, group, peak, decay, first = row
        sizes = tuple(map(int, shape.split()))
        return ParameterRow(name, sizes, group, float(peak), float(decay), int(first))
    except ValueError as error:
        raise UserError(f"{where} is not a valid row: {','.join(row)!r}; {_REMOVE}") from error
