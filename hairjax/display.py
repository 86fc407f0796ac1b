"""What a run shows: a live line on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class Display:
    """Prints to a console; tests and notebooks may give their own."""

    def __init__(self, console: Console | None = None):
        # Nothing is highlighted or wrapped: lines go into logs and are searched there.
        self.console = console or Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """One plain line."""
        self.console.print(Text(text))

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Yield a callback (done, total); a bar on a terminal, one line at the end elsewhere."""
        total = 0
        columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with self._bar(*columns) as bar:
            task = bar.add_task(label, total=None)

            def update(done: int, of: int) -> None:
                nonlocal total
                total = of
                bar.update(task, completed=done, total=of)

            yield update
        self.say(f"{label}: {total:,}")

    @contextmanager
    def training(self, steps: int, done: int) -> Iterator[Callable[[int, str], None]]:
        """Yield a callback (steps done, text) for the live line of a training run."""
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with self._bar(*columns) as bar:
            task = bar.add_task("compiling", total=steps, completed=done)
            yield lambda done, text: bar.update(task, completed=done, description=text)

    def table(self, title: str, header: list[str], rows: list[list[str]]) -> None:
        """Show a small table; where it is too wide, the first column is broken into lines."""
        # Names are nobody's markup: “stage [late]” is not a style, nor “:on:” a picture.
        table = Table(title=Text(title, "table.title"), title_justify="left", box=SIMPLE_HEAD)
        for i, name in enumerate(header):
            justify: Literal["left", "right"] = "left" if i == 0 else "right"
            table.add_column(Text(name), justify=justify, no_wrap=i > 0, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self.console.print(table)

    def _bar(self, *columns: ProgressColumn) -> Progress:
        return Progress(
            *columns,
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )


def duration(seconds: float) -> str:
    """E.g. ``42 s``, ``3 min 05 s``, ``8 h 20 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
