"""Parameter table: learning rate, weight decay and first epoch of each group and module."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from hairjax.optim.parameter_table import ParameterRow
from hairjax.report.contents import Report


def groups_section(report: Report) -> dict[str, Any]:
    """Rows per group and module, rows per array, and the counts of parameters."""
    learnt = [entry for entry in report.parameter_table if entry.is_parameter]
    modules: dict[tuple[str, ...], list[ParameterRow]] = defaultdict(list)
    for entry in sorted(report.parameter_table, key=lambda entry: _depth(entry.part)):
        modules[entry.group, entry.part, _cells(entry)[-1]].append(entry)
    return {
        "trained": sum(entry.count for entry in learnt if entry.first_epoch),
        "total": sum(entry.count for entry in learnt),
        "modules": [
            (group, module, f"{_count(found):,}", _rates(found), _decay(found), first)
            for (group, module, first), found in modules.items()
        ],
        "arrays": [_cells(entry) for entry in report.parameter_table],
    }


def _cells(entry: ParameterRow) -> tuple[str, ...]:
    *cells, first = entry.cells()
    return (*cells, first.removeprefix("from "))


def _count(entries: Sequence[ParameterRow]) -> int:
    return sum(entry.count for entry in entries)


def _depth(module: str) -> tuple[int, int]:
    """Position of a module in forward order."""
    name, _, number = module.partition(".")
    return ("stem", "stages", "head").index(name), int(number or 0)


def _rates(entries: Sequence[ParameterRow]) -> str:
    """Peak rate; with layer-wise decay its range."""
    if not entries[0].is_parameter:
        return "–"
    rates = [entry.peak_rate for entry in entries]
    return " – ".join(dict.fromkeys(f"{rate:.3g}" for rate in (min(rates), max(rates))))


def _decay(entries: Sequence[ParameterRow]) -> str:
    """Weight decay, with the share of parameters that it applies to if not all."""
    if not entries[0].is_parameter:
        return "–"
    counts: dict[float, int] = defaultdict(int)
    for entry in entries:
        counts[entry.decay] += entry.count
    total = sum(counts.values())
    return ", ".join(
        f"{decay:g}" if count == total else f"{decay:g} ({count / total:.1%})"
        for decay, count in counts.items()
        if decay or count == total
    )
