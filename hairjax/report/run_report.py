"""Report of a run, from the files in its directory alone."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hairjax.builders.model import abstract_model
from hairjax.builders.setup import Setup, resolve
from hairjax.config.load import to_plain
from hairjax.data.split import SPLITS, read_rows
from hairjax.evaluation.analysis import read_analysis
from hairjax.evaluation.metrics.classification import confusion_matrix
from hairjax.evaluation.predictions import read_predictions
from hairjax.optim.groups import make_groups
from hairjax.optim.lora import with_pairs
from hairjax.optim.parameter_table import (
    ParameterRow,
    make_parameter_table,
    read_groups_csv,
)
from hairjax.report.contents import METRICS, Report, SplitResults
from hairjax.report.figures.classification import learning_curves
from hairjax.report.figures.fonts import without_glyphs
from hairjax.report.page import write_report
from hairjax.report.show_results import plot_results
from hairjax.runs.access import read_access
from hairjax.runs.ancestry import read_ancestry
from hairjax.runs.derived import source_runs
from hairjax.runs.environment import from_line
from hairjax.runs.folder import RunFolder
from hairjax.runs.overlap import find_overlap
from hairjax.system import console
from hairjax.system.errors import UserError
from hairjax.system.paths import require_run
from hairjax.system.program import command_line

# Files of a finished run.
_NEEDED = (
    "classes",
    "groups_text",
    "split",
    "history",
    "timing",
    "environment",
    "metrics",
    "baselines",
)


def report_run(folder: RunFolder) -> None:
    """Write ``report.html`` and its figures; the same files give the same bytes.

    Raises:
        UserError: the folder is no run, or the run has not finished.
    """
    _require_finished(folder)
    report = _read_report(folder)
    learning_curves(report.history, report.best_epoch, report.curves_figure)
    for evaluated in report.results:
        plot_results(evaluated.predictions, evaluated.analysis, _places(folder)[evaluated.split])
    write_report(report, folder.report)


def _places(folder: RunFolder) -> dict[str, RunFolder]:
    """Folder of the results of each split; validation results are in the run directory itself."""
    return {"validation": folder, "test": RunFolder(folder.path / "test")}


def _read_report(folder: RunFolder) -> Report:
    config, classes = folder.read_config(), folder.read_classes()
    setup = resolve(config)
    best_epoch, rows = folder.read_epoch(), read_rows(folder.split)
    ancestry = read_ancestry(folder)
    subjects = {name: {r["subject"] for r in rows if r["split"] == name} for name in SPLITS}
    evaluated = {name: place for name, place in _places(folder).items() if place.metrics.is_file()}
    current = {name: place for name, place in evaluated.items() if _is_current(place, best_epoch)}
    return Report(
        folder=folder.path,
        title=f"{folder.path.resolve().name}: {setup.model.title}",
        source=setup.source.describe(),
        synthetic=setup.source.synthetic,
        model=setup.model.title,
        method=setup.model.map_method,
        input_spec=setup.inputs,
        starts=[from_line(line) for line in folder.read_lines(folder.environment)],
        classes=classes,
        missing_glyphs=without_glyphs(classes),
        counts=_count(rows, classes),
        subjects={name: len(found - {""}) for name, found in subjects.items()},
        without_subject=sum(not row["subject"] for row in rows),
        conflicting=_count_conflicting(rows),
        ancestry=ancestry,
        overlap=find_overlap(ancestry, rows, setup.source) if ancestry else None,
        best_epoch=best_epoch,
        best_by=setup.training.best_by,
        results=[
            _split_results(name, place, classes, {r["file"]: r["subject"] for r in rows})
            for name, place in current.items()
        ],
        outdated=[name for name in evaluated if name not in current],
        accesses=read_access(folder.test_access),
        history=folder.read_lines(folder.history),
        timing=folder.read_lines(folder.timing),
        parameter_table=_parameter_table(folder, setup, len(classes)),
        config=to_plain(config),
        split_source=folder.read_division(),
        curves_figure=folder.curves,
        moved=folder.original_places(),
    )


def _parameter_table(folder: RunFolder, setup: Setup, num_classes: int) -> list[ParameterRow]:
    """Parameter table of the run; recomputed for runs of earlier versions."""
    if folder.groups_csv.is_file():
        return read_groups_csv(folder.groups_csv)
    _, shapes = abstract_model(setup.model, num_classes)
    groups = make_groups(setup.optim, len(shapes["stages"]), setup.training.epochs)
    paired = with_pairs(shapes, groups, setup.optim.lora, setup.seed)
    return make_parameter_table(paired, groups, setup.optim)


def _count(rows: Sequence[Mapping[str, str]], classes: Sequence[str]) -> dict[str, list[int]]:
    """Number of photographs of every class, by split."""
    counts = Counter((row["split"], row["label"]) for row in rows)
    return {split: [counts[split, label] for label in classes] for split in SPLITS}


def _count_conflicting(rows: Sequence[Mapping[str, str]]) -> int:
    """Number of photographs identical to one of another class."""
    labels = defaultdict(set)
    for row in rows:
        labels[row["sha256"]].add(row["label"])
    return sum(len(labels[row["sha256"]]) > 1 for row in rows)


def is_finished(folder: RunFolder) -> bool:
    """True if the run has finished and can be reported."""
    return not list(_missing(folder))


def _require_finished(folder: RunFolder) -> None:
    require_run(folder.path)
    if "made" in (config := folder.read_config()):
        raise UserError(
            f"{folder.path} was made by {config.made.by} from finished runs, and only a training "
            f"has a report; compare it with them: {', '.join(map(str, source_runs(folder)))}"
        )
    if missing := ", ".join(path.name for path in _missing(folder)):
        flags = [f"--config={folder.config}", f"--workdir={folder.path}"]
        raise UserError(
            f"the run at {folder.path} has not finished, or an earlier version trained it (no "
            f"{missing}); resume it with {command_line(*flags)}"
        )


def _missing(folder: RunFolder) -> Iterator[Path]:
    return (path for name in _NEEDED if not (path := getattr(folder, name)).is_file())


def _split_results(
    split: str, place: RunFolder, classes: tuple[str, ...], subjects: Mapping[str, str]
) -> SplitResults:
    """Read results written by `runs.results.write_results`."""
    predictions = read_predictions(place.predictions, classes, subjects)
    metrics = json.loads(place.metrics.read_text())
    return SplitResults(
        split=split,
        predictions=predictions,
        metrics={name: metrics[name] for name in METRICS},
        intervals=metrics["intervals"],
        interval_note=metrics["interval_note"],
        baselines=json.loads(place.baselines.read_text()),
        confusion=confusion_matrix(predictions.labels, predictions.predicted, len(classes)),
        analysis=read_analysis(metrics),
        confusion_figure=place.confusion,
        reliability_figure=place.reliability,
        risk_coverage_figure=place.risk_coverage,
    )


def _is_current(place: RunFolder, best_epoch: int) -> bool:
    """True if results are of the best epoch, and not of a version without baselines."""
    return place.read_epoch() == best_epoch and place.baselines.is_file()


def rewrite_report(folder: RunFolder) -> None:
    """Update the report of a finished run and print its path; do nothing for an unfinished one."""
    if is_finished(folder):
        report_run(folder)
        console.say(f"report: {folder.report}")
