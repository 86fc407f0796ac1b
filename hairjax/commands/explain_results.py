"""Explanation maps of a set of photographs: summed up, written, and shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.explain.deletion import CURVES, area
from hairjax.evaluation.explain.reliance import METRICS, Reliance
from hairjax.evaluation.metrics.intervals import Interval, mean_interval
from hairjax.evaluation.predictions import Predictions
from hairjax.report.explanation import (
    Agreement,
    Area,
    ExplainFolder,
    Explanation,
    write_explanation,
)
from hairjax.runs.run import Run
from hairjax.system import console
from hairjax.system.files import write_csv
from hairjax.system.wording import counted


@dataclass(frozen=True, eq=False)
class Maps:
    """Explanation maps of n photographs and their measures.

    Attributes:
        predictions: predictions of the photographs, whose predicted classes are explained.
        stage: stage of the maps, from 0.
        maps: float32 [n, h, w], as `evaluation.explain.maps.Explain`.
        inside: share of each map's mass inside the mask, float64 [n]; nan where not known.
        masked: the mask's share of each picture, float64 [n]; nan where not known.
        followed: indices of the photographs with deletion and insertion curves, int [m].
        by_map: by names of `CURVES`, the predicted class's probability, float32 [m, steps + 1].
        by_chance: the same, along random maps.
    """

    predictions: Predictions
    stage: int
    maps: NDArray[np.float32]
    inside: NDArray[np.float64]
    masked: NDArray[np.float64]
    followed: NDArray[np.int64]
    by_map: dict[str, NDArray[np.float32]]
    by_chance: dict[str, NDArray[np.float32]]


def summarise_maps(run: Run, maps: Maps, split: str, reliance: tuple[Reliance, ...]) -> Explanation:
    """Means and their intervals."""
    setup, predictions = run.setup, maps.predictions
    height, width = maps.maps.shape[1:]
    unit = "subjects" if any(predictions.subjects) else "photographs"
    return Explanation(
        epoch=run.best["epoch"],
        split=split,
        photographs=len(predictions.files),
        subjects=len({*predictions.subjects} - {""}),
        side=setup.inputs.side,
        channels=setup.model.in_channels,
        method=setup.model.map_method,
        stage=maps.stage + 1,
        stages=len(run.params["stages"]),
        places=(height, width),
        empty=int((maps.maps <= 0).all(axis=(1, 2)).sum()),
        agreement=_agreement(maps),
        followed=len(maps.followed),
        areas=_areas(maps),
        reliance=reliance,
        interval_note=f"jackknife over {unit}, Student's t",
    )


def _agreement(maps: Maps) -> tuple[Agreement, ...]:
    """Agreement of maps and masks, for every class that has both and for all photographs."""
    predictions, inside, masked = maps.predictions, maps.inside, maps.masked
    usable = np.isfinite(inside) & np.isfinite(masked)
    parts = [(name, predictions.labels == k) for k, name in enumerate(predictions.classes)]
    rows = []
    for name, part in [*parts, ("all", np.ones_like(usable))]:
        chosen = np.flatnonzero(part & usable)
        if not len(chosen):
            continue
        subjects = [predictions.subjects[i] for i in chosen]
        shares = [mean_interval(one[chosen], subjects, (0.0, 1.0)) for one in (inside, masked)]
        more = mean_interval(inside[chosen] - masked[chosen], subjects, (-1.0, 1.0))
        rows.append(Agreement(name, len(chosen), shares[0], shares[1], more))
    return tuple(rows)


def _areas(maps: Maps) -> dict[str, Area]:
    subjects = [maps.predictions.subjects[i] for i in maps.followed]
    found = {}
    for name in CURVES:
        by_map, by_chance = area(maps.by_map[name]), area(maps.by_chance[name])
        gain = mean_interval(by_map - by_chance, subjects, (-1.0, 1.0))
        found[name] = Area(float(by_map.mean()), float(by_chance.mean()), gain)
    return found


def write_maps(maps: Maps, found: Explanation, place: ExplainFolder) -> None:
    """Write the tables, and last, for it says that they are there, ``explanation.json``."""
    _write_table(maps, place.table)
    if found.reliance:
        _write_reliance(found, place.reliance)
    else:
        place.reliance.unlink(missing_ok=True)  # of an earlier one
    write_explanation(found, place.found)


def _write_table(maps: Maps, path: Path) -> None:
    """One line per photograph; what is not known, or was not computed, is left empty."""
    said = maps.predictions
    header = ["file", "label", "predicted", "inside_mask", "mask_share"]
    numbers = [maps.inside, maps.masked]
    for name in CURVES:
        for end, curves in (("", maps.by_map), ("_random", maps.by_chance)):
            header.append(f"{name}{end}")
            areas = np.full(len(said.files), np.nan)
            areas[maps.followed] = area(curves[name])
            numbers.append(areas)
    rows = [
        [
            file,
            said.classes[said.labels[i]],
            said.classes[said.predicted[i]],
            *(_written(column[i]) for column in numbers),
        ]
        for i, file in enumerate(said.files)
    ]
    write_csv(path, header, rows)


def _write_reliance(found: Explanation, path: Path) -> None:
    """One line per change of mask or photograph, the unchanged first."""
    header = ["change", "photographs"]
    for name in METRICS:
        header += [name, f"{name}_low", f"{name}_high"]
        header += [f"{name}_difference", f"{name}_difference_low", f"{name}_difference_high"]
    rows = []
    for line in found.reliance:
        row = [line.change or "as it is", str(found.photographs)]
        for name in METRICS:
            for estimate in (line.values[name], line.differences.get(name)):
                value, interval = estimate or _NOTHING
                row += [_written(number) for number in (value, *(interval or _NO_INTERVAL))]
        rows.append(row)
    write_csv(path, header, rows)


_NO_INTERVAL: Interval = (np.nan, np.nan)
_NOTHING = (np.nan, None)


def _written(number: float) -> str:
    return "" if np.isnan(number) else f"{number:.6f}"


def show_explanation(found: Explanation) -> None:
    """The tables of the page; a terminal is too narrow for intervals but those in the last column.

    They are of what the maps add to chance, and of what a change does.
    """
    for note in found.notes():
        console.say(note)
    tables = [("where the maps lie", found.agreement_table())]
    tables.append((f"{counted(found.followed, 'photograph')} followed", found.area_table()))
    tables += [("mask or photograph changed", table) for table in found.reliance_tables()]
    for title, (header, rows) in tables:
        if rows:
            console.table(title, header, [_one_line(row) for row in rows])
    console.say(f"95 % intervals: {found.interval_note}")


def _one_line(row: Sequence[str]) -> list[str]:
    *cells, last = row
    return [*(cell.partition("\n")[0] for cell in cells), last.replace("\n", "  ")]
