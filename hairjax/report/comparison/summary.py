"""Comparison of configurations, for its page and its tables: numbers and wording."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import NDArray

from hairjax.evaluation.metrics.paired import METRICS, PairedDifference, Summary
from hairjax.report.contents import METRICS as KNOWN
from hairjax.report.html import number
from hairjax.system.wording import counted

UNKNOWN = (None, None)
"""In place of a difference that is undefined, and its interval."""
TITLES = {name: KNOWN[name].title for name in METRICS}
HIGHER_IS_BETTER = {name: KNOWN[name].higher_is_better for name in METRICS}
NOT_INDEPENDENT = (
    "“Alone right” counts photographs; with several runs, those that one configuration gets right "
    "in a larger share of its runs. McNemar's exact test takes photographs for independent of "
    "each other. Photographs of one subject are not: its p is then too small. The test by subject "
    "is Student's t with the standard error of the interval above: p is less than 0.05 where that "
    "leaves out 0. Both are two-sided; Holm's correction is over the comparisons made here, one "
    "family for each test."
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Comparison of configurations, as plain data.

    The first configuration is the reference; the i-th pair compares configuration i + 1 with it.

    Attributes:
        split: the split that all were judged on.
        source: where the photographs are from.
        synthetic: the photographs were drawn by a program; stamped on the page.
        classes: k names.
        files: n names.
        labels: int [n], true classes.
        subjects: n names, "" where the subject is not known.
        names: names of the configurations.
        runs: folder and seed of every run, by configuration.
        summaries: metrics of each configuration.
        pairs: paired difference of each configuration but the first.
        mcnemar: per pair, the p of McNemar's test after Holm's correction.
        by_subject: per pair, the p of the test by subject after the same correction.
        interval_note: method of the intervals.
        notes: notes for the reader, a paragraph each.
    """

    split: str
    source: str
    synthetic: bool
    classes: Sequence[str]
    files: Sequence[str]
    labels: NDArray
    subjects: Sequence[str]
    names: Sequence[str]
    runs: Sequence[Sequence[tuple[str, int]]]
    summaries: Sequence[Summary]
    pairs: Sequence[PairedDifference]
    mcnemar: Sequence[float]
    by_subject: Sequence[float]
    interval_note: str
    notes: Sequence[str]

    def compared(self) -> list[tuple[str, Summary, PairedDifference]]:
        """Every configuration but the reference, and how it differs from it."""
        return list(zip(self.names[1:], self.summaries[1:], self.pairs, strict=True))

    def tests(self) -> list[list[str]]:
        """Rows of `TESTS`."""
        rows = zip(self.compared(), self.mcnemar, self.by_subject, strict=True)
        return [
            [
                name,
                f"{len(pair.worse):,}",
                f"{len(pair.better):,}",
                p_value(pair.mcnemar),
                p_value(mcnemar),
                p_value(pair.by_subject),
                p_value(by_subject),
            ]
            for (name, _, pair), mcnemar, by_subject in rows
        ]

    @property
    def evaluated_on(self) -> str:
        """Number of photographs and of subjects, in words."""
        photographs, subjects = len(self.files), len({*self.subjects} - {""})
        of = f" of {counted(subjects, 'subject')}" if subjects else ""
        return f"{counted(photographs, f'{self.split} photograph')}{of}"


TESTS = (
    "compared with the reference",
    "reference alone right",
    "other alone right",
    "McNemar p",
    "Holm",
    "by subject p",
    "Holm",
)
"""The header of `Comparison.tests`."""


def p_value(p: float) -> str:
    """Three decimals, or that it is less."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def signed(value: float | None) -> str:
    """A difference: three decimals, and a sign but for 0; a dash where it is undefined."""
    written = number(value)
    return f"+{written}" if value is not None and float(f"{value:.3f}") > 0 else written


def spread(summary: Summary, metric: str) -> str:
    """A value; with several runs the mean ± the standard deviation; a dash if undefined."""
    sd = summary.sd(metric)
    mean = number(summary.mean(metric))
    return mean if sd is None else f"{mean} ± {number(sd)}"


def said(classes: Sequence[str], summary: Summary, index: int) -> str:
    """Predicted class of a photograph; with several runs, the number of runs for each class."""
    counts = summary.predicted[index]
    given = [(int(count), name) for count, name in zip(counts, classes, strict=True) if count]
    if summary.runs == 1:
        return given[0][1]
    return ", ".join(f"{count} × {name}" for count, name in given)
