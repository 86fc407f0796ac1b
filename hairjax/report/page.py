"""The report of a run: one HTML file that holds everything and asks the network for nothing."""

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hairjax.report.analysis_section import AnalysisSection, analysis_sections, class_table
from hairjax.report.html import (
    Html,
    duration,
    figure,
    head,
    lines,
    number,
    number_range,
    strip,
    table,
    tag,
)


@dataclass(frozen=True, eq=False)
class Report:
    """What a report says, as plain data.

    Attributes:
        title: the headline.
        source: where the photographs are from: a folder, a data set's name, or how they were
            drawn.
        synthetic: the photographs were drawn by a program; stamped on the page.
        model: the model's name.
        parameters: how many numbers the model learns.
        weights: what it started from.
        classes: k names.
        counts: photographs of each class, per split.
        subjects: how many subjects each split has, 0 where they are not known.
        split: the split that ``metrics``, ``intervals``, ``baselines`` and ``confusion`` are of.
        metrics: ``epoch`` (the best one) and the metrics of `evaluation.metrics.evaluate`.
        best_by: what the best epoch was chosen by.
        intervals: (low, high) per metric, 95 %.
        interval_note: how the intervals were made.
        baselines: metrics of each baseline by its name; a baseline may lack some.
        confusion: int [k, k], rows true, columns predicted.
        analysis: of each class, of confidence and of parts of the photographs.
        history: the lines of ``metrics.jsonl``.
        timing: the lines of ``timing.jsonl``; ``peak_memory_bytes`` is None where unknown.
        config: the resolved configuration, nested.
        versions: version by package.
        hardware: what it ran on, value by name.
        curves_figure: the PNG of `figures.learning_curves`.
        confusion_figure: the PNG of `figures.confusion_figure`.
    """

    title: str
    source: str
    synthetic: bool
    model: str
    parameters: int
    weights: str
    classes: Sequence[str]
    counts: Mapping[str, Sequence[int]]
    subjects: Mapping[str, int]
    split: str
    metrics: Mapping[str, float]
    best_by: str
    intervals: Mapping[str, tuple[float, float]]
    interval_note: str
    baselines: Mapping[str, Mapping[str, float]]
    confusion: NDArray[np.integer]
    analysis: AnalysisSection
    history: Sequence[Mapping[str, Any]]
    timing: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    hardware: Mapping[str, str]
    curves_figure: Path
    confusion_figure: Path


def write_report(report: Report, path: Path) -> None:
    """Write the report as one HTML file; it appears whole or not at all.

    The same report gives the same bytes.

    Raises:
        OSError: a figure cannot be read, or the page cannot be written.
    """
    sections = (
        _summary(report),
        _results(report),
        _mistakes(report),
        analysis_sections(report.analysis),
        _training(report),
        _photographs(report),
        _setting(report),
    )
    page = "<!doctype html>\n" + tag(
        "html", head(report.title), "\n", tag("body", *lines(sections)), lang="en"
    )
    temporary = path.with_name(f".{path.name}.tmp")
    # A folder's name need not be valid Unicode; the page must be.
    temporary.write_bytes(page.encode("utf-8", errors="replace"))
    temporary.replace(path)


class _Metric(NamedTuple):
    title: str
    higher_is_better: bool
    meaning: str


METRICS = {
    "accuracy": _Metric("Accuracy", True, "share of photographs given their true class"),
    "balanced_accuracy": _Metric(
        "Balanced accuracy", True, "mean recall of the classes, each counting the same"
    ),
    "macro_f1": _Metric(
        "Macro F1", True, "mean over the classes of F1, the harmonic mean of precision and recall"
    ),
    "quadratic_kappa": _Metric(
        "Quadratic kappa",
        True,
        "agreement beyond chance; a mistake counts by the square of its distance. "
        "0 is chance, 1 is perfect",
    ),
    "mean_absolute_error": _Metric(
        "Mean stage error", False, "mean distance between the true and the predicted class"
    ),
    "within_one": _Metric("Within one stage", True, "share of photographs at most one class off"),
    "log_loss": _Metric(
        "Log-loss", False, "mean surprise at the true class, in nats; punishes false certainty"
    ),
    "expected_calibration_error": _Metric(
        "Calibration error",
        False,
        "mean distance between confidence and accuracy, in 15 bins (ECE); chance alone keeps it "
        "above 0",
    ),
}
HEADLINE = ("accuracy", "quadratic_kappa", "mean_absolute_error", "within_one")


def _summary(report: Report) -> Html:
    if report.synthetic:
        stamp = tag(
            "p",
            tag("strong", "Synthetic photographs"),
            f" ({report.source}), drawn by a program. The numbers show that the code works; they "
            "say nothing about people.",
            class_="stamp",
        )
    else:
        stamp = tag("p", "Photographs: ", tag("strong", report.source), class_="muted")
    best_by = METRICS[report.best_by].title if report.best_by in METRICS else report.best_by
    best_by = best_by[:1].lower() + best_by[1:]
    said = (
        tag("code", report.model),
        f" with {report.parameters:,} parameters, started from ",
        tag("code", report.weights),
        f", trained on {_amount(report, 'train')}. Epoch {report.metrics['epoch']} of "
        f"{report.history[-1]['epoch']} was the best by {best_by}; it is judged here on "
        f"the {report.split} split, {_amount(report, report.split)}.",
    )
    return tag("header", stamp, tag("h1", report.title), tag("p", *said))


