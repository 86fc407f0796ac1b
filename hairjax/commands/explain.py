"""Explanation maps of a run's best model, and their faithfulness."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hairjax.builders.inputs import require_one_view
from hairjax.commands.explain_results import Maps, show_explanation, summarise_maps, write_maps
from hairjax.data.overview import example_photographs
from hairjax.data.photoset import PhotoSet
from hairjax.data.sources.manifest import Manifest
from hairjax.evaluation.explain.deletion import make_curves, random_maps
from hairjax.evaluation.explain.maps import evidence, share_inside
from hairjax.evaluation.explain.reliance import Reliance, measure_reliance, predict_changed
from hairjax.evaluation.predictions import Predictions
from hairjax.parallel.compilation import keep_compiled
from hairjax.report.explanation import METHODS, ExplainFolder
from hairjax.report.figures.explanation import curves_figure, examples_sheet
from hairjax.report.gallery import remove_gallery, write_gallery
from hairjax.report.run_report import rewrite_report
from hairjax.runs.access import describe_access, record_access
from hairjax.runs.derived import has_parameters, source_runs
from hairjax.runs.folder import RunFolder
from hairjax.runs.load import load_run
from hairjax.runs.photographs import Selection, read_selected_photographs
from hairjax.runs.run import Run, make_explainer
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.outputs import record_written, require_replaceable, with_svg

_TABLES = ("explain.csv", "mask_reliance.csv", "explanation.json")
_WRITTEN = (*_TABLES, "examples", *with_svg("deletion_insertion.png", "examples.png"))
_AT_ONCE = 256  # upsampled maps in memory at a time


def explain_run(workdir: str, selection: Selection, *, count: int, stage: int, out: str) -> None:
    """Explain predictions; write tables, figures and examples, and print; update the run's report.

    Test-set accesses are recorded in ``looks.csv`` before results are written or printed.

    Args:
        workdir: run directory, or a soup.
        selection: images to explain; masks without images are those of the run's images, for models
            without mask input.
        count: maximum number of images with deletion and insertion curves.
        stage: stage of the maps, from 0 or, if negative, from the end.
        out: output folder; "" for one inside the run named like the split.

    Raises:
        UserError: there is no such run, split or stage, or images are unusable.
    """
    if out:
        require_replaceable(Path(out), _WRITTEN)
    run, split = _with_selection(_load(workdir, out, stage), selection), selection.split
    data, _, chosen = read_selected_photographs(run, split)
    data = data if split == "all" else data.subset(chosen)
    maps = find_maps(run, data, count=count, stage=stage)
    place = ExplainFolder(Path(out) if out else run.folder.explained / split)
    opened = _write_and_show(run, data, split, maps, place)
    if out:
        record_written(place.path, _WRITTEN)
    if opened:
        console.say(describe_access(run.folder.test_access, opened))
    if opened or not out:
        rewrite_report(run.folder)


def _load(workdir: str, out: str, stage: int) -> Run:
    if out and RunFolder(out).config.exists():
        raise UserError(f"--out={out} is a run, and its files would be overwritten; give another")
    run = load_run(workdir)
    if not has_parameters(run.config):
        runs = ", ".join(map(str, source_runs(run.folder)))
        raise UserError(
            f"{run.folder.path} was made from finished runs by {run.config.made.by}: explain one "
            f"of these ({runs})"
        )
    require_one_view(run.setup.source, "explain")
    stages = len(run.params["stages"])
    if not -stages <= stage < stages:
        raise UserError(f"--stage is {stage}; it can be {-stages} to {stages - 1}, -1 is the last")
    keep_compiled(run.setup.devices.compiled)
    return run


def _write_and_show(run: Run, data: PhotoSet, split: str, maps: Maps, place: ExplainFolder) -> int:
    """Record the access, summarise, write and print; return the number of accesses."""
    predictions = maps.predictions
    accuracy = float(np.mean(predictions.predicted == predictions.labels))
    opened = record_access(run.folder, data, split, accuracy, command="explain")
    found = summarise_maps(run, maps, split, _reliance(run, data, predictions))
    place.path.mkdir(parents=True, exist_ok=True)
    _plot(run, data, maps, METHODS[found.method].title, place)
    write_maps(maps, found, place)
    show_explanation(found)
    console.say(f"written: {place.path}")
    return opened


def _with_selection(run: Run, selection: Selection) -> Run:
    run = run.with_mask_value(selection.mask_value)
    rule = run.mask_rule(selection.mask_name, selection.mask_category)
    if selection.photos:
        return run.with_photographs(
            photos=selection.photos,
            masks=selection.masks,
            manifest=Manifest(selection.manifest, selection.columns, selection.prefix),
            subject=selection.subject,
            spelling=selection.spelling,
            mask_rule=rule,
        )
    if not selection.masks:
        return run
    source = run.setup.source
    if source.kind != "photos":
        raise UserError(
            f"--masks={selection.masks}: the run's photographs are {source.describe()}, with their "
            "own masks or none; omit --masks"
        )
    views = (replace(source.views[0], masks=selection.masks, mask_rule=rule),)
    return replace(run, setup=replace(run.setup, source=replace(source, views=views)))


def find_maps(run: Run, photos: PhotoSet, *, count: int, stage: int) -> Maps:
    """Explanation maps of the predicted classes, with agreement and faithfulness.

    Deletion and insertion curves for up to `count` images; `stage` counts from 0 or, if negative,
    from the end.
    """
    stage %= len(run.params["stages"])
    predictions = run.predictor(run.params, photos)
    explain = make_explainer(run.setup, run.graphdef, run.mesh, stage)
    maps = explain(run.params, photos, predictions.predicted)
    inside, masked = _on_masks(photos, maps)
    order = np.random.default_rng(run.setup.seed).permutation(len(photos))
    followed = np.sort(order[:count])
    by_map, by_chance = _follow(run, photos, predictions, maps, followed)
    return Maps(predictions, stage, maps, inside, masked, followed, by_map, by_chance)


def _on_masks(
    photos: PhotoSet, maps: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Map mass inside the mask, and mask area, as fractions: float64 [n] each; nan: unknown."""
    inside, masked = np.full(len(photos), np.nan), np.full(len(photos), np.nan)
    if not photos.has_masks:
        return inside, masked
    for start in range(0, len(photos), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        masks = photos.images[part][..., 3]
        inside[part] = share_inside(evidence(maps[part], masks.shape[1]), masks)
        masked[part] = masks.mean(axis=(1, 2), dtype=np.float64) / 255
    return inside, masked


def _follow(
    run: Run,
    photos: PhotoSet,
    predictions: Predictions,
    maps: NDArray[np.float32],
    chosen: NDArray[np.int64],
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    """Deletion and insertion curves of the images at ``chosen``, along the maps and at random."""
    setup = run.setup
    follow = make_curves(
        run.graphdef,
        run.mesh,
        input_spec=setup.inputs,
        batch_size=min(setup.training.batch_size, len(chosen)),
    )
    images, classes = photos.images[chosen], predictions.predicted[chosen]
    blind = random_maps(maps[chosen], setup.seed)
    by_map = follow(run.params, images, maps[chosen], classes)
    return by_map, follow(run.params, images, blind, classes)


def _reliance(run: Run, photos: PhotoSet, predictions: Predictions) -> tuple[Reliance, ...]:
    """Metrics with changed masks and images; empty unless the model reads both."""
    if run.setup.model.in_channels != 6 or not photos.has_masks:
        return ()
    changed = predict_changed(lambda part: run.predictor(run.params, part), photos, run.setup.seed)
    return tuple(measure_reliance(predictions, changed))


def _plot(run: Run, photos: PhotoSet, maps: Maps, title: str, place: ExplainFolder) -> None:
    curves_figure(title, maps.by_map, maps.by_chance, place.curves)
    chosen = example_photographs(photos, np.arange(len(photos)), run.setup.seed)
    shown, predictions, heat = (
        photos.subset(chosen),
        maps.predictions.subset(chosen),
        maps.maps[chosen],
    )
    examples_sheet(shown, predictions, heat, place.sheet)
    remove_gallery(place.examples)
    if run.setup.training.gallery:
        write_gallery(shown, predictions, heat, run.best["epoch"], len(photos), place.examples)
