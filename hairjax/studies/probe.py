"""Probing: classifiers on the frozen features of a model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from ml_collections import ConfigDict
from numpy.typing import NDArray

from hairjax.builders.data_set import load_data, split_photos
from hairjax.builders.model import abstract_model, find_model_weights, pretrained_model
from hairjax.builders.setup import Setup, resolve
from hairjax.data.division import divide
from hairjax.data.inputs import model_inputs
from hairjax.data.photoset import PhotoSet
from hairjax.data.quality.conflicts import require_one_label
from hairjax.data.quality.copies import require_no_copies
from hairjax.data.split import split_rows
from hairjax.evaluation.inference import make_outputs
from hairjax.evaluation.predictions import Predictions
from hairjax.evaluation.probes import (
    SCORES,
    Fold,
    SelectedClassifier,
    classifier_grids,
    select_classifier,
)
from hairjax.parallel.compilation import keep_compiled
from hairjax.parallel.mesh import make_mesh
from hairjax.report.show_results import RESULTS, result_cells
from hairjax.runs.derived import has_parameters
from hairjax.runs.folder import RunFolder
from hairjax.runs.load import load_run
from hairjax.runs.overlap import require_no_leakage_of_weights
from hairjax.runs.photographs import read_run_photographs
from hairjax.runs.results import Results
from hairjax.studies.derived import (
    begin_derived,
    derived_config,
    record_test_access,
    require_no_leakage_of_runs,
    write_evaluation,
)
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.files import write_csv
from hairjax.system.wording import counted

_FOLDS = 5  # cross-validation folds of the training images, for model selection


@dataclass(frozen=True, eq=False)
class ProbeData:
    """Features and labels for fitting and evaluating classifiers."""

    config: ConfigDict  # configuration of the run, or of pretrained weights
    setup: Setup  # resolved configuration
    runs: tuple[RunFolder, ...]  # the run, or empty
    epoch: Any  # epoch of the model; 0 for pretrained weights
    photos: PhotoSet  # all images
    split: NDArray[np.str_]  # str [n]
    features: NDArray[np.float32]  # float32 [n, d]; nan for test images unless evaluated

    def rows(self, part: str) -> NDArray[np.int64]:
        """Indices of the images of a split."""
        return np.flatnonzero(self.split == part)

    def predict(self, chosen: SelectedClassifier, part: str) -> Predictions:
        """Predictions of a classifier for a split."""
        rows = self.rows(part)
        return Predictions(
            files=tuple(self.photos.files[i] for i in rows),
            labels=self.photos.labels[rows],
            probabilities=chosen.classify(self.features[rows]),
            subjects=tuple(self.photos.subjects[i] for i in rows),
            classes=self.photos.classes,
        )


def probe_run(workdir: str, *, split: str, out: Path) -> list[SelectedClassifier]:
    """Fit classifiers on the features of a run's best model; see `_probe`.

    Raises:
        UserError: there is no such run, its images are missing, or too few subjects train.
    """
    run = load_run(workdir)
    if not has_parameters(run.config):
        raise UserError(f"{workdir} is an ensemble; its models have no common features")
    setup = run.setup
    keep_compiled(setup.devices.compiled)
    console.say(f"source: {setup.source.describe()}")
    console.say(run.describe())
    photos, parts = read_run_photographs(setup, run.folder, run.classes)
    require_no_leakage_of_runs([run.folder], split_rows(photos, parts))
    graphdef, _ = abstract_model(setup.model, len(run.classes))
    chosen = _wanted(parts, split)
    features = _features(setup, graphdef, run.params, photos, chosen)
    epoch = run.best["epoch"]
    return _probe(
        ProbeData(run.config, setup, (run.folder,), epoch, photos, parts, features), split, out
    )


def probe_configuration(config: ConfigDict, *, split: str, out: Path) -> list[SelectedClassifier]:
    """Fit classifiers on the features of pretrained weights, without training; see `_probe`.

    Raises:
        UserError: the configuration is unusable, or too few subjects train.
    """
    setup = resolve(config)
    keep_compiled(setup.devices.compiled)
    console.say(f"source: {setup.source.describe()}")
    weights = find_model_weights(setup.model)
    photos = load_data(setup.source, setup.prepare, None)
    parts, _ = split_photos(photos, setup.source, setup.split, None)
    require_one_label(photos, setup.source)
    require_no_copies(photos, parts, setup.source, setup.split, setup.prepare.hair)
    require_no_leakage_of_weights(setup.model, weights, photos, parts, setup.source, setup.split)
    graphdef, params = pretrained_model(setup.model, len(photos.classes), weights)
    features = _features(setup, graphdef, params, photos, _wanted(parts, split))
    return _probe(ProbeData(config, setup, (), 0, photos, parts, features), split, out)


def _wanted(parts: NDArray[np.str_], split: str) -> NDArray[np.int64]:
    return np.flatnonzero((parts != "test") | (split == "test"))


def _features(
    setup: Setup, graphdef: nnx.GraphDef, params: dict, photos: PhotoSet, chosen: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Inputs of the head's classifier, float32 [n, d]; nan for other images."""
    count = setup.devices.mesh * setup.devices.shard
    mesh = make_mesh(min(count, jax.device_count()), 1)

    def embed(model: Any, images: jax.Array) -> jax.Array:
        return model.embed(model_inputs(images, None, None, setup.inputs))

    run = make_outputs(graphdef, mesh, embed, setup.training.batch_size)
    found = run(params, photos.subset(chosen))
    features = np.full((len(photos), found.shape[1]), np.nan, np.float32)
    features[chosen] = found
    return features


