"""Model, weights, cost, machine, versions and configuration of a run."""

import json
import statistics
from typing import Any

from hairjax.config.schema import flatten
from hairjax.report.contents import Report
from hairjax.report.html import utc
from hairjax.report.numbers import duration
from hairjax.runs.environment import Weights

Facts = list[tuple[str, ...]]  # name and value; "code" in third place for a value set as code


def reproducibility_section(report: Report) -> dict[str, Any]:
    """Facts on model, cost and machine, and every key of the configuration."""
    return {
        "model": _model(report),
        "cost": _cost(report),
        "machine": _machine(report),
        "keys": [
            (key, json.dumps(value, ensure_ascii=False), "code")
            for key, value in flatten(dict(report.config))
        ],
    }


def _model(report: Report) -> Facts:
    start = report.starts[0]
    rows: Facts = [
        ("Model", report.model, "code"),
        ("Parameters", f"{start.parameters:,}"),
        ("Precision", start.precision),
        *_weights(report.weights),
    ]
    if report.config["model"]["second"]:
        rows += [(f"{row[0]} (second model)", *row[1:]) for row in _weights(report.second_weights)]
    return rows


def _weights(weights: Weights | None) -> Facts:
    if weights is None:
        return [("Weights", "random initialisation, not pretrained")]
    rows: Facts = [("Weights", weights.source, "code")]
    if weights.file:
        size = f"{weights.file}, {weights.size / 2**20:,.1f} MiB"
        return [*rows, ("File", size), ("SHA-256", weights.sha256, "code")]
    return [*rows, ("SHA-256", "none: the checkpoint of a run, a folder of files")]


def _cost(report: Report) -> Facts:
    timing = report.timing
    seconds = [row["seconds"] for row in timing]
    hours = "unknown"  # earlier versions did not record the number of devices
    if all("devices" in row for row in timing):
        spent = sum(row["seconds"] * row["devices"] for row in timing) / 3600
        hours = f"{spent:,.1f}" if spent >= 10 else f"{spent:.3f}"
    speed = statistics.median(row["images_per_second"] for row in timing)
    memory = max(row["peak_memory_bytes"] for row in timing)
    # As `training.loop` measures it: JAX does not report the memory in use on a CPU.
    owner = "process" if report.starts[-1].devices.split()[2] == "cpu" else "device"
    return [
        ("Training time", f"{duration(sum(seconds))} for {len(timing)} epochs"),
        ("Time per epoch", f"{duration(statistics.median(seconds))} (median)"),
        ("Device-hours", hours),
        ("Throughput", f"{speed:,.0f} photographs per second (median)"),
        ("Peak memory", f"{memory / 2**30:.1f} GiB ({owner})"),
    ]


def _machine(report: Report) -> Facts:
    """Machine and versions of every start, earlier ones where they differ."""
    rows = {
        "Devices": [start.devices for start in report.starts],
        "Processor": [start.processor or "unknown" for start in report.starts],
        "Memory": [f"{start.memory / 2**30:.0f} GiB" for start in report.starts],
        "System": [start.system for start in report.starts],
        "Code": [start.commit or "not in a git repository" for start in report.starts],
    }
    for name in report.starts[-1].versions:
        rows[name] = [start.versions.get(name, "unknown") for start in report.starts]
    started = ("Started (UTC)", ", again ".join(utc(start.time) for start in report.starts))
    return [started, *((name, " → ".join(dict.fromkeys(found))) for name, found in rows.items())]
