"""Prepared data set on disk: images decoded once, read by all later starts.

A tensorflow-datasets set of array_record files, readable by `tfds.builder_from_directory`, written
and read without TensorFlow. Record i is image i of the index.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL

from hairjax.data.options import PrepareOptions
from hairjax.data.photoset import PhotoSet
from hairjax.data.prepare.cache import (
    VERSION,
    locked,
    place_of,
    remove_leftovers,
    report_other_sets,
    require_room,
    shared_lock,
    to_disk,
    unfinished,
    write_error,
)
from hairjax.data.prepare.containers import decoders
from hairjax.data.prepare.levels import Facts
from hairjax.data.prepare.pieces import Piece, changed, cut, joined, write_pieces
from hairjax.data.prepare.read import PREPARATION, photoset_of, usable
from hairjax.data.prepare.stored import SPLIT, Stored
from hairjax.data.sources.photos import Index
from hairjax.data.sources.problems import Problem, require_no_problems
from hairjax.data.sources.record import File
from hairjax.system import console
from hairjax.system.errors import UserError

_NOTES = "photographs.json"  # metadata of all images
_WORK = "work"  # metadata of each piece of an unfinished set


def prepare_once(index: Index, options: PrepareOptions) -> tuple[PhotoSet, list[Problem]]:
    """Open the prepared set of an index, creating it if absent; return images and problems.

    The key covers paths, sizes and times of the files, side, fit, mask values, decoders and the
    version of the preparation; labels, subjects and classes come from the index. Concurrent
    processes share the work, and finished pieces of a killed process are reused. With ``on_bad``
    "refuse" a set with unusable images is not stored.

    Raises:
        UserError: the folder is not writable or lacks space; the set is damaged; an image is
            unusable and ``on_bad`` is "refuse".
    """
    cache, side = Path(options.cache).expanduser(), options.side
    folder = place_of(cache, _key(index, options))
    notes = _read_notes(folder, index)
    if notes is None:
        require_room(cache, len(index.entries) * side * side * 4)
        remove_leftovers(folder)
        with shared_lock(folder):
            notes = _make(folder, index, options)
        report_other_sets(folder)
    facts = {
        i: Facts.from_json(fact)
        for i, fact in enumerate(notes["facts"])
        if str(i) not in notes["problems"]
    }
    selection = usable(index, facts, options)
    images = Stored.open(folder, selection.places, selection.factors, side)
    console.say(f"prepared set: {folder}")
    problems = [*_problems(notes), *selection.problems]
    return photoset_of(index, facts, selection, images), problems


def _problems(notes: dict[str, Any]) -> list[Problem]:
    return [Problem(**problem) for problem in notes["problems"].values()]


def _key(index: Index, options: PrepareOptions) -> str:
    """Key of a prepared set: 16 hexadecimal digits of a digest of its files and preparation."""
    files = [[entry.file, _stamp(entry.path), _stamp(entry.mask)] for entry in index.entries]
    how = [options.side, options.fit, options.hair.how, options.hair.value]
    parts = [PREPARATION, VERSION, PIL.__version__, decoders(), *how, files]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _stamp(path: File | None) -> list[str | int]:
    if path is None:
        return []
    if not isinstance(path, Path):
        return [str(path), *path.stamp]
    place = os.path.abspath(path)  # noqa: PTH100 (resolving links reads every parent folder)
    try:
        stat = path.stat()
    except OSError:  # reported on reading
        return [place]
    return [place, stat.st_size, stat.st_mtime_ns]


def _read_notes(folder: Path, index: Index) -> dict[str, Any] | None:
    """Notes of a finished set; None if not prepared, or if an unusable file has changed.

    Raises:
        UserError: files of the set are missing or truncated.
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
    touched = {i: changed(index.entries[int(i)]) for i in notes["problems"]}
    return notes if touched == notes["touched"] else None


class _Records(NamedTuple):
    lengths: list[int]
    size: int
    notes: dict[str, Any]


def _make(folder: Path, index: Index, options: PrepareOptions) -> dict[str, Any]:
    """Create the set under a temporary name and publish it."""
    new, finish = unfinished(folder), folder.parent / "finish"
    features = _features(options.side)
    with locked(finish):
        if notes := _read_notes(folder, index):
            return notes
        new.mkdir(mode=0o700, exist_ok=True)
        (new / _WORK).mkdir(exist_ok=True)
        if options.beam:
            records = _run_beam(folder, index, features, options)
            return _finish(folder, index, features, records, options.on_bad)
    parts = cut(len(index.entries))
    paths = _template(folder).sharded_filepaths(len(parts))
    pieces = [
        Piece(Path(path), new / _WORK / f"{number:05}.json", photographs)
        for number, (path, photographs) in enumerate(zip(paths, parts, strict=True))
    ]
    with console.progress("photographs prepared") as progress:
        write_pieces(pieces, index, features.serialize_example, options, progress)
    with locked(finish):
        if notes := _read_notes(folder, index):
            return notes
        notes, size = joined(pieces)
        records = _Records([*map(len, parts)], size, notes)
        return _finish(folder, index, features, records, options.on_bad)


def _run_beam(folder: Path, index: Index, features: Any, options: PrepareOptions) -> _Records:
    try:
        from hairjax.data.prepare.beam import write_with_beam
    except ImportError as error:
        raise UserError(
            f"config.data.beam needs the package {error.name}: pip install -r requirements-beam.txt"
        ) from error
    work = unfinished(folder) / _WORK
    files, lengths, size, notes = write_with_beam(work, index, features, options)
    paths = _template(folder).sharded_filepaths(len(files))
    for file, path in zip(files, paths, strict=True):
        file.rename(path)
    return _Records(lengths, size, notes)


def _finish(
    folder: Path,
    index: Index,
    features: Any,
    records: _Records,
    on_bad: str,
) -> dict[str, Any]:
    import tensorflow_datasets as tfds

    new, name, notes = unfinished(folder), folder.parent.name, records.notes
    require_no_problems([*index.problems, *_problems(notes)], on_bad)
    try:
        identity = tfds.core.DatasetIdentity(name, tfds.core.Version(VERSION), str(new), "hairjax")
        info = tfds.core.DatasetInfo(
            builder=identity,
            description="Photographs and hair masks, turned and resized by hairjax.",
            features=features,
        )
        info.set_file_format("array_record")
        split = tfds.core.SplitInfo(
            SPLIT, records.lengths, records.size, filename_template=_template(folder)
        )
        info.set_splits(tfds.core.SplitDict([split]))
        info.write_to_directory(str(new))
        files = [path for path in new.iterdir() if path.is_file()]
        notes["files"] = {path.name: path.stat().st_size for path in files}
        (new / _NOTES).write_text(json.dumps(notes))
        for path in (*files, new / _NOTES, new):
            to_disk(path)
        # An existing set is outdated: its unusable files have changed.
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
        to_disk(folder.parent)
    except OSError as error:
        raise write_error(new, error) from error
    # Last: without the sidecars, other processes would start over.
    shutil.rmtree(folder / _WORK)
    return notes


def _template(folder: Path) -> Any:
    import tensorflow_datasets as tfds

    return tfds.core.ShardedFileTemplate(
        dataset_name=folder.parent.name,
        data_dir=unfinished(folder),
        split=SPLIT,
        filetype_suffix="array_record",
    )


def _features(side: int) -> Any:
    import tensorflow_datasets as tfds

    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Tensor(
                shape=(side, side, 4), dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
            ),
            "file": tfds.features.Text(),
        }
    )
