"""Comparison as Markdown and as a LaTeX table (booktabs)."""

import re
from collections.abc import Sequence

from hairjax.evaluation.metrics.intervals import Estimate
from hairjax.evaluation.metrics.paired import METRICS, Summary
from hairjax.report.comparison.summary import (
    HIGHER_IS_BETTER,
    TESTS,
    TESTS_NOTE,
    TITLES,
    UNKNOWN,
    Comparison,
    spread,
)
from hairjax.report.numbers import number_range, signed
from hairjax.system.wording import counted

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "↓": r"$\downarrow$",
} | {letter: f"\\{letter}" for letter in "&%$#_{}"}


def escape_markdown(text: str) -> str:
    """Escape text for Markdown, in tables too."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&$])", r"\\\1", " ".join(text.split()))


def escape_latex(text: str) -> str:
    """Escape text for LaTeX."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))


def markdown(found: Comparison) -> str:
    """Tables of the page in Markdown."""
    header = ["", *(_title(metric) for metric in METRICS)]
    values = [
        [escape_markdown(name), *(_value(summary, metric) for metric in METRICS)]
        for name, summary in zip(found.names, found.summaries, strict=True)
    ]
    differences = [
        [escape_markdown(name), *(_difference(pair.differences[metric]) for metric in METRICS)]
        for name, _, pair in found.compared()
    ]
    tests = [[escape_markdown(name), *cells] for name, *cells in found.tests()]
    runs = [
        f"- {escape_markdown(name)}: "
        + ", ".join(f"{escape_markdown(folder)} (seed {seed})" for folder, seed in runs)
        for name, runs in zip(found.names, found.runs, strict=True)
    ]
    return (
        "\n\n".join(
            [
                f"# {len(found.names)} configurations compared",
                f"Evaluated on the same {found.evaluated_on}. Reference: "
                f"{escape_markdown(found.names[0])}.",
                *map(escape_markdown, found.notes),
                f"In brackets: 95 % intervals ({found.interval_note}).",
                _markdown_table(header, values),
                "## Differences from the reference",
                _markdown_table(header, differences),
                "## Significance tests of accuracy",
                _markdown_table(list(TESTS), tests),
                TESTS_NOTE,
                "## Runs",
                "\n".join(runs),
            ]
        )
        + "\n"
    )


def _title(metric: str) -> str:
    return TITLES[metric] + ("" if HIGHER_IS_BETTER[metric] else " ↓")


def _value(summary: Summary, metric: str) -> str:
    return f"{spread(summary, metric)} ({number_range(summary.interval(metric))})"


def _difference(difference: Estimate | None) -> str:
    value, interval = difference or UNKNOWN
    return f"{signed(value)} ({number_range(interval)})"


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    aligned = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, aligned, *rows))


def latex(found: Comparison) -> str:
    """LaTeX table: values, then differences from the reference."""
    values = []
    for name, summary in zip(found.names, found.summaries, strict=True):
        values.append([name, *(spread(summary, metric) for metric in METRICS), ""])
        values.append(["", *(f"({number_range(summary.interval(m))})" for m in METRICS), ""])
    differences = []
    for (name, _, pair), p in zip(found.compared(), found.tests(), strict=True):
        cells = [pair.differences[metric] or UNKNOWN for metric in METRICS]
        differences.append([name, *(signed(value) for value, _ in cells), p[-1]])
        differences.append(["", *(f"({number_range(interval)})" for _, interval in cells), ""])
    columns = len(METRICS) + 2
    below = rf"\emph{{Difference from {escape_latex(found.names[0])}}}"
    caption = (
        f"Evaluated on the same {found.evaluated_on}. In brackets: 95 % intervals (paired "
        f"{found.interval_note}); p: by subject for accuracy, two-sided, Holm-corrected over "
        f"{counted(len(found.pairs), 'comparison')}. {' '.join(found.notes)} ↓: lower is better."
    )
    return "\n".join(
        [
            r"% \usepackage{booktabs} in the preamble",
            r"\begin{table}",
            rf"\caption{{{escape_latex(caption)}}}",
            r"\centering\small",
            rf"\begin{{tabular}}{{l{'c' * (columns - 1)}}}",
            r"\toprule",
            _latex_row(["", *(_title(metric) for metric in METRICS), "p"]),
            r"\midrule",
            *map(_latex_row, values),
            r"\midrule",
            rf"\multicolumn{{{columns}}}{{l}}{{{below}}} \\",
            *map(_latex_row, differences),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(escape_latex, cells)) + r" \\"
