"""TensorBoard events of every epoch (``log.tensorboard``).

Derived from the run's files: a resumed run rewrites its events.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hairjax.config.schema import flatten
from hairjax.runs.folder import RunFolder

Row = dict[str, Any]


@contextmanager
def epoch_events(folder: RunFolder, *, on: bool) -> Iterator[Callable[[Row, Row], None]]:
    """Yield a function that writes an epoch's rows of ``metrics.jsonl`` and ``timing.jsonl``.

    Finished epochs replace existing events on entry. ``on=False``: no events.
    """
    if not on:
        yield lambda metrics, timing: None
        return
    from tensorboardX import SummaryWriter

    # Truncated, not removed: a running TensorBoard would wait for a removed file forever.
    # Purging makes it drop the events it has read.
    for file in folder.tensorboard.glob("events.*"):
        file.write_bytes(b"")
    writer = SummaryWriter(str(folder.tensorboard), purge_step=0)

    def add(metrics: Row, timing: Row) -> None:
        for name, value in flatten({**metrics, "timing": timing}):
            undefined = value is None
            if name not in ("epoch", "timing.epoch") and not undefined:
                writer.add_scalar(name.replace(".", "/"), value, metrics["epoch"])

    try:
        timings = {row["epoch"]: row for row in folder.read_lines(folder.timing)}
        for row in folder.read_lines(folder.history):
            # A kill between an epoch's checkpoint and its timing leaves none.
            add(row, timings.get(row["epoch"], {}))
        yield add
    finally:
        _close(writer, folder.tensorboard)


def _close(writer: Any, place: Path) -> None:
    """Flush and close; on a full disk, close without flushing."""
    try:
        writer.close()
    except OSError as error:
        # Otherwise tensorboardX retries at exit and its thread hangs.
        events = writer.file_writer.event_writer
        events._worker.stop()
        events._closed = True
        error.filename = error.filename or str(place)
        raise
