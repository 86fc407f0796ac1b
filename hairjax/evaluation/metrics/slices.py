"""Metrics on slices of the photographs: by camera, site, age band."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.intervals import Estimate
from hairjax.evaluation.metrics.sample import Sample

MOST_VALUES = 20  # per column; numeric columns with more are split at their quartiles
FEW = 10  # photographs or subjects below which a slice is marked
METRICS = ("accuracy", "quadratic_kappa", "mean_absolute_error")
NOT_GIVEN = "(not given)"


@dataclass(frozen=True)
class Column:
    """Manifest column: its values in order, and the value of each photograph."""

    name: str
    values: tuple[str, ...]
    value_by_file: Mapping[str, str]


@dataclass(frozen=True)
class Slice:
    """Metrics of the photographs with one value, with 95 % intervals (None where undefined).

    ``few``: fewer than 10 photographs, or subjects where known.
    """

    value: str
    photographs: int
    units: int
    few: bool
    metrics: dict[str, Estimate | None]


@dataclass(frozen=True)
class Slices:
    """A table per column; ``left_out`` describes columns without one."""

    tables: dict[str, tuple[Slice, ...]]
    left_out: tuple[str, ...]


def choose_columns(
    columns: Mapping[str, Mapping[str, str]],
) -> tuple[list[Column], tuple[str, ...]]:
    """Columns that divide photographs into a few slices, and a text for each other column.

    A column with 2 to 20 values has a slice per value; a numeric one with more is split at the
    quartiles over all photographs in ``columns`` (from `manifest.read_columns`).
    """
    chosen, left_out = [], []
    for name, value_by_file in columns.items():
        values = {value for value in value_by_file.values() if value}
        numbers = _numbers(values)
        order = sorted(values, key=lambda value: (numbers.get(value, 0.0), value))
        column = Column(name, tuple(order), value_by_file)
        if len(values) > MOST_VALUES and numbers:
            column = _quarters(name, value_by_file, numbers)
        if 2 <= len(column.values) <= MOST_VALUES:
            chosen.append(column)
        elif len(column.values) > MOST_VALUES:
            left_out.append(f"{name} ({len(values):,} different values, not all of them numbers)")
        elif len(values) > 1:
            left_out.append(f"{name} (three quarters or more have the maximum)")
        else:
            left_out.append(f"{name} ({'one value only' if values else 'no value'})")
    return chosen, tuple(left_out)


def _numbers(values: set[str]) -> dict[str, float]:
    """Values as numbers; empty if any is not a finite number."""
    try:
        numbers = {value: float(value) for value in values}
    except ValueError:
        return {}
    return numbers if all(map(math.isfinite, numbers.values())) else {}


def _quarters(name: str, value_by_file: Mapping[str, str], numbers: Mapping[str, float]) -> Column:
    """Split at the quartiles, ties together, into slices named "minimum – maximum"."""
    given = [numbers[value] for value in value_by_file.values() if value]
    cuts = np.unique(np.quantile(given, [0.25, 0.5, 0.75], method="inverted_cdf"))
    quarter = {value: int(np.searchsorted(cuts, number)) for value, number in numbers.items()}
    named = {}
    for place in sorted(set(quarter.values())):
        inside = sorted((v for v in numbers if quarter[v] == place), key=numbers.__getitem__)
        ends = dict.fromkeys((inside[0], inside[-1]))
        named[place] = " – ".join(ends)
    return Column(
        name,
        tuple(named.values()),
        {file: named[quarter[value]] if value else "" for file, value in value_by_file.items()},
    )


def slice_tables(
    sample: Sample, files: Sequence[str], columns: Mapping[str, Mapping[str, str]]
) -> Slices:
    """Metrics of every slice of every column; each photograph is in one slice per column.

    ``columns``: from `manifest.read_columns`.
    """
    chosen, left_out = choose_columns(columns)
    tables = {}
    for column in chosen:
        given = np.array(
            [column.value_by_file.get(file, "") or NOT_GIVEN for file in files], object
        )
        values = dict.fromkeys((*column.values, NOT_GIVEN))
        parts = {value: given == value for value in values}
        tables[column.name] = tuple(
            _evaluate_slice(value, sample.part(inside))
            for value, inside in parts.items()
            if inside.any()
        )
    return Slices(tables, left_out)


def _evaluate_slice(value: str, part: Sample) -> Slice:
    found = metrics.evaluate(part.labels, part.probabilities)
    intervals = part.intervals()
    numbers = {
        name: None if (number := found[name]) is None else (number, intervals[name])
        for name in METRICS
    }
    return Slice(value, len(part), part.units, part.units < FEW, numbers)
