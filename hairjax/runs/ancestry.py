"""Photographs from which weights have learnt: those of the run they are from, and of all before it.

A run writes what its ancestors have learnt from to ``ancestry.json`` when it begins, and
``convert`` into the file, so that nothing depends on folders that are moved, removed or trained
anew. Subjects are kept as digests: a converted file that is given away names nobody.
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
class Learnt:
    """What one run has learnt from.

    Attributes:
        run: name of its folder.
        photographs: SHA-256 of the contents of every training photograph.
        subjects: digests of their subjects, see `subject_digest`.
        selected: SHA-256 of the photographs by which its epoch was chosen, those of validation.
    """

    run: str
    photographs: frozenset[str]
    subjects: frozenset[str]
    selected: frozenset[str]


@dataclass(frozen=True)
class Ancestry:
    """What weights have learnt from, along the whole chain of runs.

    Attributes:
        learnt: what each run has learnt from, the nearest first.
        untraced: for what could not be followed, a phrase each that says why; it has names of files
            and folders, not where they lie.
    """

    learnt: tuple[Learnt, ...] = ()
    untraced: tuple[str, ...] = ()

    @property
    def runs(self) -> str:
        """Names of the runs, within a sentence."""
        return ", ".join(dict.fromkeys(one.run for one in self.learnt))


def joined(parts: Sequence[Ancestry]) -> Ancestry:
    """Several ancestries as one; what two of them share is in it once."""
    return Ancestry(
        tuple(dict.fromkeys(one for part in parts for one in part.learnt)),
        tuple(dict.fromkeys(one for part in parts for one in part.untraced)),
    )


def subject_digest(subject: str, source: SourceOptions) -> str:
    """SHA-256 of a subject's name.

    Names of folders and manifests are of the same people in every run. Those of drawn photographs
    are so for one seed, and those of a data set within it.
    """
    people = f"synthetic {source.seed}" if source.synthetic else source.data_set
    name = unicodedata.normalize("NFC", subject)
    return hashlib.sha256(f"{people}\0{name}".encode()).hexdigest()


def weights_ancestry(model: ModelSpecification, weights: Sequence[Path | None]) -> Ancestry:
    """Ancestry of the weights of every stream, as `find_model_weights` returns them."""
    return joined(
        [
            source_ancestry(stream.source, path)
            for stream, path in zip(model.streams, weights, strict=True)
            if path is not None
        ]
    )


def source_ancestry(source: str, path: Path, seen: tuple[Path, ...] = ()) -> Ancestry:
    """Ancestry of weights, themselves included.

    Args:
        source: as it is configured.
        path: as `find_weights` gives it.
        seen: runs that have led here, each in full.
    """
    return run_ancestry(path, seen) if is_run(path) else _file_ancestry(source, path)


def run_ancestry(path: Path, seen: tuple[Path, ...] = ()) -> Ancestry:
    """Ancestry of what a run has learnt, or what was made of runs: itself and all before it."""
    folder, place = RunFolder(path), path.resolve()
    if place in seen:  # a folder that was trained anew, with weights of what it held before
        return Ancestry()
    try:
        own = _learnt(folder)
    except UserError:
        own = Ancestry(untraced=(f"the split.csv of {place.name} cannot be read",))
    return joined([own, ancestors(folder, (*seen, place))])


def ancestors(folder: RunFolder, seen: tuple[Path, ...] = ()) -> Ancestry:
    """Ancestry of what a run began with, without the run itself: as it was stored, or followed."""
    try:
        stored = read_ancestry(folder)
        if stored is not None:
            return stored
        if "made" in folder.read_config():
            return joined([_member(folder, path, seen) for path in source_runs(folder)])
        streams = resolve(folder.read_config()).model.streams
    except UserError:
        name = folder.path.resolve().name
        return Ancestry(untraced=(f"the config.json or ancestry.json of {name} cannot be read",))
    return joined([_configured(folder, stream.source, seen) for stream in streams])


def _member(folder: RunFolder, path: Path, seen: tuple[Path, ...]) -> Ancestry:
    if RunFolder(path).config.is_file():
        return run_ancestry(path, seen)
    name = folder.path.resolve().name
    return Ancestry(untraced=(f"{name} was made of {path.name}, which is not there",))


def _configured(folder: RunFolder, source: str, seen: tuple[Path, ...]) -> Ancestry:
    """Ancestry of the weights that a run was configured to begin with; the hub is not asked."""
    if source == "none" or source.startswith(_ON_HUB):
        return Ancestry()
    try:
        return source_ancestry(source, find_weights(source), seen)
    except (WeightsError, OSError):
        name, before = folder.path.resolve().name, Path(source).name
        return Ancestry(untraced=(f"{name} began with {before}, which is not there",))


def _file_ancestry(source: str, path: Path) -> Ancestry:
    try:
        metadata = read_metadata(path)
        if METADATA in metadata:
            return _from_json(json.loads(metadata[METADATA]))
    except (OSError, ValueError):
        return Ancestry(untraced=(f"{path.name} has metadata that cannot be read",))
    if any(name.startswith(_ON_HUB) for name in (source, metadata.get("source", ""))):
        return Ancestry()
    return Ancestry(untraced=(f"{path.name} does not say on which photographs it was trained",))


def _learnt(folder: RunFolder) -> Ancestry:
    """Read what a run by itself has learnt from."""
    rows, source = read_rows(folder.split), resolve(folder.read_config()).source
    trained = [row for row in rows if row["split"] == "train"]
    digests = {subject_digest(row["subject"], source) for row in trained if row["subject"]}
    own = Learnt(
        run=folder.path.resolve().name,
        photographs=frozenset(row["sha256"] for row in trained),
        subjects=frozenset(digests),
        selected=frozenset(row["sha256"] for row in rows if row["split"] == "validation"),
    )
    return Ancestry((own,))


def write_ancestry(folder: RunFolder, ancestry: Ancestry) -> None:
    """Write ``ancestry.json``: what a run's weights had learnt from before it began."""
    folder.write_json(folder.ancestry, _to_json(ancestry))


def read_ancestry(folder: RunFolder) -> Ancestry | None:
    """The inverse of `write_ancestry`; None where an earlier hairjax began the run.

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
    """Metadata for a converted file; none where no run is known."""
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
    """The inverse of `_to_json`.

    Raises:
        ValueError: it is nothing that `_to_json` wrote.
    """
    try:
        return Ancestry(
            tuple(_learnt_from_json(one) for one in plain["learnt"]),
            tuple(map(str, plain["untraced"])),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no ancestry ({type(error).__name__}: {error})") from error


def _learnt_from_json(plain: Mapping[str, Any]) -> Learnt:
    return Learnt(str(plain["run"]), *(frozenset(map(str, plain[name])) for name in _SETS))