def _probe(data: ProbeData, split: str, out: Path) -> list[SelectedClassifier]:
    """Select, fit, evaluate, write and print classifiers, the best in cross-validation first.

    Hyperparameters, and the classifier of the folder's own predictions, are selected by
    cross-validation on the training images. Each kind has a subfolder. With `split` "test", the
    selected kind is evaluated on test images too, a test-set access.
    """
    found, best_by = _choose(data)
    _write(data, found[0], out)
    results = [_write(data, one, out / one.name) for one in found]
    _write_table(out / "classifiers.csv", found, results, best_by)
    _show(found, results, best_by, len(data.rows("train")))
    if split == "test":
        _evaluate_test(data, found[0], out)
    console.say(f"written: {out}, with a folder for each kind")
    return found


def _choose(data: ProbeData) -> tuple[list[SelectedClassifier], str]:
    """Select a classifier of every kind, the best first; with the metric."""
    best_by = data.setup.training.best_by
    if best_by not in SCORES:
        console.say(
            f"config.keep.best_by={best_by} needs probabilities, which an SVM has only after "
            "selection: classifiers are selected by accuracy"
        )
        best_by = "accuracy"
    train = data.rows("train")
    folds = _grouped_folds(data, train)
    names = list(classifier_grids(1, 1))
    found = []
    with console.progress("classifiers chosen") as progress:
        for done, name in enumerate(names, 1):
            labels = data.photos.labels[train]
            found.append(select_classifier(name, data.features[train], labels, folds, best_by))
            progress(done, len(names))
    return sorted(found, key=lambda one: -one.score), best_by


def _grouped_folds(data: ProbeData, train: NDArray[np.int64]) -> list[Fold]:
    """Cross-validation folds of the training images, grouped by subject."""
    # Without pixels, which `subset` would copy.
    bare = replace(data.photos, images=np.empty((len(data.photos), 0), np.uint8))
    photos = bare.subset(train)
    part = divide(photos, np.full(_FOLDS, 1 / _FOLDS), data.setup.seed, needed=_FOLDS)
    for label, name in enumerate(photos.classes):
        if len(set(part[photos.labels == label])) < 2:
            raise UserError(
                f"the training photographs of {name!r} are of one subject: cross-validation needs "
                "at least two in each class"
            )
    return [(np.flatnonzero(part != i), np.flatnonzero(part == i)) for i in sorted(set(part))]


def _write(data: ProbeData, chosen: SelectedClassifier, out: Path) -> Results:
    how = {"classifier": chosen.name, "parameters": _format(chosen.parameters)}
    paths = [folder.path for folder in data.runs]
    config = derived_config(data.config, "probe", paths, out, **how)
    rows = split_rows(data.photos, data.split)
    begin_derived(RunFolder(out), config, data.photos.classes, rows)
    predictions = data.predict(chosen, "validation")
    return write_evaluation(RunFolder(out), data.epoch, predictions, resolve(config), predictions)


def _evaluate_test(data: ProbeData, chosen: SelectedClassifier, out: Path) -> None:
    predictions = data.predict(chosen, "test")
    if not predictions.files:
        raise UserError("there are no test photographs (config.data.fractions); leave out --split")
    folder = RunFolder(out)
    accuracy = float((predictions.predicted == predictions.labels).mean())
    record_test_access([folder, *data.runs], len(predictions.files), accuracy)
    results = write_evaluation(
        RunFolder(out / "test"),
        data.epoch,
        predictions,
        resolve(folder.read_config()),
        data.predict(chosen, "validation"),
    )
    console.table("test", ["", *RESULTS], [[chosen.name, *result_cells(results)]])


def _format(parameters: dict[str, Any]) -> str:
    values = parameters.items()
    return ", ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in values)


def _write_table(
    path: Path, found: Sequence[SelectedClassifier], results: Sequence[Results], best_by: str
) -> None:
    names = list(results[0].metrics)
    header = ["classifier", "parameters", f"cross_validated_{best_by}", "sd"]
    header += [cell for name in names for cell in (name, f"{name}_low", f"{name}_high")]
    rows = []
    for one, own in zip(found, results, strict=True):
        cells = [cell for n in names for cell in (own.metrics[n], *(own.intervals[n] or ("", "")))]
        rows.append([one.name, _format(one.parameters), one.score, one.spread, *cells])
    write_csv(path, header, rows)


def _show(
    found: Sequence[SelectedClassifier],
    results: Sequence[Results],
    best_by: str,
    photographs: int,
) -> None:
    rows = [
        [one.name, f"{one.score:.3f} ± {one.spread:.3f}", _format(one.parameters)] for one in found
    ]
    title = f"{best_by} in {_FOLDS}-fold cross-validation, {photographs:,} training photographs"
    console.table(title, ["", "mean ± sd", "chosen"], rows)
    console.say("for selection only: the features of a run were trained on these photographs")
    rows = [[c.name, *result_cells(r)] for c, r in zip(found, results, strict=True)]
    count = len(results[0].sample)
    console.table(f"validation, {counted(count, 'photograph')}", ["", *RESULTS], rows)
    console.say(f"95 % intervals: {results[0].interval_note}")
    console.say(f"selected: {found[0].name}, the best in cross-validation")
