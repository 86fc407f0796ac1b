"""The parameter table: which groups train at which rate, and from when."""

from collections import defaultdict
from collections.abc import Sequence

from hairjax.optim.parameter_table import ParameterRow
from hairjax.report.contents import Report
from hairjax.report.html import Html, html_table, tag


def groups_section(report: Report) -> list[Html]:
    """A line per group and part of the model, and every parameter folded away."""
    learnt = [entry for entry in report.parameter_table if entry.is_parameter]
    total = sum(entry.count for entry in learnt)
    learning = sum(entry.count for entry in learnt if entry.first_epoch)
    parts: dict[tuple[str, ...], list[ParameterRow]] = defaultdict(list)
    for entry in sorted(report.parameter_table, key=lambda entry: _depth(entry.part)):
        *_, trains = entry.cells()
        parts[entry.group, entry.part, trains].append(entry)
    rows = [
        (
            group,
            part,
            f"{sum(entry.count for entry in found):,}",
            _rates(found),
            _decay(found),
            trains.removeprefix("from "),
        )
        for (group, part, trains), found in parts.items()
    ]
    return [
        tag("p", f"{learning:,} of {total:,} parameters learn.", class_="muted"),
        html_table(
            ("Group", "part", "parameters", "peak rate", "weight decay", "trains from"),
            rows,
            class_="ledger",
        ),
        _every(report),
    ]


def _every(report: Report) -> Html:
    """Every parameter; too long for paper, where groups.txt has it."""
    rows = [
        (*cells[:-1], cells[-1].removeprefix("from "))
        for cells in (entry.cells() for entry in report.parameter_table)
    ]
    return tag(
        "details",
        tag("summary", f"All {len(rows):,} arrays of parameters"),
        html_table(
            ("Parameter", "shape", "group", "peak rate", "decay", "trains from"),
            rows,
            class_="every",
        ),
        class_="long",
    )


def _depth(part: str) -> tuple[int, int]:
    """Position of a part in forward order."""
    name, _, number = part.partition(".")
    return ("stem", "stages", "head").index(name), int(number or 0)


def _rates(entries: Sequence[ParameterRow]) -> str:
    """The peak rate; from the least to the greatest where it decays from layer to layer."""
    if not entries[0].is_parameter:
        return "–"
    rates = [entry.peak_rate for entry in entries]
    return " – ".join(dict.fromkeys(f"{rate:.3g}" for rate in (min(rates), max(rates))))


def _decay(entries: Sequence[ParameterRow]) -> str:
    """The weight decay, and of which share of the parameters, where some are spared."""
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
