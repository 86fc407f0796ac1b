"""Ensembles of finished runs: weighted mean of probabilities, by image or by subject."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict
from numpy.typing import NDArray

from hairjax.builders.setup import resolve
from hairjax.data.split import read_rows
from hairjax.evaluation.mixture import fit_mixture_weights
from hairjax.report.show_results import RESULTS, result_cells
from hairjax.runs.aligned import (
    PHOTOGRAPH,
    SUBJECT,
    AlignedPredictions,
    align_predictions,
    conflicting_subjects,
    photograph_rows,
    subject_rows,
)
from hairjax.runs.folder import RunFolder
from hairjax.runs.results import measure
from hairjax.studies.derived import (
    begin_derived,
    derived_config,
    record_test_access,
    require_no_leakage_of_runs,
    write_evaluation,
)
from hairjax.studies.folds import fold_path, holds_folds, read_folds, write_folds
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.wording import counted

FITTED, MEAN = "fitted", "mean"


def ensemble_runs(workdirs: Sequence[str], *, weights: str, by: str, split: str, out: Path) -> None:
    """Ensemble finished runs from their predictions; write a run folder and print.

    Args:
        workdirs: runs evaluated on the same images (``by="subject"``: on the same split of
            subjects); several folders of folds of one division; or a single folder of folds, an
            ensemble for new images.
        weights: ``fitted`` on the validation images, ``mean``, numbers such as ``0.6,0.4``, or ""
            for ``fitted`` (a single folder of folds: ``mean``).
        by: ``photograph`` or ``subject``.
        split: ``validation``, or ``test`` to evaluate on test images too, a test-set access.
        out: output folder.

    Raises:
        UserError: predictions are missing or incompatible, the weights are invalid, or the folder
            is not empty.
    """
    places = [Path(workdir) for workdir in workdirs]
    divided = [holds_folds(place) for place in places]
    if by == PHOTOGRAPH and any(divided):
        if not all(divided):
            raise UserError("folders of folds and runs cannot be mixed; give one kind only")
        if len(places) == 1:
            _join_folds(places[0], weights, split, out)
        else:
            _ensemble_folds(places, weights, split, out)
        return
    _ensemble(places, weights or FITTED, by, split, out)


def _ensemble(places: Sequence[Path], requested: str, unit: str, split: str, out: Path) -> None:
    aligned = align_predictions(places, "validation", unit)
    found = _weights(aligned, requested)
    chosen = found[requested]
    base = _base([run.config for run in aligned.runs])
    how = {"unit": unit, "weights": tuple(chosen.tolist())}
    config, folder = derived_config(base, "ensemble", places, out, **how), RunFolder(out)
    setup = resolve(config)
    rows = (subject_rows if unit == SUBJECT else photograph_rows)(aligned.runs)
    require_no_leakage_of_runs([run.folder for run in aligned.runs], rows)
    begin_derived(folder, config, aligned.reference.classes, rows)
    validation = aligned.mixed(chosen)
    write_evaluation(folder, aligned.epochs, validation, setup, validation)
    _show("validation", aligned, found, requested, unit)
    console.say("best epochs and fitted weights were selected on these: --split=test is unbiased")
    if split == "test":
        aligned = align_predictions(places, "test", unit)
        mixed, accessed = aligned.mixed(chosen), [folder, *(run.folder for run in aligned.runs)]
        accuracy = float((mixed.predicted == mixed.labels).mean())
        record_test_access(accessed, len(mixed.files), accuracy)
        write_evaluation(RunFolder(out / "test"), aligned.epochs, mixed, setup, validation)
        _show("test", aligned, {requested: chosen}, requested, unit)
    console.say(f"written: {out}")


def _base(configs: Sequence[ConfigDict]) -> ConfigDict:
    """Base configuration of an ensemble: the first with mask input, if any."""
    return next((one for one in configs if resolve(one).inputs.masks), configs[0])


def _weights(aligned: AlignedPredictions, requested: str) -> dict[str, NDArray[np.float64]]:
    count = len(aligned.runs)
    found = {MEAN: np.full(count, 1 / count)}
    if aligned.present.all(0).any():
        found[FITTED] = fit_mixture_weights(
            aligned.reference.labels, aligned.probabilities, aligned.present
        )
    elif requested == FITTED:
        raise UserError(
            f"weights cannot be fitted: no {SUBJECT} of the validation photographs has all "
            f"{count} views; give --weights=mean or numbers"
        )
    return found if requested in found else found | {requested: _read_weights(requested, count)}


def _read_weights(text: str, count: int) -> NDArray[np.float64]:
    """Parse comma-separated numbers of any scale."""
    try:
        weights = np.array([float(part) for part in text.split(",")])
    except ValueError:
        weights = np.empty(0)
    usable = len(weights) == count and np.isfinite(weights).all() and (weights >= 0).all()
    if not usable or not weights.any():
        raise UserError(
            f"--weights is {text!r}; it can be {FITTED}, {MEAN} or {count} non-negative numbers, "
            f"one per run: {','.join(['0.6', *['0.4'] * (count - 1)])}"
        )
    return weights / weights.sum()


def _show(
    split: str,
    aligned: AlignedPredictions,
    found: dict[str, NDArray[np.float64]],
    requested: str,
    unit: str,
) -> None:
    rows = []
    for place, run in enumerate(aligned.runs):
        console.say(f"{place + 1}: {run.path}")
        own = aligned.of_run(place)
        if own.files:
            cells = result_cells(measure(own))
            rows.append([str(place + 1), f"{len(own.files):,}", *cells])
    for name, weights in found.items():
        cells = result_cells(measure(aligned.mixed(weights)))
        chosen = " (taken)" if name == requested else ""
        rows.append([f"{name}{chosen}", f"{len(aligned.reference.files):,}", *cells])
    console.table(split, ["", f"{unit}s", *RESULTS], rows)
    for name, weights in found.items():
        console.say(f"{name}: weights {', '.join(f'{w:.4g}' for w in weights)}")
    if unit != SUBJECT:
        return
    if conflicting := conflicting_subjects(aligned.runs).intersection(aligned.reference.files):
        console.say(
            f"the photographs of {counted(len(conflicting), 'subject')} have different labels: the "
            "upper median is used"
        )
    if lacking := int((~aligned.present.all(0)).sum()):
        console.say(
            f"{lacking:,} of {len(aligned.reference.files):,} subjects "
            f"{'lacks a view and is' if lacking == 1 else 'lack a view and are'} predicted from "
            "the others; weights are fitted on subjects with all views"
        )


def _ensemble_folds(places: Sequence[Path], requested: str, split: str, out: Path) -> None:
    """Ensemble each fold, with weights fitted on its validation images."""
    for fold in range(len(read_folds(places[0], "validation").runs)):
        own = [fold_path(place, fold) for place in places]
        _ensemble(own, requested or FITTED, PHOTOGRAPH, split, fold_path(out, fold))
    if split == "test":
        write_folds(read_folds(out, "test"), out)


def _join_folds(place: Path, requested: str, split: str, out: Path) -> None:
    if requested not in ("", MEAN) or split != "validation":
        raise UserError(
            f"every photograph of {place} has trained some of its models, so it can neither fit "
            "weights nor evaluate the ensemble: leave out --weights and --split; give several "
            "folders of folds for an ensemble in each fold"
        )
    runs, folder = read_folds(place, "validation").runs, RunFolder(out)
    equal = tuple([1 / len(runs)] * len(runs))
    how = {"unit": PHOTOGRAPH, "weights": equal}
    config = derived_config(runs[0].config, "ensemble", [run.path for run in runs], out, **how)
    rows = [row | {"split": "train"} for row in read_rows(runs[0].folder.split)]
    begin_derived(folder, config, runs[0].predictions.classes, rows)
    console.say(
        f"written: {out}, {len(runs)} models for new photographs (predict, evaluate --photos); "
        f"{place} has the cross-validated metrics of each"
    )
