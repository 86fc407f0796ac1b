"""Training images of weights, including those of all ancestor runs.

Each run stores its ancestors' training images in ``ancestry.json`` when it starts, and ``convert``
in the file, independent of folders moved or retrained later. Subjects are stored as digests.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hairjax.builders.model import ModelSpecification
from hairjax.builders.setup import resolve
from hairjax.data.options import SourceOptions
from hairjax.data.split import read_rows
from hairjax.runs.derived import source_runs
from hairjax.runs.folder import RunFolder
from hairjax.system.errors import UserError
from hairjax.weights import WeightsError
from hairjax.weights.contents import read_metadata
from hairjax.weights.load import find_weights, is_run

METADATA = "ancestry"  # key in the metadata of a converted file
_ON_HUB = "hf://"


@dataclass(frozen=True)
class RunImages:
    """Images that shaped the weights of one run: for training, and to select its best epoch."""

    run: str  # folder name of the run
    photographs: frozenset[str]  # SHA-256 of the training images
    subjects: frozenset[str]  # digests of their subjects, see `subject_digest`
    selected: frozenset[str]  # SHA-256 of the validation images


@dataclass(frozen=True)
class Ancestry:
    """Training images of weights, along the chain of runs.

    Attributes:
        learnt: images of each run, the nearest first.
        untraced: reason for each untraceable source, with file and folder names, without paths.
    """

    learnt: tuple[RunImages, ...] = ()
    untraced: tuple[str, ...] = ()

    @property
    def runs(self) -> str:
        """Names of the runs, for a sentence."""
        return ", ".join(dict.fromkeys(one.run for one in self.learnt))


def joined(parts: Sequence[Ancestry]) -> Ancestry:
    """Union of several ancestries."""
    return Ancestry(
        tuple(dict.fromkeys(one for part in parts for one in part.learnt)),
        tuple(dict.fromkeys(one for part in parts for one in part.untraced)),
    )


def subject_digest(subject: str, source: SourceOptions) -> str:
    """SHA-256 of a subject's name.

    Names in folders and manifests are comparable across runs, those of synthetic images within a
    seed, those of a tensorflow-datasets set within the set.
    """
    people = f"synthetic {source.seed}" if source.synthetic else source.data_set
    name = unicodedata.normalize("NFC", subject)
    return hashlib.sha256(f"{people}\0{name}".encode()).hexdigest()


def weights_ancestry(model: ModelSpecification, weights: Sequence[Path | None]) -> Ancestry:
    """Ancestry of the weights of all streams, from the paths of `find_model_weights`."""
    return joined(
        [
            source_ancestry(stream.source, path)
            for stream, path in zip(model.streams, weights, strict=True)
            if path is not None
        ]
    )


def source_ancestry(source: str, path: Path, visited: tuple[Path, ...] = ()) -> Ancestry:
    """Ancestry of weights, including themselves.

    `source` is as configured, `path` from `find_weights`; `visited` are the descendant runs, as
    absolute paths.
    """
    return run_ancestry(path, visited) if is_run(path) else _file_ancestry(source, path)


def run_ancestry(path: Path, visited: tuple[Path, ...] = ()) -> Ancestry:
    """Ancestry of a run or derived run: itself and all its ancestors."""
    folder, place = RunFolder(path), path.resolve()
    if place in visited:  # a folder retrained from its own former weights
        return Ancestry()
    try:
        own = _own_ancestry(folder)
    except UserError:
        own = Ancestry(untraced=(f"the split.csv of {place.name} cannot be read",))
    return joined([own, ancestors(folder, (*visited, place))])


def ancestors(folder: RunFolder, visited: tuple[Path, ...] = ()) -> Ancestry:
    """Ancestry of a run's initial weights, as stored or traced."""
    try:
        stored = read_ancestry(folder)
        if stored is not None:
            return stored
        if "made" in folder.read_config():
            return joined([_member(folder, path, visited) for path in source_runs(folder)])
        streams = resolve(folder.read_config()).model.streams
    except UserError:
        name = folder.path.resolve().name
        return Ancestry(untraced=(f"the config.json or ancestry.json of {name} cannot be read",))
    return joined([_configured(folder, stream.source, visited) for stream in streams])


