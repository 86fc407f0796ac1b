"""Figures and terminal output of the results on one set of predictions."""

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
from hairjax.report.numbers import UNDEFINED, number, number_range
from hairjax.runs.folder import RunFolder
from hairjax.runs.results import Results
from hairjax.system import console
from hairjax.system.errors import examples
from hairjax.system.wording import counted

RESULTS = ("accuracy", "95 %", "kappa", "log-loss")


def result_cells(results: Results) -> list[str]:
    """Cells of a table row under the header `RESULTS`."""
    numbers = results.metrics
    return [
        number(numbers["accuracy"]),
        number_range(results.intervals["accuracy"]),
        number(numbers["quadratic_kappa"]),
        number(numbers["log_loss"]),
    ]


VALUE_WIDTH = 24  # characters of a subgroup's name on the terminal
_ABSENT = 8  # classes without photographs to list
SHOWN_COVERAGE = COVERAGES.index(0.8)  # on the terminal


def plot_results(predictions: Predictions, analysis: Analysis, folder: RunFolder) -> None:
    """Plot confusion matrix, reliability diagram and risk–coverage curve into the folder."""
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
    """Print every metric with its interval and the baselines."""
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
    """Format with four decimals; None as `UNDEFINED`."""
    return UNDEFINED if value is None else f"{value:.4f}"


def show_analysis(analysis: Analysis) -> None:
    """Print absent classes, calibration, selective prediction, and subgroups per column."""
    if absent := [one.name for one in analysis.classes if not one.photographs]:
        console.say(
            f"no photographs of {examples(absent, _ABSENT)}: balanced accuracy is over the other "
            "classes, macro F1 over those that occur or are predicted"
        )
    console.say(_calibration_line(analysis))
    console.say(_selective_line(analysis.referral))
    for column, slices in analysis.slices.tables.items():
        header = [
            shorten(column, VALUE_WIDTH),
            "n",
            "accuracy",
            "95 % interval",
            "kappa",
            "MAE",
        ]
        console.table("", header, [_slice_row(one) for one in slices])
    if analysis.slices.left_out:
        console.say(f"columns without a table: {'; '.join(analysis.slices.left_out)}")


def _calibration_line(analysis: Analysis) -> str:
    own, temperature = analysis.calibration, analysis.temperature
    line = f"calibration: error {own.error:.3f}"
    if analysis.error_by_chance is not None:
        line += f" (about {analysis.error_by_chance:.3f} if calibrated)"
    if temperature is None:
        return f"{line}; no temperature: {analysis.no_temperature}"
    line += f"; temperature {temperature.value:.2f}"
    after = temperature.after
    if after is None:
        return f"{line}, fitted on these photographs: evaluate it on others"
    return (
        f"{line} from {temperature.photographs:,} validation photographs: error {after.error:.3f}, "
        f"log-loss {own.log_loss:.3f} → {after.log_loss:.3f}"
    )


def _selective_line(found: SelectivePrediction) -> str:
    everything, some = found.kept[0], found.kept[SHOWN_COVERAGE]
    referred = everything.photographs - some.photographs
    return (
        f"selective prediction: accuracy {everything.accuracy:.3f} → {some.accuracy:.3f}"
        f"{_ends(some.interval)} with {counted(referred, 'photograph')} referred, below "
        f"confidence {some.confidence:.2f}; AURC {found.area:.3f}"
    )


def _slice_row(found: Slice) -> list[str]:
    """Cells of a subgroup; only accuracy has its interval, for want of width."""
    values = [number(one and one[0]) for one in found.metrics.values()]
    accuracy = found.metrics["accuracy"]
    interval = accuracy and accuracy[1]
    values.insert(1, f"{interval[0]:.3f} – {interval[1]:.3f}" if interval else "–")
    return [
        shorten(found.value, VALUE_WIDTH),
        f"{found.photographs:,}{' (few)' if found.few else ''}",
        *values,
    ]


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f" ({interval[0]:.3f} – {interval[1]:.3f})"