def _amount(report: Report, split: str) -> str:
    photographs = f"{sum(report.counts[split]):,} photographs"
    subjects = report.subjects[split]
    return f"{photographs} of {subjects:,} subjects" if subjects else photographs


def _results(report: Report) -> Html:
    tiles = (
        tag(
            "div",
            tag("div", METRICS[name].title),
            tag("div", number(report.metrics[name]), class_="value"),
            tag("div", number_range(report.intervals[name])),
            class_="tile",
        )
        for name in HEADLINE
    )
    note = f"Below each number stands its 95 % interval ({report.interval_note})."
    if report.split == "validation":
        note += (
            " The best epoch was chosen on these same photographs, which flatters the numbers a "
            "little; photographs that took no part give the fair ones."
        )
    meanings = (
        part
        for metric in METRICS.values()
        for part in (tag("dt", metric.title), tag("dd", metric.meaning))
    )
    return tag(
        "section",
        tag("h2", "Results"),
        tag("div", *tiles, class_="tiles"),
        tag("p", note, class_="muted"),
        _metrics_table(report),
        tag("details", tag("summary", "What the metrics mean"), tag("dl", *meanings)),
    )


def _metrics_table(report: Report) -> Html:
    rows = []
    for name, metric in METRICS.items():
        value, interval = report.metrics[name], report.intervals[name]
        others = [baseline.get(name) for baseline in report.baselines.values()]
        title: tuple[str, ...] = (metric.title,)
        if not metric.higher_is_better:
            title += (tag("small", "lower is better"),)
        rows.append(
            (
                tag("span", *title),
                strip(value, interval, others) if metric.higher_is_better else "",
                tag("span", tag("strong", number(value)), tag("small", number_range(interval))),
                *("–" if other is None else number(other) for other in others),
            )
        )
    header = ("", "from 0 to 1, with the baselines", "this model", *report.baselines)
    return table(header, rows, class_="metrics")


def _mistakes(report: Report) -> Html:
    return tag(
        "section",
        tag("h2", "Where it is right and wrong"),
        figure(
            report.confusion_figure,
            f"Confusion matrix of {len(report.classes)} classes; the table below has the rates.",
            "Confusion matrix: photographs, and their share of the true class. On the diagonal "
            "the model is right.",
        ),
        class_table(report.analysis),
    )


def _training(report: Report) -> Html:
    best = report.metrics["epoch"]
    rates = [row["rate"] for row in report.history]
    (at_best,) = (row["rate"] for row in report.history if row["epoch"] == best)
    rows = [
        (
            group,
            *(
                f"{rate:.1e}" if rate else "frozen"
                for rate in (max(r[group] for r in rates), at_best[group], rates[-1][group])
            ),
        )
        for group in rates[0]
    ]
    return tag(
        "section",
        tag("h2", "Training"),
        figure(
            report.curves_figure,
            f"Loss, accuracy and learning rates over {len(rates)} epochs.",
            "Training values are taken while the model learns, on augmented photographs and with "
            "dropout: they may well be worse than those of validation.",
        ),
        tag("h3", "Learning rate of each group"),
        table(("Group", "highest", "at the best epoch", "at the end"), rows),
    )


def _photographs(report: Report) -> Html:
    splits = list(report.counts)
    rows = [
        (name, *(f"{report.counts[split][index]:,}" for split in splits))
        for index, name in enumerate(report.classes)
    ]
    rows.append(("Total", *(f"{sum(report.counts[split]):,}" for split in splits)))
    section = [tag("h2", "Photographs")]
    if any(report.subjects.values()):
        rows.append(("Subjects", *(f"{report.subjects[split]:,}" for split in splits)))
        section.append(table(("Class", *splits), rows))
    else:
        warning = (
            "Subjects are not known. If there are several photographs of a person, some may be in "
            "one split and some in another; the results then look better than they are."
        )
        section += [table(("Class", *splits), rows), tag("p", warning, class_="muted")]
    return tag("section", *section)


def _setting(report: Report) -> Html:
    values = [
        (key, tag("code", json.dumps(value, ensure_ascii=False)))
        for key, value in _flatten(report.config)
    ]
    return tag(
        "section",
        tag("h2", "Time, machine and configuration"),
        table((), [*_time_spent(report.timing), *report.hardware.items()], class_="facts"),
        tag("h3", "Versions"),
        table((), list(report.versions.items()), class_="facts"),
        tag("details", tag("summary", "Configuration"), table((), values, class_="facts")),
    )


def _time_spent(timing: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    seconds = [row["seconds"] for row in timing]
    speed = statistics.median(row["images_per_second"] for row in timing)
    memory = [row["peak_memory_bytes"] for row in timing if row["peak_memory_bytes"] is not None]
    facts = [
        ("Time", f"{duration(sum(seconds))} for {len(timing)} epochs"),
        ("Time of an epoch", f"{duration(statistics.median(seconds))} (median)"),
        ("Speed", f"{speed:,.0f} images per second (median)"),
    ]
    if memory:
        facts.append(("Peak memory", f"{max(memory) / 2**30:.1f} GiB"))
    return facts


def _flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
