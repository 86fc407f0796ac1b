"""Explanation maps of a set of images: summary, files, tables."""

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
    """Explanation maps of n images and their measures."""

    predictions: Predictions  # predictions; the predicted classes are explained
    stage: int  # stage of the maps, from 0
    maps: NDArray[np.float32]  # float32 [n, h, w], as `evaluation.explain.maps.Explain`
    # fraction of each map's mass inside the mask, float64 [n]; nan: unknown
    inside: NDArray[np.float64]
    # fraction of each image covered by the mask, float64 [n]; nan: unknown
    masked: NDArray[np.float64]
    followed: NDArray[np.int64]  # indices of the images with deletion and insertion curves, int [m]
    # probability of the predicted class, float32 [m, steps + 1], by names of `CURVES`
    by_map: dict[str, NDArray[np.float32]]
    by_chance: dict[str, NDArray[np.float32]]  # the same along random maps


def summarise_maps(run: Run, maps: Maps, split: str, reliance: tuple[Reliance, ...]) -> Explanation:
    """Means with intervals."""
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
    """Write the tables, then ``explanation.json`` as the mark of completion."""
    _write_table(maps, place.table)
    if found.reliance:
        _write_reliance(found, place.reliance)
    else:
        place.reliance.unlink(missing_ok=True)  # from an earlier call
    write_explanation(found, place.found)


def _write_table(maps: Maps, path: Path) -> None:
    predictions = maps.predictions
    header = ["file", "label", "predicted", "inside_mask", "mask_share"]
    numbers = [maps.inside, maps.masked]
    for name in CURVES:
        for end, curves in (("", maps.by_map), ("_random", maps.by_chance)):
            header.append(f"{name}{end}")
            areas = np.full(len(predictions.files), np.nan)
            areas[maps.followed] = area(curves[name])
            numbers.append(areas)
    rows = [
        [
            file,
            predictions.classes[predictions.labels[i]],
            predictions.classes[predictions.predicted[i]],
            *(_format(column[i]) for column in numbers),
        ]
        for i, file in enumerate(predictions.files)
    ]
    write_csv(path, header, rows)


def _write_reliance(found: Explanation, path: Path) -> None:
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
                row += [_format(number) for number in (value, *(interval or _NO_INTERVAL))]
        rows.append(row)
    write_csv(path, header, rows)


_NO_INTERVAL: Interval = (np.nan, np.nan)
_NOTHING = (np.nan, None)


def _format(number: float) -> str:
    return "" if np.isnan(number) else f"{number:.6f}"


def show_explanation(found: Explanation) -> None:
    """Print the tables, with intervals in the last column only, to fit a terminal."""
    for note in found.notes():
        console.say(note)
    tables = [("agreement of maps and masks", found.agreement_table())]
    tables.append((f"{counted(found.followed, 'photograph')} followed", found.area_table()))
    tables += [("mask or photograph changed", table) for table in found.reliance_tables()]
    for title, (header, rows) in tables:
        if rows:
            console.table(title, header, [_one_line(row) for row in rows])
    console.say(f"95 % intervals: {found.interval_note}")


def _one_line(row: Sequence[str]) -> list[str]:
    *cells, last = row
    return [*(cell.partition("\n")[0] for cell in cells), last.replace("\n", "  ")]
