"""Comparison of configurations as plain data, with the wording of its tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import NDArray

from hairjax.evaluation.metrics.paired import METRICS, PairedDifference, Summary
from hairjax.report.contents import METRICS as KNOWN
from hairjax.report.numbers import number
from hairjax.system.wording import counted

UNKNOWN = (None, None)
"""Stands for an undefined difference and its interval."""
TITLES = {name: KNOWN[name].title for name in METRICS}
HIGHER_IS_BETTER = {name: KNOWN[name].higher_is_better for name in METRICS}
TESTS_NOTE = (
    "“Alone right” counts photographs; with several runs, those that a configuration predicts "
    "correctly in a larger share of its runs. McNemar's exact test assumes independent "
    "photographs: with several of a subject its p is too small. The test by subject is Student's t "
    "with the standard error of the interval above: p < 0.05 where that excludes 0. Both are "
    "two-sided; Holm's correction is over the comparisons shown, separately for each test."
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Comparison of configurations.

    The first configuration is the reference; pair i compares configuration i + 1 with it.

    Attributes:
        split: split that all were evaluated on.
        source: origin of the photographs.
        synthetic: True for synthetic photographs.
        classes: k names.
        files: n names.
        labels: int [n], true classes.
        subjects: n names, "" if unknown.
        names: names of the configurations.
        runs: folder and seed of every run, by configuration.
        summaries: metrics of each configuration.
        pairs: paired difference of each configuration but the first.
        mcnemar: p-value of McNemar's test per pair, Holm-corrected.
        by_subject: p-value of the test by subject per pair, Holm-corrected.
        interval_note: method of the intervals.
        notes: notes for the reader, one paragraph each.
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
        """Name, summary and paired difference of each configuration but the reference."""
        return list(zip(self.names[1:], self.summaries[1:], self.pairs, strict=True))

    def tests(self) -> list[list[str]]:
        """Rows of the table of tests; `TESTS` is its header."""
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
    "configuration",
    "reference alone right",
    "other alone right",
    "McNemar p",
    "Holm",
    "by subject p",
    "Holm",
)
"""Header of `Comparison.tests`."""


def p_value(p: float) -> str:
    """Format with three decimals, or as ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def spread(summary: Summary, metric: str) -> str:
    """Format a value; with several runs, mean ± standard deviation."""
    sd = summary.sd(metric)
    mean = number(summary.mean(metric))
    return mean if sd is None else f"{mean} ± {number(sd)}"


def predicted_class(classes: Sequence[str], summary: Summary, index: int) -> str:
    """Predicted class of a photograph; with several runs, their number for each class."""
    counts = summary.predicted[index]
    given = [(int(count), name) for count, name in zip(counts, classes, strict=True) if count]
    if summary.runs == 1:
        return given[0][1]
    return ", ".join(f"{count} × {name}" for count, name in given)
