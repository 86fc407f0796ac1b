"""A prepared set in pieces: one thread of one process decodes and writes each.

Whoever wants a set takes the pieces that nobody has taken: the threads of a process, and other
processes that see the same folder, on one machine or several. They need not know of each other. The
system gives back a piece whose process has died; one that is finished stays, for a later start too.
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
from hairjax.data.prepare.cache import not_written
from hairjax.data.prepare.levels import Facts
from hairjax.data.prepare.read import Decoded, read_photo, without_warnings
from hairjax.data.sources.photos import Entry, Index
from hairjax.data.sources.problems import PhotoError, Problem

MOST = 128  # pieces: of a million photographs too, since each is a file that readers keep open
_POLL = 0.2  # seconds between looks at what other processes have finished


@dataclass(frozen=True)
class Piece:
    """Some photographs of a set.

    `records` is their file once it is whole, `side` the file beside it that says so: JSON with
    `bytes`, and `facts`, `problems` and `touched` as in the notes of the set.
    """

    records: Path
    side: Path
    photographs: range


def cut(total: int) -> list[range]:
    """The photographs of every piece: equally many in all but the last."""
    each = max(-(-total // MOST), 1)
    return [range(start, min(start + each, total)) for start in range(0, total, each)]


def changed(entry: Entry) -> list[int]:
    """Times at which the files of a photograph were last touched, their rights included."""
    times = []
    for path in (entry.path, entry.mask):
        with suppress(OSError):
            times.append(path.stat().st_ctime_ns if isinstance(path, Path) else 0)
    return times


def decode(entry: Entry, options: PrepareOptions) -> tuple[Decoded, Problem | None]:
    """A photograph and what is known of it; a bad one is black, and what is wrong is said."""
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
    """Return when every piece is finished, or another process has put the finished set in place.

    Args:
        pieces: pieces of the set, in a folder that is there.
        index: the photographs that were found.
        encode: an example to a record.
        options: side, fit and workers, the number of pieces written at the same time.
        progress: called with (photographs done, photographs in all).

    Raises:
        UserError: a piece cannot be written.
    """
    done, left, stop = 0, list(pieces), Event()

    def write(piece: Piece) -> bool:
        if _is_finished(piece, index):
            return True
        with _try_lock(piece.side.with_suffix(".lock")) as mine:
            if mine and not _is_finished(piece, index):
                _write(piece, index, encode, options, stop)
        return mine

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
    """Notes on the photographs of all finished pieces, and the bytes of their records."""
    parts = [json.loads(piece.side.read_text()) for piece in pieces]
    notes: dict[str, Any] = {
        "facts": [facts for part in parts for facts in part["facts"]],
        "problems": {i: problem for part in parts for i, problem in part["problems"].items()},
        "touched": {i: times for part in parts for i, times in part["touched"].items()},
    }
    return notes, sum(part["bytes"] for part in parts)


def _is_finished(piece: Piece, index: Index) -> bool:
    """True if it is written and none of its bad files were touched since."""
    try:
        touched = json.loads(piece.side.read_text())["touched"]
    except FileNotFoundError:
        return False
    return touched == {i: changed(index.entries[int(i)]) for i in touched}


@contextmanager
def _try_lock(path: Path) -> Iterator[bool]:
    """Try to take a lock; yield False if another has it, or has finished the set and moved it."""
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
    """Write the records, then what says that they are whole."""
    from array_record.python.array_record_module import ArrayRecordWriter

    entries = [index.entries[i] for i in piece.photographs]
    # Before anything is read: what is put right meanwhile counts as touched.
    before = [changed(entry) for entry in entries]
    notes: dict[str, Any] = {"facts": [], "problems": {}, "touched": {}, "bytes": 0}
    try:
        # tfds's own writers shuffle, or compress so hard that reading takes three times as long.
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
    except (OSError, RuntimeError) as error:  # the latter is how array_record fails
        raise not_written(piece.records.parent, error) from error
