"""Metrics on slices of the photographs: of one camera, one site, one age band."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hairjax.evaluation.metrics import classification as metrics
from hairjax.evaluation.metrics.intervals import Estimate
from hairjax.evaluation.metrics.sample import Sample

MOST_VALUES = 20  # of a column; numbers with more are cut into quarters
FEW = 10  # photographs, or subjects, with fewer of which a part is marked
METRICS = ("accuracy", "quadratic_kappa", "mean_absolute_error")
NOT_GIVEN = "(not given)"


@dataclass(frozen=True)
class Column:
    """A column of a manifest: its values in order, and that of each photograph."""

    name: str
    values: tuple[str, ...]
    of_file: Mapping[str, str]


@dataclass(frozen=True)
class Slice:
    """Metrics of the photographs with one value, each with its 95 % interval.

    ``metrics`` holds None where a metric is undefined, as kappa of photographs of a single class.
    ``few``: of fewer than 10 photographs, or subjects where those are known.
    """

    value: str
    photographs: int
    units: int
    few: bool
    metrics: dict[str, Estimate | None]


@dataclass(frozen=True)
class Slices:
    """A table for each column, and in words which columns have none."""

    tables: dict[str, tuple[Slice, ...]]
    left_out: tuple[str, ...]


def choose_columns(
    columns: Mapping[str, Mapping[str, str]],
) -> tuple[list[Column], tuple[str, ...]]:
    """Find the columns that divide photographs into a few parts.

    A column with 2 to 20 different values has a part for each; one with more that are numbers is
    cut at its quartiles. They are those of all photographs that the column speaks of, whichever
    of them are judged later.

    Args:
        columns: as `manifest.read_columns` returns them.

    Returns:
        These columns, and in words each column that is left out.
    """
    chosen, left_out = [], []
    for name, of_file in columns.items():
        values = {value for value in of_file.values() if value}
        numbers = _numbers(values)
        order = sorted(values, key=lambda value: (numbers.get(value, 0.0), value))
        column = Column(name, tuple(order), of_file)
        if len(values) > MOST_VALUES and numbers:
            column = _quarters(name, of_file, numbers)
        if 2 <= len(column.values) <= MOST_VALUES:
            chosen.append(column)
        elif len(column.values) > MOST_VALUES:
            left_out.append(f"{name} ({len(values):,} different values, not all of them numbers)")
        elif len(values) > 1:
            left_out.append(f"{name} (three quarters or more have its greatest number)")
        else:
            left_out.append(f"{name} ({'one value only' if values else 'no value'})")
    return chosen, tuple(left_out)


def _numbers(values: set[str]) -> dict[str, float]:
    """Each value as a number; nothing where one of them is none."""
    try:
        numbers = {value: float(value) for value in values}
    except ValueError:
        return {}
    return numbers if all(map(math.isfinite, numbers.values())) else {}


def _quarters(name: str, of_file: Mapping[str, str], numbers: Mapping[str, float]) -> Column:
    """Cut numbers at their quartiles; equal numbers stay together, so that quarters may be fewer.

    A quarter is named by the least and the greatest number in it.
    """
    given = [numbers[value] for value in of_file.values() if value]
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
        {file: named[quarter[value]] if value else "" for file, value in of_file.items()},
    )


def slice_tables(
    sample: Sample, files: Sequence[str], columns: Mapping[str, Mapping[str, str]]
) -> Slices:
    """Evaluate every part of a sample by every column; each photograph is in one part of each.

    Args:
        sample: the evaluated photographs.
        files: the n names of them.
        columns: as `manifest.read_columns` returns them.
    """
    chosen, left_out = choose_columns(columns)
    tables = {}
    for column in chosen:
        given = np.array([column.of_file.get(file, "") or NOT_GIVEN for file in files], object)
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
