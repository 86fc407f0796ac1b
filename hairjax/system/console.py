"""Console for progress and messages: a live line on a terminal, plain lines elsewhere.

Redirect within a block: ``with shown_on(Console(quiet=True)): …``.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

_ELSEWHERE: ContextVar[Console | None] = ContextVar("console", default=None)


@functools.cache
def _standard_output() -> Console:
    # No highlighting or wrapping, for logs.
    return Console(highlight=False, soft_wrap=True)


def _console() -> Console:
    return _ELSEWHERE.get() or _standard_output()


@contextmanager
def shown_on(console: Console) -> Iterator[None]:
    """Print to another console within the block."""
    token = _ELSEWHERE.set(console)
    try:
        yield
    finally:
        _ELSEWHERE.reset(token)


def say(text: str) -> None:
    """Print one plain line."""
    _console().print(Text(text))


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback (done, total) for a bar on terminals; print the last total at the end."""
    total = 0
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _bar(*columns) as bar:
        task = bar.add_task(label, total=None)

        def update(done: int, count: int) -> None:
            nonlocal total
            total = count
            bar.update(task, completed=done, total=count)

        yield update
    say(f"{label}: {total:,}")


@contextmanager
def training(steps: int, done: int) -> Iterator[Callable[[int, str], None]]:
    """Yield a callback (steps done, text) for the live line of a training."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with _bar(*columns) as bar:
        task = bar.add_task("compiling", total=steps, completed=done)
        yield lambda done, text: bar.update(task, completed=done, description=text)


def table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a table; the first column wraps if it is too wide."""
    # Text objects, so that names such as “stage [late]” or “:on:” are not taken for markup.
    grid = Table(title=Text(title, "table.title"), title_justify="left", box=SIMPLE_HEAD)
    for i, name in enumerate(header):
        justify: Literal["left", "right"] = "left" if i == 0 else "right"
        grid.add_column(Text(name), justify=justify, no_wrap=i > 0, overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))
    _console().print(grid)


def _bar(*columns: ProgressColumn) -> Progress:
    console = _console()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def duration(seconds: float) -> str:
    """E.g. ``42 s``, ``3 min 05 s``, ``8 h 20 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
