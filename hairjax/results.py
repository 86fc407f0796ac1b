"""The numbers of one set of predictions: written, drawn, and shown with their uncertainty."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image

from hairjax.data.photoset import PhotoSet
from hairjax.data.thumbnails import thumbnails
from hairjax.display import Display
from hairjax.evaluation import baselines
from hairjax.evaluation.analysis import Analysis
from hairjax.evaluation.intervals import FEW, Interval
from hairjax.evaluation.metrics import confusion_matrix, evaluate
from hairjax.evaluation.predictions import Predictions, write_predictions
from hairjax.evaluation.referral import COVERAGES, Referral, risk_coverage
from hairjax.evaluation.sample import Sample
from hairjax.evaluation.slices import Slice
from hairjax.report.calibration_figures import reliability_figure, risk_coverage_figure
from hairjax.report.figures import confusion_figure
from hairjax.report.show_figures import shorten
from hairjax.run import RunFolder

DRAWS = 2000  # of the bootstrap
LETTERS = 24  # of a column's value, on the terminal
SHOWN = COVERAGES.index(0.8)  # on the terminal


@dataclass(frozen=True, eq=False)
class Results:
    """Metrics of predictions, their 95 % intervals, and the confusion matrix (rows: true).

    ``sample``: the photographs judged and their resampled sets, for what else is told of them.
    """

    metrics: dict[str, float]
    intervals: dict[str, Interval]
    interval_note: str
    confusion: np.ndarray
    sample: Sample


def measure(predictions: Predictions, seed: int) -> Results:
    """All metrics of predictions; the seed is the bootstrap's."""
    labels, probabilities = predictions.labels, predictions.probabilities
    metrics, sample = evaluate(labels, probabilities), Sample.draw(predictions, DRAWS, seed)
    return Results(
        metrics=metrics,
        intervals={
            name: interval or (metrics[name], metrics[name])
            for name, interval in sample.intervals().items()
        },
        interval_note=_interval_note(sample, predictions.subjects),
        confusion=confusion_matrix(labels, predictions.predicted, len(predictions.classes)),
        sample=sample,
    )


def _interval_note(sample: Sample, subjects: Sequence[str]) -> str:
    """How the intervals were made, to be said in brackets or after a colon."""
    known, alone = len({*subjects} - {""}), subjects.count("")
    if sample.units == 1:
        return "none: photographs of a single subject say nothing of others"
    drawn = f"{DRAWS:,} draws"
    if sample.independent:
        why = "each photograph is of another subject" if known else "subjects are not known"
        note = (
            f"Wilson's for shares of photographs, else bootstrap over photographs, {drawn}; {why}"
        )
    else:
        others = f" and {alone:,} photographs of nobody known" if alone else ""
        note = (
            f"bootstrap over {known:,} subjects{others}, {drawn}; where all or none of a share are "
            "right, Wilson's over subjects"
        )
        if sample.units < FEW:
            note += "; of so few subjects too narrow"
    if sample.right.all():
        note += "; without a mistake the bootstrap has nothing to vary: its intervals have no width"
    return note


def compare_baselines(
    photos: PhotoSet, train: np.ndarray, other: np.ndarray
) -> dict[str, dict[str, float]]:
    """What needs no training: always the commonest class, and the most similar photograph.

    Args:
        photos: all of them.
        train: which of them train, int [m].
        other: which are to be judged, int [n].
    """
    labels, classes = photos.labels, len(photos.classes)
    # Not the photographs themselves: a second copy of all might not fit into memory.
    small = thumbnails(photos.images, baselines.THUMBNAIL, Image.Resampling.BOX)
    return {
        "majority class": baselines.majority(labels[train], labels[other], classes),
        "nearest neighbour": baselines.nearest_neighbour(
            small[train], labels[train], small[other], labels[other], classes
        ),
    }


