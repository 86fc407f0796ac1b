"""Answers of a run to the items of a checklist that ask for results."""

from hairjax.evaluation.metrics.slices import METRICS as OF_PARTS
from hairjax.report.checklists.items import Answer
from hairjax.report.contents import METRICS, Report
from hairjax.report.explanation import METHODS as OF_MAPS
from hairjax.report.explanation import Mean
from hairjax.report.html import number, number_range
from hairjax.report.sections.explanation import explanations


def of_evaluation(report: Report) -> dict[str, Answer]:
    """Answers by the names that `checklist` gives its items."""
    first, *others = METRICS.values()
    metrics = ", ".join((first.title, *(metric.named for metric in others)))
    splits, note = _splits(report), report.last.interval_note
    tested = any(one.split == "test" for one in report.results)
    return {
        "metrics": Answer(
            f"{metrics}; confusion matrix, reliability diagram, risk–coverage curve.",
            "why these",
            "results",
        ),
        "uncertainty": Answer(
            f"95 % intervals: {note}. Runs are compared by launch.py compare.", section="results"
        ),
        "internal": Answer(
            f"On {splits}.", "" if tested else "test: launch.py evaluate --split=test", "results"
        ),
        "performance": Answer(
            f"Every metric with its interval, on {splits}, beside two baselines.",
            section="results",
        ),
        "by_class": Answer(
            f"Precision, recall and F1 of each class with their 95 % intervals, on {splits}.",
            "what is positive where it matters",
            "mistakes",
        ),
        "failures": Answer(
            "Confusion matrix; every photograph's prediction is in predictions.csv.",
            "what the mistakes have in common",
            "mistakes",
        ),
        "explanation": _explanation(report),
        "updating": Answer(_updating(report), section="calibration"),
        **_of_parts(report),
    }


def _splits(report: Report) -> str:
    return " and ".join(one.split for one in report.results)


def _of_parts(report: Report) -> dict[str, Answer]:
    """Answers on performance by the other columns of the manifest, if it has any."""
    columns = ", ".join(report.last.analysis.slices.tables)
    measured = ", ".join(METRICS[name].named for name in OF_PARTS)
    by_column = f"{measured} by {columns}, with 95 % intervals" if columns else ""
    undivided = (
        "No parts were judged: the manifest has no other column that divides the photographs."
    )
    more = f"; {by_column}" if columns else ""
    section = "parts" if columns else "results"
    return {
        "performance_parts": Answer(
            f"Every metric with its 95 % interval, on {_splits(report)}{more}.",
            "groups of people that no column tells" if columns else "groups of people",
            section,
        ),
        "robustness": Answer(
            f"{by_column[:1].upper()}{by_column[1:]}." if columns else undivided,
            "other cameras, places and times than those of these photographs",
            section if columns else "",
        ),
    }


def _explanation(report: Report) -> Answer:
    """Answer on explanation maps and the mask, where ``launch.py explain`` has run."""
    found = explanations(report)
    if not found:
        return Answer(
            f"No maps of what the model looks at. {_confidence(report)}",
            "explanations, and how they were checked: launch.py explain",
            "calibration",
        )
    last = found[-1]
    title = OF_MAPS[last.method].title
    said = (
        f"{title[:1].upper()}{title[1:]} on {last.photographs:,} {last.split} photographs (stage "
        f"{last.stage} of {last.stages}), checked by deletion and insertion against random maps: "
        "differences of the area "
    )
    said += ", ".join(_estimate(area.gain, name) for name, area in last.areas.items())
    if last.agreement:
        every = last.agreement[-1]
        said += (
            f". {_estimate(every.inside, 'Inside the hair mask lies')} of a map, where the mask is "
            f"{number(every.masked[0])} of the picture"
        )
    changes = [
        _estimate(line.differences["accuracy"], line.change)
        for line in last.reliance
        if line.change
    ]
    if changes:
        said += f". Change of accuracy: {'; '.join(changes)}"
    return Answer(f"{said}. {_confidence(report)}", "what the maps tell a grader", "explanation")


def _estimate(found: Mean | None, what: str) -> str:
    value, interval = found or (None, None)
    ends = f" (95 % interval {number_range(interval)})" if interval else ""
    return f"{what} {number(value)}{ends}"


def _confidence(report: Report) -> str:
    """Calibration of the probabilities, in words."""
    found, split = report.last.analysis.calibration, report.last.split
    interval = found.error_interval
    ends = f" (95 % interval {number_range(interval)})" if interval else ""
    return (
        f"Every photograph's probabilities are in predictions.csv; their calibration error on "
        f"{split} is {number(found.error)}{ends}."
    )


def _updating(report: Report) -> str:
    none, found = "None: the probabilities are the model's own.", report.last.analysis.temperature
    if found is None:
        return none
    fitted = f"{none} A temperature of {found.value:.2f}, fitted on validation,"
    if found.log_loss_change is None:
        return f"{fitted} can be judged once test was looked at."
    change, interval = found.log_loss_change
    ends = f" (95 % interval {number_range(interval)})" if interval else ""
    return f"{fitted} would change the log-loss on {report.last.split} by {number(change)}{ends}."
