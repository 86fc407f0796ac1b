"""Sections of a report: classes, calibration, referral to a person, parts of the photographs."""

from dataclasses import dataclass
from pathlib import Path

from hairjax.evaluation.analysis import Analysis
from hairjax.evaluation.calibration import Calibration, Temperature
from hairjax.evaluation.intervals import Interval
from hairjax.evaluation.slices import FEW, METRICS, Slice, Slices
from hairjax.report.html import Html, figure, number, number_range, table, tag

COLUMNS = {
    "accuracy": "accuracy",
    "quadratic_kappa": "quadratic kappa",
    "mean_absolute_error": "mean stage error",
}


@dataclass(frozen=True, eq=False)
class AnalysisSection:
    """The analysis of the photographs judged, and its pictures (PNG)."""

    analysis: Analysis
    reliability_figure: Path
    risk_coverage_figure: Path


def analysis_sections(section: AnalysisSection) -> Html:
    """Calibration, referral, and a table for each other column of the manifest, if any."""
    slices = section.analysis.slices
    parts = [_calibration(section), "\n", _referral(section)]
    if slices.tables or slices.left_out:
        parts += ["\n", _slices(slices)]
    return Html("".join(parts))


def class_table(section: AnalysisSection) -> Html:
    """Precision, recall and F1 of every class with their intervals."""
    rows = [
        (one.name, _cell(one.precision), _cell(one.recall), _cell(one.f1), f"{one.photographs:,}")
        for one in section.analysis.classes
    ]
    return table(("Class", "precision", "recall", "F1", "n"), rows)


def _cell(found: tuple[float, Interval | None] | None) -> Html:
    """A number above its interval, where it has them."""
    if found is None:
        return tag("span", "–")
    value, interval = found
    ends = "no interval" if interval is None else number_range(interval)
    return tag("span", number(value), tag("small", ends))


def _calibration(section: AnalysisSection) -> Html:
    analysis = section.analysis
    temperature = analysis.temperature
    judged = {"the model's own": analysis.calibration}
    if temperature is not None and temperature.after is not None:
        judged["with the temperature"] = temperature.after
    rows = [
        ("Calibration error (ECE)", *(_cell((c.error, c.error_interval)) for c in judged.values())),
        ("Log-loss", *(_cell((c.log_loss, c.log_loss_interval)) for c in judged.values())),
    ]
    return tag(
        "section",
        tag("h2", "Is it as often right as it says?"),
        figure(
            section.reliability_figure,
            "Reliability diagram: accuracy against confidence; the table below has the numbers.",
            "Accuracy of photographs of similar confidence (the likeliest class's probability), "
            "with 95 % intervals. Below the dashed line the model is too sure of itself, above it "
            "not sure enough.",
        ),
        table(("", *judged), rows),
        tag(
            "p",
            "The calibration error is the mean distance between confidence and accuracy, over 15 "
            "bins of equal width. Chance alone keeps it above 0: with so many photographs, right "
            f"probabilities would show about {number(analysis.error_by_chance)}. Its interval "
            "(basic bootstrap) begins at 0 where they could have shown as much. ",
            _temperature_said(temperature, analysis.no_temperature),
            class_="muted",
        ),
        _reliability_table(judged),
    )


def _temperature_said(temperature: Temperature | None, reason: str) -> str:
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


def _reliability_table(judged: dict[str, Calibration]) -> Html:
    rows = [
        (
            f"{100 * one.low:.0f} – {100 * one.high:.0f} %",
            which,
            number(one.confidence),
            _cell((one.accuracy, one.interval)),
            f"{one.photographs:,}",
        )
        for which, found in judged.items()
        for one in found.bins
    ]
    header = ("Confidence", "probabilities", "mean confidence", "accuracy", "n")
    return tag("details", tag("summary", "Reliability, bin by bin"), table(header, rows))


def _referral(section: AnalysisSection) -> Html:
    found = section.analysis.referral
    everything = found.kept[0]
    rows = [
        (
            f"{100 * one.coverage:.0f} %",
            f"{one.photographs:,}",
            f"{everything.photographs - one.photographs:,}",
            number(one.confidence),
            _cell((one.accuracy, one.interval)),
        )
        for one in found.kept
    ]
    ends = "" if found.area_interval is None else f" ({number_range(found.area_interval)})"
    return tag(
        "section",
        tag("h2", "If the least sure are referred to a person"),
        figure(
            section.risk_coverage_figure,
            "Risk–coverage curve: error rate of what is kept; the table below has the numbers.",
            "Error rate of the photographs that the model keeps, the surest first. The dotted line "
            "is that of the same mistakes, were all of them the least sure.",
        ),
        table(("Share kept", "kept", "referred", "confidence at least", "accuracy of kept"), rows),
        tag(
            "p",
            f"Area under the risk–coverage curve: {number(found.area)}{ends}. It would be "
            f"{number(1 - everything.accuracy)}, the error rate, were the confidence worthless, "
            f"and {number(found.least_area)} at best with these mistakes.",
            class_="muted",
        ),
    )


def _slices(slices: Slices) -> Html:
    parts = [tag("h2", "Parts of the photographs")]
    if slices.tables:
        said = (
            "By the other columns of the manifest, with 95 % intervals. Among many parts a few "
            "differ by chance."
        )
        parts.append(tag("p", said, class_="muted"))
    for column, found in slices.tables.items():
        header = ("", "n", *(COLUMNS[name] for name in METRICS))
        parts += [tag("h3", column), table(header, [_slice_row(part) for part in found])]
    if any(part.few for found in slices.tables.values() for part in found):
        said = (
            f"Few: fewer than {FEW} photographs, or subjects where those are known; intervals by "
            "bootstrap are then too narrow."
        )
        parts.append(tag("p", said, class_="muted"))
    if slices.left_out:
        said = f"Columns without a table: {'; '.join(slices.left_out)}."
        parts.append(tag("p", said, class_="muted"))
    return tag("section", *parts)


def _slice_row(part: Slice) -> tuple[str, ...]:
    few = (tag("small", "few"),) if part.few else ()
    count = tag("span", f"{part.photographs:,}", *few)
    return (part.value, count, *(_cell(part.metrics[name]) for name in METRICS))