def _member(folder: RunFolder, path: Path, visited: tuple[Path, ...]) -> Ancestry:
    if RunFolder(path).config.is_file():
        return run_ancestry(path, visited)
    name = folder.path.resolve().name
    return Ancestry(untraced=(f"{name} derives from {path.name}, which does not exist",))


def _configured(folder: RunFolder, source: str, visited: tuple[Path, ...]) -> Ancestry:
    """Ancestry of the configured initial weights of a run; offline."""
    if source == "none" or source.startswith(_ON_HUB):
        return Ancestry()
    try:
        return source_ancestry(source, find_weights(source), visited)
    except (WeightsError, OSError):
        name, before = folder.path.resolve().name, Path(source).name
        return Ancestry(untraced=(f"{name} began with {before}, which does not exist",))


def _file_ancestry(source: str, path: Path) -> Ancestry:
    try:
        metadata = read_metadata(path)
        if METADATA in metadata:
            return _from_json(json.loads(metadata[METADATA]))
    except (OSError, ValueError):
        return Ancestry(untraced=(f"{path.name} has metadata that cannot be read",))
    if any(name.startswith(_ON_HUB) for name in (source, metadata.get("source", ""))):
        return Ancestry()
    return Ancestry(untraced=(f"{path.name} does not record its training photographs",))


def _own_ancestry(folder: RunFolder) -> Ancestry:
    rows, source = read_rows(folder.split), resolve(folder.read_config()).source
    trained = [row for row in rows if row["split"] == "train"]
    digests = {subject_digest(row["subject"], source) for row in trained if row["subject"]}
    own = RunImages(
        run=folder.path.resolve().name,
        photographs=frozenset(row["sha256"] for row in trained),
        subjects=frozenset(digests),
        selected=frozenset(row["sha256"] for row in rows if row["split"] == "validation"),
    )
    return Ancestry((own,))


def write_ancestry(folder: RunFolder, ancestry: Ancestry) -> None:
    """Write ``ancestry.json``: the training images of a run's initial weights."""
    folder.write_json(folder.ancestry, _to_json(ancestry))


def read_ancestry(folder: RunFolder) -> Ancestry | None:
    """Read ``ancestry.json``; None for a run of an earlier version.

    Raises:
        UserError: the file is damaged.
    """
    if not folder.ancestry.is_file():
        return None
    try:
        return _from_json(json.loads(folder.ancestry.read_text(encoding="utf-8")))
    except ValueError as error:
        raise UserError(f"{folder.ancestry} is damaged: {error}") from error


def ancestry_metadata(ancestry: Ancestry) -> dict[str, str]:
    """Metadata for a converted file; empty without known runs."""
    return {METADATA: json.dumps(_to_json(ancestry))} if ancestry.learnt else {}


_SETS = ("photographs", "subjects", "selected")


def _to_json(ancestry: Ancestry) -> dict[str, Any]:
    return {
        "learnt": [
            {"run": one.run} | {name: sorted(getattr(one, name)) for name in _SETS}
            for one in ancestry.learnt
        ],
        "untraced": list(ancestry.untraced),
    }


def _from_json(plain: Any) -> Ancestry:
    """Invert `_to_json`.

    Raises:
        ValueError: the value is no ancestry.
    """
    try:
        return Ancestry(
            tuple(_images_from_json(one) for one in plain["learnt"]),
            tuple(map(str, plain["untraced"])),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no ancestry ({type(error).__name__}: {error})") from error


def _images_from_json(plain: Mapping[str, Any]) -> RunImages:
    return RunImages(str(plain["run"]), *(frozenset(map(str, plain[name])) for name in _SETS))
