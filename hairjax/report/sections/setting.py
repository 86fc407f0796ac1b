"""Everything else to reproduce the run: weights, code, versions, machine, cost, configuration."""

import json
import statistics

from hairjax.config.schema import flatten
from hairjax.report.contents import Report
from hairjax.report.html import Html, html_table, measured_duration, tag
from hairjax.runs.environment import Weights


def setting_section(report: Report) -> list[Html]:
    """Weights, cost, machine, and every key of the configuration."""
    values = [
        (key, tag("code", json.dumps(value, ensure_ascii=False)))
        for key, value in flatten(dict(report.config))
    ]
    return [
        tag("h3", "Model and weights"),
        html_table((), _model(report), class_="facts"),
        tag("h3", "Time and cost"),
        html_table((), _cost(report), class_="facts"),
        tag("h3", "Machine and code"),
        html_table((), _machine(report), class_="facts"),
        tag(
            "details",
            tag("summary", f"Configuration: all {len(values)} keys"),
            html_table((), values, class_="facts"),
        ),
    ]


def _model(report: Report) -> list[tuple[str, str]]:
    start = report.starts[0]
    rows = [
        ("Model", tag("code", report.model)),
        ("Parameters", f"{start.parameters:,}"),
        ("Precision", start.precision),
        *_weights(report.weights),
    ]
    if report.config["model"]["second"]:
        rows += [(f"{name} (second model)", what) for name, what in _weights(report.second_weights)]
    return rows


def _weights(weights: Weights | None) -> list[tuple[str, str]]:
    if weights is None:
        return [("Weights", "drawn at random, not pretrained")]
    rows = [("Weights", tag("code", weights.source))]
    if weights.file:
        size = f"{weights.file}, {weights.size / 2**20:,.1f} MiB"
        return [*rows, ("File", size), ("SHA-256", tag("code", weights.sha256))]
    return [*rows, ("SHA-256", "none: they are a run's checkpoint, a folder of files")]


def _cost(report: Report) -> list[tuple[str, str]]:
    timing = report.timing
    seconds = [row["seconds"] for row in timing]
    hours = "not known"  # an earlier hairjax did not write how many devices there were
    if all("devices" in row for row in timing):
        spent = sum(row["seconds"] * row["devices"] for row in timing) / 3600
        hours = f"{spent:,.1f}" if spent >= 10 else f"{spent:.3f}"
    speed = statistics.median(row["images_per_second"] for row in timing)
    memory = max(row["peak_memory_bytes"] for row in timing)
    # As ``loop`` measures it: a CPU is not asked how much of its memory is in use.
    whose = "the process" if report.starts[-1].devices.split()[2] == "cpu" else "a device"
    return [
        ("Training time", f"{measured_duration(sum(seconds))} for {len(timing)} epochs"),
        ("Time of an epoch", f"{measured_duration(statistics.median(seconds))} (median)"),
        ("Device-hours", hours),
        ("Speed", f"{speed:,.0f} photographs per second (median)"),
        ("Peak memory", f"{memory / 2**30:.1f} GiB of {whose}"),
    ]


def _machine(report: Report) -> list[tuple[str, str]]:
    """Machine and versions of the last start, with those of earlier starts that differed."""
    last = report.starts[-1]
    rows = {
        "Devices": [start.devices for start in report.starts],
        "Processor": [start.processor or "not known" for start in report.starts],
        "Memory": [f"{start.memory / 2**30:.0f} GiB" for start in report.starts],
        "System": [start.system for start in report.starts],
        "Code": [start.commit or "not in a git repository" for start in report.starts],
    }
    for name in last.versions:
        rows[name] = [start.versions.get(name, "not known") for start in report.starts]
    times = [start.time.removesuffix("+00:00").replace("T", " ") for start in report.starts]
    started = ("Started (UTC)", ", again ".join(times))
    return [started, *((name, " → ".join(dict.fromkeys(found))) for name, found in rows.items())]
