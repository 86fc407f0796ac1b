"""The report of a run: one HTML file that holds everything and asks the network for nothing."""

import base64
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hairjax.evaluation.metrics import per_class


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
        _training(report),
        _photographs(report),
        _setting(report),
    )
    page = "<!doctype html>\n" + _tag(
        "html", _head(report.title), "\n", _tag("body", *_lines(sections)), lang="en"
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
}
HEADLINE = ("accuracy", "quadratic_kappa", "mean_absolute_error", "within_one")


class _Html(str):
    """Text that is HTML already; every other text is escaped on its way into an element."""


def _tag(name: str, /, *children: str, **attributes: str) -> _Html:
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    inner = "".join(child if isinstance(child, _Html) else escape(child) for child in children)
    return _Html(f"<{name}{written}>{inner}</{name}>")


def _lines(parts: Sequence[str]) -> Iterator[str]:
    """Put every part on a line of its own."""
    for part in parts:
        yield part
        yield "\n"


def _head(title: str) -> _Html:
    style = resources.files("hairjax.report").joinpath("style.css").read_text("utf-8")
    # The policy makes a browser refuse any request, whatever a name on the page may contain.
    return _Html(f"""<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)} · hairjax</title>
<style>
{style}</style>
</head>""")


def _summary(report: Report) -> _Html:
    if report.synthetic:
        stamp = _tag(
            "p",
            _tag("strong", "Synthetic photographs"),
            f" ({report.source}), drawn by a program. The numbers show that the code works; they "
            "say nothing about people.",
            class_="stamp",
        )
    else:
        stamp = _tag("p", "Photographs: ", _tag("strong", report.source), class_="muted")
    best_by = METRICS[report.best_by].title if report.best_by in METRICS else report.best_by
    best_by = best_by[:1].lower() + best_by[1:]
    said = (
        _tag("code", report.model),
        f" with {report.parameters:,} parameters, started from ",
        _tag("code", report.weights),
        f", trained on {_amount(report, 'train')}. Epoch {report.metrics['epoch']} of "
        f"{report.history[-1]['epoch']} was the best by {best_by}; it is judged here on "
        f"the {report.split} split, {_amount(report, report.split)}.",
    )
    return _tag("header", stamp, _tag("h1", report.title), _tag("p", *said))


def _amount(report: Report, split: str) -> str:
    photographs = f"{sum(report.counts[split]):,} photographs"
    subjects = report.subjects[split]
    return f"{photographs} of {subjects:,} subjects" if subjects else photographs


