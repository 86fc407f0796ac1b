"""Photographs decoded once: a prepared data set on disk that every later start reads.

It is a tensorflow-datasets set of array_record files, written and read without TensorFlow, which
`tfds.builder_from_directory` opens. Photograph i of the index is record i.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from hairjax.data.cache import (
    VERSION,
    locked,
    place_of,
    remove_leftovers,
    require_room,
    show_others,
    to_disk,
    unfinished,
)
from hairjax.data.photos import Entry, Index
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare import PREPARATION, read_photo, without_warnings
from hairjax.data.problems import PhotoError, Problem, require_no_problems
from hairjax.data.record import File, Record
from hairjax.data.stored import SPLIT, Stored
from hairjax.display import Display
from hairjax.errors import UserError

_NOTES = "photographs.json"  # what is wanted at once and for all photographs
_SHARD_BYTES = 256 * 2**20  # pixels in one file


def prepare_once(
    index: Index,
    *,
    cache: Path,
    side: int,
    fit: str,
    on_bad: str,
    workers: int,
    display: Display,
) -> tuple[PhotoSet, list[Problem]]:
    """Open the prepared set of these photographs, which is made first where there is none.

    Any change of a file's path, size or time, of `side`, `fit`, Pillow or the way photographs are
    read is another set; labels, subjects and classes are the index's and not stored. Where several
    processes want one set, the first makes it and the others wait.

    Args:
        index: the photographs that were found.
        cache: the folder of prepared sets.
        side: height and width in pixels.
        fit: "squash" or "pad", as in `read_photo`.
        on_bad: "refuse" keeps no set in which a photograph cannot be used, "skip" does.
        workers: photographs decoded at the same time.
        display: shows the progress and where the set is.

    Returns:
        The photographs that could be read, their pixels on disk, and a problem for each other.

    Raises:
        UserError: the folder cannot be written to, there is too little room, or the set is
            damaged; a photograph cannot be used and `on_bad` is "refuse".
    """
    folder = place_of(cache, _key(index, side, fit))
    notes = _read_notes(folder, index)
    if notes is None:
        require_room(cache, len(index.entries) * side * side * 4)
        with locked(folder, display):
            notes = _read_notes(folder, index)
            if notes is None:
                remove_leftovers(folder)
                notes = _write(folder, index, side, fit, on_bad, workers, display)
                show_others(folder, display)
    kept = [i for i in range(len(index.entries)) if str(i) not in notes["problems"]]
    images = Stored.open(folder, np.array(kept, np.int64), side)
    display.say(f"prepared set: {folder}")
    entries = [index.entries[i] for i in kept]
    photoset = PhotoSet(
        images=images,
        labels=np.array([entry.label for entry in entries], np.int32),
        files=tuple(entry.file for entry in entries),
        subjects=tuple(entry.subject for entry in entries),
        sha256=tuple(notes["sha256"][i] for i in kept),
        classes=index.classes,
        has_masks=index.has_masks,
    )
    return photoset, _problems(notes)


def _problems(notes: dict[str, Any]) -> list[Problem]:
    return [Problem(**problem) for problem in notes["problems"].values()]


def _key(index: Index, side: int, fit: str) -> str:
    """What tells prepared sets apart: 16 hexadecimal digits."""
    files = [[entry.file, _stamp(entry.path), _stamp(entry.mask)] for entry in index.entries]
    parts = [PREPARATION, VERSION, PIL.__version__, side, fit, files]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _stamp(path: File | None) -> list[str | int]:
    if path is None:
        return []
    if isinstance(path, Record):
        return [str(path), *path.records.stamp]
    place = os.path.abspath(path)  # noqa: PTH100 (resolving links costs a look at every folder)
    try:
        stat = path.stat()
    except OSError:  # which reading it will report
        return [place]
    return [place, stat.st_size, stat.st_mtime_ns]


def _changed(entry: Entry) -> list[int]:
    """When the files of a photograph were last touched in any way, their rights included."""
    times = []
    for path in (entry.path, entry.mask):
        with suppress(OSError):
            times.append(path.stat().st_ctime_ns if isinstance(path, Path) else 0)
    return times


def _read_notes(folder: Path, index: Index) -> dict[str, Any] | None:
    """The notes of a finished set, or None: not prepared, or a bad file may be good by now.

    Raises:
        UserError: files of the set are missing or cut short.
    """
    if not folder.is_dir():
        return None
    try:
        notes = json.loads((folder / _NOTES).read_text())
        whole = all((folder / name).stat().st_size == n for name, n in notes["files"].items())
    except (OSError, ValueError) as error:
        raise UserError(f"the prepared set {folder} is damaged ({error}): delete it") from error
    if not whole:
        raise UserError(f"the prepared set {folder} is damaged (a file is cut short): delete it")
    touched = {i: _changed(index.entries[int(i)]) for i in notes["problems"]}
    return notes if touched == notes["touched"] else None


def _write(
    folder: Path,
    index: Index,
    side: int,
    fit: str,
    on_bad: str,
    workers: int,
    display: Display,
) -> dict[str, Any]:
    """Make the set; until it is whole and on the disk it has another name."""
    new = unfinished(folder)
    new.mkdir(mode=0o700)
    try:
        with display.progress("photographs prepared") as progress:
            notes = _write_records(new, index, side, fit, workers, progress)
        require_no_problems([*index.problems, *_problems(notes)], on_bad)
        (new / _NOTES).write_text(json.dumps(notes))
        for path in (*new.iterdir(), new):
            to_disk(path)
        # What is there is outdated: a file that could not be read may be readable now.
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
        to_disk(folder.parent)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return notes


def _write_records(
    folder: Path,
    index: Index,
    side: int,
    fit: str,
    workers: int,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    total = len(index.entries)
    # Before anything is read: what is put right meanwhile counts as touched.
    before = [_changed(entry) for entry in index.entries]
    sha256: list[str] = []
    problems: dict[str, dict[str, str]] = {}

    def examples() -> Generator[dict[str, Any], None, None]:
        # Decoding needs the interpreter's lock little, and never more of it is waiting than shown.
        with closing(_decoded(index, side, fit, workers)) as photographs:
            for i, (entry, result) in enumerate(zip(index.entries, photographs, strict=True)):
                if isinstance(result, Problem):
                    problems[str(i)] = asdict(result)
                    result = np.zeros((side, side, 4), np.uint8), ""
                sha256.append(result[1])
                progress(i + 1, total)
                yield {"image": result[0], "file": entry.file}

    try:
        with closing(examples()) as ready:
            sizes = _write_tfds(folder, ready, total, side)
    except (OSError, RuntimeError) as error:  # the latter is how array_record fails
        raise UserError(f"the prepared set {folder} cannot be written: {error}") from error
    touched = {i: before[int(i)] for i in problems}
    return {"sha256": sha256, "problems": problems, "touched": touched, "files": sizes}


def _decoded(
    index: Index, side: int, fit: str, workers: int
) -> Generator[tuple[np.ndarray, str] | Problem, None, None]:
    """Every photograph in order, decoded by threads that are a little ahead."""
    import grain

    def read(position: int) -> tuple[np.ndarray, str] | Problem:
        entry = index.entries[position]
        try:
            return read_photo(entry.path, entry.mask, side, fit)
        except PhotoError as error:
            return error.problem

    options = grain.ReadOptions(num_threads=workers, prefetch_buffer_size=4 * workers)
    dataset = grain.MapDataset.range(len(index.entries)).map(read).to_iter_dataset(options)
    with without_warnings(), closing(iter(dataset)) as photographs:
        yield from photographs


def _write_tfds(
    folder: Path, examples: Iterator[dict[str, Any]], total: int, side: int
) -> dict[str, int]:
    """Write examples as a tensorflow-datasets set; returns the size of every file of records."""
    import tensorflow_datasets as tfds
    from array_record.python.array_record_module import ArrayRecordWriter

    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Tensor(
                shape=(side, side, 4), dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
            ),
            "file": tfds.features.Text(),
        }
    )
    name = folder.parent.name
    each = max(_SHARD_BYTES // (side * side * 4), 1)
    lengths = [min(each, total - start) for start in range(0, total, each)]
    template = tfds.core.ShardedFileTemplate(
        dataset_name=name, data_dir=folder, split=SPLIT, filetype_suffix="array_record"
    )
    written = 0
    for path, length in zip(template.sharded_filepaths(len(lengths)), lengths, strict=True):
        # tfds's own writers shuffle, or compress so hard that reading takes three times as long.
        writer = ArrayRecordWriter(str(path), "group_size:1,snappy")
        for _ in range(length):
            record = features.serialize_example(next(examples))
            writer.write(record)
            written += len(record)
        writer.close()
    identity = tfds.core.DatasetIdentity(name, tfds.core.Version(VERSION), str(folder), "hairjax")
    info = tfds.core.DatasetInfo(
        builder=identity,
        description="Photographs and hair masks, turned and resized by hairjax.",
        features=features,
    )
    info.set_file_format("array_record")
    split = tfds.core.SplitInfo(SPLIT, lengths, written, filename_template=template)
    info.set_splits(tfds.core.SplitDict([split]))
    info.write_to_directory(str(folder))
    return {path.name: path.stat().st_size for path in folder.iterdir()}
