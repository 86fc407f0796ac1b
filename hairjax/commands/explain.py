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
from hairjax.runs.photographs import Selection, read_asked_photographs
from hairjax.runs.run import Run, make_explainer
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.outputs import record_written, require_replaceable, with_svg

_TABLES = ("explain.csv", "mask_reliance.csv", "explanation.json")
_WRITTEN = (*_TABLES, "examples", *with_svg("deletion_insertion.png", "examples.png"))
_AT_ONCE = 256  # maps at the size of photographs in memory


def explain_run(workdir: str, asked: Selection, *, count: int, stage: int, out: str) -> None:
    """Explain, write tables, figures and examples, and show; of a run's own, report again.

    An access to the test split goes into ``looks.csv`` before anything of it is written or shown.

    Args:
        workdir: the run, or a soup of several.
        asked: selection of the photographs; masks alone are those of the run's own, whose model
            may not see them.
        count: photographs, at most, along which deletion and insertion are followed.
        stage: stage of the maps, from 0, or from the end: -1 is the last.
        out: a folder for the results; empty for one inside the run named like the split.

    Raises:
        UserError: there is no such run, split or stage, or photographs cannot be used.
    """
    if out:
        require_replaceable(Path(out), _WRITTEN)
    run, split = _with_asked(_load(workdir, out, stage), asked), asked.split
    data, _, chosen = read_asked_photographs(run, split)
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
    """The run to explain, which has one model and such a stage."""
    if out and RunFolder(out).config.exists():
        raise UserError(f"--out={out} is a run, whose files would be overwritten; give another")
    run = load_run(workdir)
    if not has_parameters(run.config):
        runs = ", ".join(map(str, source_runs(run.folder)))
        raise UserError(
            f"{run.folder.path} is what {run.config.made.by} made of finished runs: explain one of "
            f"these ({runs})"
        )
    require_one_view(run.setup.source, "explain")
    stages = len(run.params["stages"])
    if not -stages <= stage < stages:
        raise UserError(f"--stage is {stage}; it can be {-stages} to {stages - 1}, -1 is the last")
    keep_compiled(run.setup.devices.compiled)
    return run


def _write_and_show(run: Run, data: PhotoSet, split: str, maps: Maps, place: ExplainFolder) -> int:
    """Record the access, sum up, write and show; return how many accesses there are."""
    said = maps.predictions
    accuracy = float(np.mean(said.predicted == said.labels))
    opened = record_access(run.folder, data, split, accuracy, command="explain")
    found = summarise_maps(run, maps, split, _reliance(run, data, said))
    place.path.mkdir(parents=True, exist_ok=True)
    _plot(run, data, maps, METHODS[found.method].title, place)
    write_maps(maps, found, place)
    show_explanation(found)
    console.say(f"written: {place.path}")
    return opened


def _with_asked(run: Run, asked: Selection) -> Run:
    """The run, with the photographs and masks that it is asked on."""
    run = run.with_mask_value(asked.mask_value)
    rule = run.mask_rule(asked.mask_name, asked.mask_category)
    if asked.photos:
        return run.with_photographs(
            photos=asked.photos,
            masks=asked.masks,
            manifest=Manifest(asked.manifest, asked.columns, asked.prefix),
            subject=asked.subject,
            spelling=asked.spelling,
            mask_rule=rule,
        )
    if not asked.masks:
        return run
    source = run.setup.source
    if source.kind != "photos":
        raise UserError(
            f"--masks={asked.masks}: the run's photographs are {source.describe()}, which has its "
            "own masks or none; leave --masks out"
        )
    views = (replace(source.views[0], masks=asked.masks, mask_rule=rule),)
    return replace(run, setup=replace(run.setup, source=replace(source, views=views)))


def find_maps(run: Run, photos: PhotoSet, *, count: int, stage: int) -> Maps:
    """Maps of the classes that the model predicts, where they lie, and where they lead to.

    Args:
        run: run whose best model is explained.
        photos: photographs to explain.
        count: photographs, at most, along which deletion and insertion are followed.
        stage: stage of the maps, from 0, or from the end: -1 is the last.
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
    """Share of each map inside its mask, and of each picture: float64 [n]; nan: not known."""
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
    """Deletion and insertion along the maps of the photographs at ``chosen``, and at random."""
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
    """With masks and photographs changed; nothing where the model does not see both."""
    if run.setup.model.in_channels != 6 or not photos.has_masks:
        return ()
    changed = predict_changed(lambda part: run.predictor(run.params, part), photos, run.setup.seed)
    return tuple(measure_reliance(predictions, changed))


def _plot(run: Run, photos: PhotoSet, maps: Maps, title: str, place: ExplainFolder) -> None:
    """The curves; and examples, as a sheet and as pictures for the report if it may have any."""
    curves_figure(title, maps.by_map, maps.by_chance, place.curves)
    chosen = example_photographs(photos, np.arange(len(photos)), run.setup.seed)
    shown, said, heat = photos.subset(chosen), maps.predictions.subset(chosen), maps.maps[chosen]
    examples_sheet(shown, said, heat, place.sheet)
    remove_gallery(place.examples)
    if run.setup.training.gallery:
        write_gallery(shown, said, heat, run.best["epoch"], len(photos), place.examples)