def _results(report: Report) -> _Html:
    tiles = (
        _tag(
            "div",
            _tag("div", METRICS[name].title),
            _tag("div", _number(report.metrics[name]), class_="value"),
            _tag("div", _range(report.intervals[name])),
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
        for part in (_tag("dt", metric.title), _tag("dd", metric.meaning))
    )
    return _tag(
        "section",
        _tag("h2", "Results"),
        _tag("div", *tiles, class_="tiles"),
        _tag("p", note, class_="muted"),
        _metrics_table(report),
        _tag("details", _tag("summary", "What the metrics mean"), _tag("dl", *meanings)),
    )


def _metrics_table(report: Report) -> _Html:
    rows = []
    for name, metric in METRICS.items():
        value, interval = report.metrics[name], report.intervals[name]
        others = [baseline.get(name) for baseline in report.baselines.values()]
        title: tuple[str, ...] = (metric.title,)
        if not metric.higher_is_better:
            title += (_tag("small", "lower is better"),)
        rows.append(
            (
                _tag("span", *title),
                _strip(value, interval, others) if metric.higher_is_better else "",
                _tag("span", _tag("strong", _number(value)), _tag("small", _range(interval))),
                *("–" if other is None else _number(other) for other in others),
            )
        )
    header = ("", "from 0 to 1, with the baselines", "this model", *report.baselines)
    return _table(header, rows, class_="metrics")


def _strip(value: float, interval: tuple[float, float], others: Sequence[float | None]) -> _Html:
    """Draw a value, its interval and the baselines on a line from 0 to 1; less than 0 is at 0."""

    def share(number: float) -> str:
        return f"{100 * min(max(number, 0.0), 1.0):.2f}%"

    low, high = (min(max(end, 0.0), 1.0) for end in interval)
    baselines = (
        _tag("rect", class_="baseline", x=share(other), y="3", width="2", height="10")
        for other in others
        if other is not None
    )
    return _tag(
        "svg",
        _tag("rect", class_="track", x="0", y="7", width="100%", height="2"),
        _tag("rect", class_="band", x=share(low), y="4", width=share(high - low), height="8"),
        *baselines,
        _tag("circle", class_="value", cx=share(value), cy="8", r="4.5"),
        aria_hidden="true",
    )


def _mistakes(report: Report) -> _Html:
    scores = per_class(report.confusion)
    rows = [
        (
            name,
            *(_number(scores[score][index]) for score in ("precision", "recall", "f1")),
            f"{scores['support'][index]:,.0f}",
        )
        for index, name in enumerate(report.classes)
    ]
    return _tag(
        "section",
        _tag("h2", "Where it is right and wrong"),
        _figure(
            report.confusion_figure,
            f"Confusion matrix of {len(report.classes)} classes; the table below has the rates.",
            "Confusion matrix: photographs, and their share of the true class. On the diagonal "
            "the model is right.",
        ),
        _table(("Class", "precision", "recall", "F1", "n"), rows),
    )


def _training(report: Report) -> _Html:
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
    return _tag(
        "section",
        _tag("h2", "Training"),
        _figure(
            report.curves_figure,
            f"Loss, accuracy and learning rates over {len(rates)} epochs.",
            "Training values are taken while the model learns, on augmented photographs and with "
            "dropout: they may well be worse than those of validation.",
        ),
        _tag("h3", "Learning rate of each group"),
        _table(("Group", "highest", "at the best epoch", "at the end"), rows),
    )


def _photographs(report: Report) -> _Html:
    splits = list(report.counts)
    rows = [
        (name, *(f"{report.counts[split][index]:,}" for split in splits))
        for index, name in enumerate(report.classes)
    ]
    rows.append(("Total", *(f"{sum(report.counts[split]):,}" for split in splits)))
    section = [_tag("h2", "Photographs")]
    if any(report.subjects.values()):
        rows.append(("Subjects", *(f"{report.subjects[split]:,}" for split in splits)))
        section.append(_table(("Class", *splits), rows))
    else:
        warning = (
            "Subjects are not known. If there are several photographs of a person, some may be in "
            "one split and some in another; the results then look better than they are."
        )
        section += [_table(("Class", *splits), rows), _tag("p", warning, class_="muted")]
    return _tag("section", *section)


def _setting(report: Report) -> _Html:
    values = [
        (key, _tag("code", json.dumps(value, ensure_ascii=False)))
        for key, value in _flatten(report.config)
    ]
    return _tag(
        "section",
        _tag("h2", "Time, machine and configuration"),
        _table((), [*_time_spent(report.timing), *report.hardware.items()], class_="facts"),
        _tag("h3", "Versions"),
        _table((), list(report.versions.items()), class_="facts"),
        _tag("details", _tag("summary", "Configuration"), _table((), values, class_="facts")),
    )


def _time_spent(timing: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    seconds = [row["seconds"] for row in timing]
    speed = statistics.median(row["images_per_second"] for row in timing)
    memory = [row["peak_memory_bytes"] for row in timing if row["peak_memory_bytes"] is not None]
    facts = [
        ("Time", f"{_duration(sum(seconds))} for {len(timing)} epochs"),
        ("Time of an epoch", f"{_duration(statistics.median(seconds))} (median)"),
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


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], **attributes: str) -> _Html:
    """Lay out rows whose first cell names them; no header row where ``header`` is empty."""
    head = _tag("thead", _tag("tr", *(_tag("th", cell, scope="col") for cell in header)))
    body = (
        _tag("tr", _tag("th", first, scope="row"), *(_tag("td", cell) for cell in others))
        for first, *others in rows
    )
    table = _tag("table", head if header else "", _tag("tbody", *_lines(list(body))), **attributes)
    return _tag("div", table, class_="scroll")


def _figure(path: Path, description: str, caption: str) -> _Html:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    image = _Html(f'<img src="data:image/png;base64,{data}" alt="{escape(description)}">')
    return _tag("figure", image, _tag("figcaption", caption))


def _number(value: float) -> str:
    # Adding 0 to a rounded −0.0001 drops the sign of zero.
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def _range(interval: tuple[float, float]) -> str:
    return f"{_number(interval[0])} – {_number(interval[1])}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
