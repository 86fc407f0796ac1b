"""The results of one set of predictions, plotted and printed."""

from collections.abc import Mapping

from hairjax.evaluation.analysis import Analysis
from hairjax.evaluation.metrics.classification import Metrics, confusion_matrix, why_undefined
from hairjax.evaluation.metrics.intervals import Interval
from hairjax.evaluation.metrics.selective import COVERAGES, SelectivePrediction, risk_coverage
from hairjax.evaluation.metrics.slices import Slice
from hairjax.evaluation.predictions import Predictions
from hairjax.report.figures.calibration import reliability_figure, risk_coverage_figure
from hairjax.report.figures.classification import confusion_figure
from hairjax.report.figures.contact_sheets import shorten
from hairjax.report.html import UNDEFINED, number, number_range
from hairjax.runs.folder import RunFolder
from hairjax.runs.results import Results
from hairjax.system import console
from hairjax.system.errors import examples
from hairjax.system.wording import counted

RESULTS = ("accuracy", "95 %", "kappa", "log-loss")


def result_cells(results: Results) -> list[str]:
    """A row of a table with the columns ``RESULTS``."""
    numbers = results.metrics
    return [
        number(numbers["accuracy"]),
        number_range(results.intervals["accuracy"]),
        number(numbers["quadratic_kappa"]),
        number(numbers["log_loss"]),
    ]


LETTERS = 24  # of a column's value, on the terminal
_ABSENT = 8  # classes without photographs, at most, that are named
SHOWN = COVERAGES.index(0.8)  # on the terminal


def plot_results(predictions: Predictions, analysis: Analysis, folder: RunFolder) -> None:
    """Plot the confusion matrix, the reliability diagram and the risk–coverage curve."""
    labels, predicted, classes = predictions.labels, predictions.predicted, predictions.classes
    confusion_figure(confusion_matrix(labels, predicted, len(classes)), classes, folder.confusion)
    after = analysis.temperature and analysis.temperature.after
    reliability_figure(analysis.calibration.bins, after.bins if after else (), folder.reliability)
    coverage, risk = risk_coverage(predicted == labels, predictions.probabilities.max(1))
    risk_coverage_figure(coverage, risk, analysis.referral.kept, folder.risk_coverage)


def show_metrics(
    title: str,
    results: Results,
    compared: Mapping[str, Metrics],
) -> None:
    """Show every metric with its interval, beside the baselines'."""
    rows = [
        [
            name.replace("_", " "),
            _four_decimals(results.metrics[name]),
            "no interval" if interval is None else "{:.4f} – {:.4f}".format(*interval),
            *(_four_decimals(baseline.get(name)) for baseline in compared.values()),
        ]
        for name, interval in results.intervals.items()
    ]
    console.table(
        title, ["", "model", "95 % interval", *(name.replace(" ", "\n") for name in compared)], rows
    )
    console.say(f"95 % intervals: {results.interval_note}")
    if undefined := why_undefined(results.metrics):
        console.say(undefined)


def _four_decimals(value: float | None) -> str:
    """A number, or a dash where it is undefined or was not computed."""
    return UNDEFINED if value is None else f"{value:.4f}"


def show_analysis(analysis: Analysis) -> None:
    """One line each for absent classes, calibration and referral, a small table for each column."""
    if absent := [one.name for one in analysis.classes if not one.photographs]:
        console.say(
            f"no photographs of {examples(absent, _ABSENT)}: balanced accuracy is over the other "
            "classes, macro F1 over those that occur or are predicted"
        )
    console.say(_calibration_line(analysis))
    console.say(_selective_line(analysis.referral))
    for column, parts in analysis.slices.tables.items():
        header = [
            shorten(column, LETTERS),
            "n",
            "accuracy",
            "95 % interval",
            "kappa",
            "stage error",
        ]
        console.table("", header, [_slice_row(part) for part in parts])
    if analysis.slices.left_out:
        console.say(f"columns without a table: {'; '.join(analysis.slices.left_out)}")


def _calibration_line(analysis: Analysis) -> str:
    own, temperature = analysis.calibration, analysis.temperature
    line = f"calibration: error {own.error:.3f}"
    if analysis.error_by_chance is not None:
        line += f" (by chance {analysis.error_by_chance:.3f})"
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


def _selective_line(found: SelectivePrediction) -> str:
    everything, some = found.kept[0], found.kept[SHOWN]
    referred = everything.photographs - some.photographs
    return (
        f"referral: accuracy {everything.accuracy:.3f} → {some.accuracy:.3f}{_ends(some.interval)} "
        f"without the {counted(referred, 'photograph')} below a confidence of "
        f"{some.confidence:.2f}; area under risk–coverage {found.area:.3f}"
    )


def _slice_row(part: Slice) -> list[str]:
    """Without the intervals of kappa and stage error, for which a terminal is too narrow."""
    values = [number(found and found[0]) for found in part.metrics.values()]
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
