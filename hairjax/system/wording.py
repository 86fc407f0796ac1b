"""Numbers with their nouns, and lists, as messages say them."""

import csv
import io
import shlex
from collections.abc import Sequence


def counted(count: int, one: str, many: str = "") -> str:
    """E.g. ``1 device``, ``1,200 devices``; ``many`` for an irregular plural."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def as_csv(cells: Sequence[str]) -> str:
    """Return cells with commas between, in quotation marks where they hold one."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def flag(name: str, value: object) -> str:
    """Return ``--name=value`` as it can be pasted into a shell."""
    return shlex.quote(f"--{name}={value}")


def in_bytes(count: float) -> str:
    """E.g. ``512 B``, ``1.5 kB``, ``331.0 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.1f} {unit}" if unit != "B" else f"{count:.0f} B"
        count /= 1000
    return f"{count:.1f} TB"
