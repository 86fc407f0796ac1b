"""Calibration of the model, and the effect of temperature scaling."""

from collections.abc import Mapping

from hairjax.evaluation.metrics.calibration import Calibration, Temperature
from hairjax.report.contents import Report, SplitResults
from hairjax.report.html import Html, estimate, figure, html_table, number, number_range, tag

_MEANING = (
    "Calibrated means: of the photographs that the model is 80 % sure of, 80 % are right. The "
    "calibration error is the mean distance between confidence (the likeliest class's probability) "
    "and accuracy, over 15 bins of equal width. Chance alone keeps it above 0; its interval "
    "reaches lower by that, and begins at 0 where right probabilities could have shown as much."
)


def calibration_section(report: Report) -> list[Html]:
    """The reliability diagrams beside each other, then the numbers of every split."""
    return [
        tag("p", _MEANING, class_="muted"),
        tag("div", *map(_picture, report.results), class_="figures"),
        *(part for results in report.results for part in _numbers(results)),
    ]


def _picture(results: SplitResults) -> Html:
    return figure(
        results.reliability_figure,
        f"Reliability diagram of {results.split}: accuracy against confidence; a table below has "
        "its numbers.",
        f"Reliability, {results.split}: accuracy of photographs of similar confidence, with 95 % "
        "intervals. Below the dashed line the model is too sure of itself, above it not sure "
        "enough.",
    )


def _numbers(results: SplitResults) -> list[Html]:
    analysis = results.analysis
    temperature = analysis.temperature
    found = {"model": analysis.calibration}
    if temperature is not None and temperature.after is not None:
        found["with the temperature"] = temperature.after
    rows = [
        ("Calibration error", *(estimate((c.error, c.error_interval)) for c in found.values())),
        ("Log-loss", *(estimate((c.log_loss, c.log_loss_interval)) for c in found.values())),
    ]
    by_chance = ""
    if analysis.error_by_chance is not None:
        by_chance = (
            f"Right probabilities would show a calibration error of about "
            f"{number(analysis.error_by_chance)} on so many photographs. "
        )
    said = _temperature(temperature, analysis.no_temperature)
    return [
        tag("h3", results.split.capitalize()),
        html_table(("", *found), rows),
        tag("p", by_chance, said, class_="muted"),
        _bins(found, results.split),
    ]


def _temperature(temperature: Temperature | None, reason: str) -> str:
    if temperature is None:
        return f"No temperature: {reason}."
    fitted = f"A temperature of {temperature.value:.2f}, by which the logits are divided, "
    if temperature.after is None or temperature.log_loss_change is None:
        return (
            f"{fitted}gives these very photographs the least log-loss; what it is worth shows on "
            "others only, such as the test split."
        )
    change, interval = temperature.log_loss_change
    ends = "" if interval is None else f" (95 % interval {number_range(interval)})"
    return (
        f"{fitted}was fitted on the {temperature.photographs:,} validation photographs; here it "
        f"changes the log-loss by {number(change)}{ends}. No photograph gets another class by it, "
        "and predictions.csv has the model's own probabilities."
    )


def _bins(found: Mapping[str, Calibration], split: str) -> Html:
    rows = [
        (
            f"{100 * one.low:.0f} – {100 * one.high:.0f} %",
            which,
            number(one.confidence),
            estimate((one.accuracy, one.interval)),
            f"{one.photographs:,}",
        )
        for which, calibrated in found.items()
        for one in calibrated.bins
    ]
    header = ("Confidence", "", "mean confidence", "accuracy", "n")
    bins = html_table(header, rows, class_="estimates")
    return tag("details", tag("summary", f"Reliability, bin by bin, {split}"), bins)
