"""The ledger of parameter groups, read back from ``groups.txt``."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hairjax.system.errors import UserError

_COLUMNS = ("parameter", "shape", "group", "peak rate", "decay", "trains")


@dataclass(frozen=True)
class ParameterRow:
    """One parameter.

    Attributes:
        parameter: its dotted path.
        shape: its sizes, joined by " × "; "" for a single number.
        group: early, middle or late, or the part's own where parts of these thaw apart.
        peak_rate: the highest learning rate, as written; "-" of running statistics.
        decay: weight decay, as written.
        trains: from which epoch, or never.
    """

    parameter: str
    shape: str
    group: str
    peak_rate: str
    decay: str
    trains: str

    @property
    def part(self) -> str:
        """The part of the model it belongs to: ``stem``, ``stages.0`` … or ``head``."""
        first, _, rest = self.parameter.partition(".")
        return f"{first}.{rest.partition('.')[0]}" if first == "stages" else first

    @property
    def learnt(self) -> bool:
        """Whether it is a parameter and not a running statistic."""
        return self.peak_rate != "-"

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(int(size) for size in self.shape.split(" × ") if size)


def read_parameter_table(path: Path) -> list[ParameterRow]:
    """Read what `optim.write_parameter_table` wrote, in its order.

    Raises:
        UserError: a column is missing.
    """
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    places = dict(_columns(header))
    if missing := [name for name in _COLUMNS if name not in places]:
        raise UserError(f"{path} lacks the columns {', '.join(missing)}; was it edited?")
    table = lines[: lines.index("")]  # below the empty line are the sums of the groups
    return [ParameterRow(*(line[places[name]].strip() for name in _COLUMNS)) for line in table]


def _columns(header: str) -> Iterator[tuple[str, slice]]:
    """Names, which may hold single spaces, and where their columns lie."""
    found = list(re.finditer(r"\S+(?: \S+)*", header))
    ends = [*(match.start() for match in found[1:]), None]
    for match, end in zip(found, ends, strict=True):
        yield match.group(), slice(match.start(), end)
