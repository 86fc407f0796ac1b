"""Names of configurations in Markdown and LaTeX."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hairjax.report.comparison.text import escape_latex, escape_markdown
from tests.report.test_page import Page

PRINTED = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="\x7f"))


@given(PRINTED)
def test_markdown_shows_a_name_in_a_cell_as_it_is(name):
    text = f"| {escape_markdown(name)} | 1 |\n| --- | ---: |\n| {escape_markdown(name)} | 2 |\n"
    page = Page(MarkdownIt("commonmark").enable(["table"]).render(text))
    shown = " ".join(name.split())
    assert [[" ".join(cell.split()) for cell in row] for row in page.rows] == [
        [shown, "1"],
        [shown, "2"],
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.in_channels=3", r"model.in\_channels=3"),
        ("50 % & $x$ #1", r"50 \% \& \$x\$ \#1"),
        (r"C:\{a}", r"C:\textbackslash{}\{a\}"),
        (
            "~/a^b <c>|",
            r"\textasciitilde{}/a\textasciicircum{}b \textless{}c\textgreater{}\textbar{}",
        ),
        ("−0.1 ± 0.2 – 3", r"$-$0.1 $\pm$ 0.2 -- 3"),
        ("two\nlines", "two lines"),
    ],
)
def test_latex_prints_a_name_as_it_is(text, expected):
    assert escape_latex(text) == expected
