"""Answers to the checklist items on results."""

from hairjax.evaluation.metrics.slices import METRICS as SUBGROUP_METRICS
from hairjax.report.checklists.items import Answer
from hairjax.report.contents import METRICS, Report
from hairjax.report.explanation import METHODS, Mean
from hairjax.report.numbers import in_brackets, number
from hairjax.report.sections.explanation import explanations


def result_answers(report: Report) -> dict[str, Answer]:
    """Answers by the keys of the checklists."""
    first, *others = METRICS.values()
    metrics = ", ".join((first.title, *(metric.in_sentence for metric in others)))
    splits, note = _splits(report), report.last.interval_note
    tested = any(one.split == "test" for one in report.results)
    return {
        "metrics": Answer(
            f"{metrics}; confusion matrix, reliability diagram, risk–coverage curve.",
            "rationale",
            "results",
        ),
        "uncertainty": Answer(
            f"95 % intervals: {note}. launch.py compare compares runs.", section="results"
        ),
        "internal": Answer(
            f"On {splits}.", "" if tested else "test: launch.py evaluate --split=test", "results"
        ),
        "performance": Answer(
            f"Every metric with its interval, on {splits}, and of two baselines.",
            section="results",
        ),
        "by_class": Answer(
            f"Precision, recall and F1 of each class with 95 % intervals, on {splits}.",
            "the positive class, where there is one",
            "confusion",
        ),
        "failures": Answer(
            "Confusion matrix; predictions.csv has the prediction for every photograph.",
            "what the errors have in common",
            "confusion",
        ),
        "explanation": _explanation(report),
        "updating": Answer(_updating(report), section="calibration"),
        **_subgroups(report),
    }


def _splits(report: Report) -> str:
    return " and ".join(one.split for one in report.results)


def _subgroups(report: Report) -> dict[str, Answer]:
    """Answers on subgroups by the other columns of the manifest."""
    columns = ", ".join(report.last.analysis.slices.tables)
    measured = ", ".join(METRICS[name].in_sentence for name in SUBGROUP_METRICS)
    by_column = f"{measured} by {columns}, with 95 % intervals" if columns else ""
    none = "No subgroups were evaluated: no other column of the manifest defines any."
    more = f"; {by_column}" if columns else ""
    section = "subgroups" if columns else "results"
    return {
        "performance_subgroups": Answer(
            f"Every metric with its 95 % interval, on {_splits(report)}{more}.",
            "demographic groups that no column records" if columns else "demographic groups",
            section,
        ),
        "robustness": Answer(
            f"{by_column[:1].upper()}{by_column[1:]}." if columns else none,
            "other cameras, sites and times",
            section if columns else "",
        ),
    }


def _explanation(report: Report) -> Answer:
    """Answer on explanation maps and mask reliance, from ``launch.py explain``."""
    found = explanations(report)
    if not found:
        return Answer(
            f"No explanation maps. {_calibration(report)}",
            "explanations and their validation: launch.py explain",
            "calibration",
        )
    last = found[-1]
    title = METHODS[last.method].title
    said = (
        f"{title[:1].upper()}{title[1:]} on {last.photographs:,} {last.split} photographs (stage "
        f"{last.stage} of {last.stages}), validated by deletion and insertion against random maps: "
        "differences of the area "
    )
    said += ", ".join(_estimate(area.gain, name) for name, area in last.areas.items())
    if last.agreement:
        every = last.agreement[-1]
        said += (
            f". {_estimate(every.inside, 'Map mass inside the hair mask')}; area of the mask "
            f"{number(every.masked[0])}"
        )
    changes = [
        _estimate(line.differences["accuracy"], line.change)
        for line in last.reliance
        if line.change
    ]
    if changes:
        said += f". Change of accuracy: {'; '.join(changes)}"
    return Answer(f"{said}. {_calibration(report)}", "meaning for clinicians", "explanation")


def _estimate(found: Mean | None, what: str) -> str:
    value, interval = found or (None, None)
    return f"{what} {number(value)}{in_brackets(interval)}"


def _calibration(report: Report) -> str:
    found = report.last.analysis.calibration
    return (
        f"predictions.csv has all class probabilities; their calibration error on "
        f"{report.last.split} is {number(found.error)}{in_brackets(found.error_interval)}."
    )


def _updating(report: Report) -> str:
    none, found = "None: probabilities are unscaled.", report.last.analysis.temperature
    if found is None:
        return none
    fitted = f"{none} A temperature of {found.value:.2f}, fitted on validation,"
    if found.log_loss_change is None:
        return f"{fitted} can be evaluated on the test split."
    change, interval = found.log_loss_change
    return (
        f"{fitted} would change the log-loss on {report.last.split} by "
        f"{number(change)}{in_brackets(interval)}."
    )
