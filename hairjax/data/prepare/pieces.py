"""Prepared set in pieces, shared among the threads of all participating processes.

Each thread locks a free piece, decodes and writes it; processes on one or several machines
coordinate through the folder alone. The lock of a dead process is released; finished pieces are
reused by later starts.
"""

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from hairjax.data.options import PrepareOptions
from hairjax.data.prepare.cache import write_error
from hairjax.data.prepare.levels import Facts
from hairjax.data.prepare.read import Decoded, read_photo, without_warnings
from hairjax.data.sources.photos import Entry, Index
from hairjax.data.sources.problems import PhotoError, Problem

MOST = 128  # pieces at most; each is an open file of every reader
_POLL = 0.2  # seconds


@dataclass(frozen=True)
class Piece:
    """Some images of a set.

    `records` is their complete file, `side` its JSON sidecar with `bytes`, `facts`, `problems` and
    `touched`, as in the notes of the set.
    """

    records: Path
    side: Path
    photographs: range


def cut(total: int) -> list[range]:
    """Ranges of images by piece, all but the last of equal size."""
    each = max(-(-total // MOST), 1)
    return [range(start, min(start + each, total)) for start in range(0, total, each)]


def changed(entry: Entry) -> list[int]:
    """Change times (ctime, ns) of the files of an image."""
    times = []
    for path in (entry.path, entry.mask):
        with suppress(OSError):
            times.append(path.stat().st_ctime_ns if isinstance(path, Path) else 0)
    return times


def decode(entry: Entry, options: PrepareOptions) -> tuple[Decoded, Problem | None]:
    """Decode an image; a bad one is black, with its problem."""
    side = options.side
    try:
        return read_photo(entry.path, entry.mask, side, options.fit, options.hair), None
    except PhotoError as error:
        black = np.zeros((side, side, 4), np.uint8)
        return Decoded(black, Facts("", 0, 0, None)), error.problem


def write_pieces(
    pieces: Sequence[Piece],
    index: Index,
    encode: Callable[[dict[str, Any]], bytes],
    options: PrepareOptions,
    progress: Callable[[int, int], None],
) -> None:
    """Write pieces until all are finished or another process has published the set.

    `encode` serialises an example; `options.workers` pieces are written in parallel; `progress` is
    called with (images done, images in all).

    Raises:
        UserError: a piece cannot be written.
    """
    done, left, stop = 0, list(pieces), Event()

    def write(piece: Piece) -> bool:
        if _is_finished(piece, index):
            return True
        with _try_lock(piece.side.with_suffix(".lock")) as acquired:
            if acquired and not _is_finished(piece, index):
                _write(piece, index, encode, options, stop)
        return acquired

    while left and pieces[0].side.parent.exists():
        others = []
        with without_warnings(), ThreadPoolExecutor(options.workers) as pool:
            try:
                for piece, finished in zip(left, pool.map(write, left), strict=True):
                    if finished:
                        done += len(piece.photographs)
                        progress(done, len(index.entries))
                    else:
                        others.append(piece)
            except BaseException:
                stop.set()
                raise
        if others:
            time.sleep(_POLL)
        left = others


def joined(pieces: Sequence[Piece]) -> tuple[dict[str, Any], int]:
    """Notes on the images of all finished pieces, and total bytes of the records."""
    parts = [json.loads(piece.side.read_text()) for piece in pieces]
    notes: dict[str, Any] = {
        "facts": [facts for part in parts for facts in part["facts"]],
        "problems": {i: problem for part in parts for i, problem in part["problems"].items()},
        "touched": {i: times for part in parts for i, times in part["touched"].items()},
    }
    return notes, sum(part["bytes"] for part in parts)


def _is_finished(piece: Piece, index: Index) -> bool:
    """True if written and none of its bad files has changed since."""
    try:
        touched = json.loads(piece.side.read_text())["touched"]
    except FileNotFoundError:
        return False
    return touched == {i: changed(index.entries[int(i)]) for i in touched}


@contextmanager
def _try_lock(path: Path) -> Iterator[bool]:
    """Try to take a lock; yield False if held by another process or moved with the finished set."""
    try:
        file = path.open("w")
    except FileNotFoundError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _write(
    piece: Piece,
    index: Index,
    encode: Callable[[dict[str, Any]], bytes],
    options: PrepareOptions,
    stop: Event,
) -> None:
    from array_record.python.array_record_module import ArrayRecordWriter

    entries = [index.entries[i] for i in piece.photographs]
    # Before reading, so that files corrected meanwhile count as changed.
    before = [changed(entry) for entry in entries]
    notes: dict[str, Any] = {"facts": [], "problems": {}, "touched": {}, "bytes": 0}
    try:
        # tfds's own writers shuffle, or compress to three times the reading time.
        writer = ArrayRecordWriter(str(piece.records), "group_size:1,snappy")
        for i, entry, touched in zip(piece.photographs, entries, before, strict=True):
            if stop.is_set():
                return
            decoded, problem = decode(entry, options)
            if problem:
                notes["problems"][str(i)] = asdict(problem)
                notes["touched"][str(i)] = touched
            notes["facts"].append(decoded.facts.to_json())
            record = encode({"image": decoded.pixels, "file": entry.file})
            writer.write(record)
            notes["bytes"] += len(record)
        writer.close()
        unfinished = piece.side.with_suffix(".part")
        unfinished.write_text(json.dumps(notes))
        unfinished.replace(piece.side)
    except (OSError, RuntimeError) as error:  # array_record raises RuntimeError
        raise write_error(piece.records.parent, error) from error
