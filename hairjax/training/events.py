"""Every number of every epoch as TensorBoard events, where ``log.tensorboard`` asks for them.

The files of the run are the truth: a run that goes on has its events written anew from them.
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
    """Yield a function that takes an epoch's lines of ``metrics.jsonl`` and ``timing.jsonl``.

    Args:
        folder: folder of the run, whose finished epochs are written at once, in place of whatever
            events are there.
        on: True if anything is written.
    """
    if not on:
        yield lambda metrics, timing: None
        return
    from tensorboardX import SummaryWriter

    # Emptied and not removed: a TensorBoard that is reading a file would wait for it for ever.
    # Purging makes it forget what it has read.
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
            # A kill may have come between an epoch's checkpoint and its timing.
            add(row, timings.get(row["epoch"], {}))
        yield add
    finally:
        _close(writer, folder.tensorboard)


def _close(writer: Any, place: Path) -> None:
    """Write what is left and close; where the disk is full, close without it."""
    try:
        writer.close()
    except OSError as error:
        # tensorboardX would try once more when Python ends, and its thread wait in vain.
        events = writer.file_writer.event_writer
        events._worker.stop()
        events._closed = True
        error.filename = error.filename or str(place)
        raise