def write_results(
    folder: RunFolder,
    epoch: int | list[int],
    predictions: Predictions,
    results: Results,
    analysis: Analysis,
    compared: Mapping[str, Mapping[str, float]],
) -> None:
    """Write what the report is made of: ``predictions.csv``, ``baselines.json``, ``metrics.json``.

    Args:
        folder: of the photographs judged: the run's for validation, else one for each set.
        epoch: whose model judged them.
        predictions: what it said of each.
        results: their metrics.
        analysis: what else is told of them.
        compared: the metrics of each baseline.
    """
    write_predictions(predictions, folder.predictions)
    folder.write_json(folder.baselines, compared)
    # Last, for it says that the others are there.
    folder.write_json(
        folder.metrics,
        {
            "epoch": epoch,
            **results.metrics,
            "intervals": results.intervals,
            "interval_note": results.interval_note,
            **asdict(analysis),
        },
    )


def draw_results(predictions: Predictions, analysis: Analysis, folder: RunFolder) -> None:
    """Draw the confusion matrix, the reliability diagram and the risk–coverage curve."""
    labels, predicted, classes = predictions.labels, predictions.predicted, predictions.classes
    confusion_figure(confusion_matrix(labels, predicted, len(classes)), classes, folder.confusion)
    after = analysis.temperature and analysis.temperature.after
    reliability_figure(analysis.calibration.bins, after.bins if after else (), folder.reliability)
    coverage, risk = risk_coverage(predicted == labels, predictions.probabilities.max(1))
    risk_coverage_figure(coverage, risk, analysis.referral.kept, folder.risk_coverage)


def show_results(
    title: str,
    results: Results,
    compared: Mapping[str, Mapping[str, float]],
    display: Display,
) -> None:
    """Show every metric with its interval, beside the baselines'."""
    rows = [
        [
            name.replace("_", " "),
            f"{results.metrics[name]:.4f}",
            f"{low:.4f} – {high:.4f}",
            *(f"{b[name]:.4f}" if name in b else "–" for b in compared.values()),
        ]
        for name, (low, high) in results.intervals.items()
    ]
    display.table(
        title, ["", "model", "95 % interval", *(name.replace(" ", "\n") for name in compared)], rows
    )
    display.say(f"95 % intervals: {results.interval_note}")


def show_analysis(analysis: Analysis, display: Display) -> None:
    """One line each for calibration and referral, and a small table for each column."""
    display.say(_calibration_line(analysis))
    display.say(_referral_line(analysis.referral))
    for column, parts in analysis.slices.tables.items():
        header = [
            shorten(column, LETTERS),
            "n",
            "accuracy",
            "95 % interval",
            "kappa",
            "stage error",
        ]
        display.table("", header, [_slice_row(part) for part in parts])
    if analysis.slices.left_out:
        display.say(f"columns without a table: {'; '.join(analysis.slices.left_out)}")


def _calibration_line(analysis: Analysis) -> str:
    own, temperature = analysis.calibration, analysis.temperature
    line = f"calibration: error {own.error:.3f} (by chance {analysis.error_by_chance:.3f})"
    if temperature is None:
        return f"{line}; no temperature: {analysis.no_temperature}"
    line += f"; temperature {temperature.value:.2f}"
    after = temperature.after
    if after is None:
        return f"{line}, fitted on these photographs: what it is worth shows on others"
    return (
        f"{line} from {temperature.photographs:,} validation photographs: error {after.error:.3f}, "
        f"log-loss {own.log_loss:.3f} → {after.log_loss:.3f}"
    )


def _referral_line(found: Referral) -> str:
    everything, some = found.kept[0], found.kept[SHOWN]
    referred = everything.photographs - some.photographs
    return (
        f"referral: accuracy {everything.accuracy:.3f} → {some.accuracy:.3f}{_ends(some.interval)} "
        f"without the {referred:,} photographs below a confidence of {some.confidence:.2f}; area "
        f"under risk–coverage {found.area:.3f}"
    )


def _slice_row(part: Slice) -> list[str]:
    """Without the intervals of kappa and stage error, for which a terminal is too narrow."""
    values = ["–" if found is None else f"{found[0]:.3f}" for found in part.metrics.values()]
    accuracy = part.metrics["accuracy"]
    interval = accuracy and accuracy[1]
    values.insert(1, f"{interval[0]:.3f} – {interval[1]:.3f}" if interval else "–")
    return [
        shorten(part.value, LETTERS),
        f"{part.photographs:,}{' (few)' if part.few else ''}",
        *values,
    ]


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f" ({interval[0]:.3f} – {interval[1]:.3f})"
