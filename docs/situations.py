"""Write docs/situations.md from the tests that are marked with a situation.

python -m docs.situations
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "situations.md"
# The page's parts, in its order.
PARTS = (
    "Masks",
    "Photographs",
    "Classes and labels",
    "Subjects",
    "Folders and manifests",
    "Splits and leaks",
    "Weights",
    "Runs",
    "Results",
)

INTRODUCTION = """\
# Situations

What people have, and what hairjax does with it. What files mean is recognised for the whole set and
said in a line at the start, or asked for by a key. This page is written by
`python -m docs.situations` from the tests, each marked with its situation: every row is run.
"""


@dataclass(frozen=True)
class Situation:
    """A row of the page."""

    part: str
    what: str  # what people have
    does: str  # what hairjax does with it


def situations(folder: Path = ROOT / "tests") -> list[Situation]:
    """Every `pytest.mark.situation(part, what, does)` below `folder`, by file and line.

    Raises ValueError for a mark that is not three texts, or of a part that the page does not have.
    """
    return [
        _situation(call, f"{path.relative_to(folder)}:{call.lineno}")
        for path in sorted(folder.rglob("test_*.py"))
        for call in _marks(ast.parse(path.read_text()))
    ]


def page(rows: list[Situation]) -> str:
    """The page, a table for each part; a situation of several tests is one row."""
    lines = [INTRODUCTION]
    for part in PARTS:
        cells = dict.fromkeys(f"| {row.what} | {row.does} |" for row in rows if row.part == part)
        lines += [
            f"## {part}\n",
            "| what people have | what hairjax does |",
            "|---|---|",
            *cells,
            "",
        ]
    return "\n".join(lines)


def _marks(tree: ast.AST) -> Iterator[ast.Call]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    marks = [call for call in calls if ast.unparse(call.func).endswith("mark.situation")]
    yield from sorted(marks, key=lambda call: call.lineno)


def _situation(call: ast.Call, place: str) -> Situation:
    match [ast.literal_eval(argument) for argument in call.args]:
        case [part, str(what), str(does)] if part in PARTS:
            return Situation(part, what, does)
        case texts:
            raise ValueError(
                f"{place}: a situation is a part of {PARTS} and two texts, not {texts}"
            )


if __name__ == "__main__":
    TARGET.write_text(page(situations()))
